package postgres

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// oldest is the first major version that has all we use and still gets fixes.
const oldest = 14

// program is one installation of the server.
type program struct {
	dir   string // has postgres and initdb
	major int
}

func (p program) path(name string) string { return filepath.Join(p.dir, name) }

// usualPlaces are the directories in which distributions and Homebrew put server binaries. Debian keeps them out of
// PATH on purpose, so that several versions can be installed.
func usualPlaces() []string {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",          // Debian, Ubuntu, PGDG for them
		"/usr/pgsql-*/bin",                   // PGDG for Red Hat
		"/usr/lib/postgresql*/bin",           // SUSE
		"/usr/libexec/postgresql*",           // Alpine
		"/opt/homebrew/opt/postgresql@*/bin", // Homebrew, Apple silicon
		"/usr/local/opt/postgresql@*/bin",    // Homebrew, Intel
		"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		found, _ := filepath.Glob(pattern) // the patterns are constant and well-formed
		dirs = append(dirs, found...)
	}
	return dirs
}

// findProgram returns the newest installation in dirs. A cluster that exists can only be opened by the major version
// that made it: with want above 0 it returns that one.
func findProgram(ctx context.Context, dirs []string, want int) (program, error) {
	var all []program
	for _, dir := range dirs {
		if p, ok := inspect(ctx, dir); ok {
			all = append(all, p)
		}
	}
	slices.SortStableFunc(all, func(a, b program) int { return cmp.Compare(b.major, a.major) })
	if want > 0 {
		if i := slices.IndexFunc(all, func(p program) bool { return p.major == want }); i >= 0 {
			return all[i], nil
		}
		return program{}, ErrNoBinaries.
			WithCause(fmt.Errorf("the data was made by PostgreSQL %d, here is %s", want, versions(all))).
			WithHint("install it: apt-get install postgresql-%d, or brew install postgresql@%d; or move the postgres directory away and the read models are built again from the log", want, want)
	}
	if len(all) == 0 || all[0].major < oldest {
		return program{}, ErrNoBinaries.
			WithCause(fmt.Errorf("version %d or newer is needed, here is %s", oldest, versions(all))).
			WithHint("install them: apt-get install postgresql, or brew install postgresql@17; or give a server with --postgres URL")
	}
	return all[0], nil
}

var versionPattern = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

func inspect(ctx context.Context, dir string) (program, bool) {
	p := program{dir: dir}
	if _, err := os.Stat(p.path("initdb")); err != nil {
		return p, false
	}
	out, err := exec.CommandContext(ctx, p.path("postgres"), "--version").Output() //nolint:gosec // a fixed name in a directory the operator controls
	if err != nil {
		return p, false
	}
	match := versionPattern.FindSubmatch(out)
	if match == nil {
		return p, false
	}
	p.major, err = strconv.Atoi(string(match[1]))
	return p, err == nil
}

func versions(all []program) string {
	if len(all) == 0 {
		return "none"
	}
	var names []string
	for _, p := range all {
		names = append(names, fmt.Sprintf("%d in %s", p.major, p.dir))
	}
	return strings.Join(slices.Compact(names), ", ")
}

package docs_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// TestProgram holds the documents against the program itself: its commands, its settings, and a server that it runs.
func TestProgram(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds and runs the whole program")
	}
	program := testkit.Build(t, "github.com/tidemark-desk/tidemark/cmd/tidemark")
	testCommands(t, program)
	testSettings(t, program)
	// As the tour has it: the program in bin, the data in data, and a shell beside both.
	dir := testkit.Dir(t)
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program.Path, filepath.Join(dir, "bin", "tidemark")); err != nil {
		t.Fatal(err)
	}
	server := program.Serve(t, filepath.Join(dir, "data"))
	server = testTour(t, program, server, dir)
	testMetrics(t, server)
	testOperations(t, server)
	testDirectory(t, server.Data)
	if code := server.Stop(t); code != 0 {
		t.Errorf("the server stopped with %d", code)
	}
}

var programCommand = regexp.MustCompile("(?m)(?:`|^    |^\\$ )(?:bin/)?tidemark ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?")

// testCommands: every `tidemark …` in the documents is a command of the program.
func testCommands(t *testing.T, program testkit.Program) {
	t.Helper()
	seen := 0
	for _, page := range pages(t) {
		for _, m := range programCommand.FindAllStringSubmatch(read(t, page), -1) {
			seen++
			help := program.Run(t, m[1], "--help")
			if help.Code != 0 {
				t.Errorf("%s: there is no command %q", page, m[0])
				continue
			}
			if commands := found(help.Stdout, `(?m)^  `+m[1]+` ([a-z-]+) `); m[2] != "" && len(commands) > 0 && !slices.Contains(commands, m[2]) {
				t.Errorf("%s: %s has no command %q", page, m[1], m[2])
			}
		}
	}
	if seen < 10 {
		t.Errorf("found only %d commands: the pattern no longer fits", seen)
	}
}

// matches tells whether a text has a line in which "…" stands for anything.
func matches(text, line string) bool {
	parts := strings.Split(line, "…")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	return regexp.MustCompile("(?m)^" + strings.Join(parts, ".*") + "$").MatchString(text)
}

// testOperations: every request that a document names, as in `GET /v1/admin/lag`, is an operation of the API.
func testOperations(t *testing.T, server *testkit.Process) {
	t.Helper()
	var spec struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(server.OK(t, http.MethodGet, "/openapi.json", nil).Raw, &spec); err != nil {
		t.Fatal(err)
	}
	var operations []*regexp.Regexp
	for path, methods := range spec.Paths {
		for method := range methods {
			pattern := regexp.MustCompile(`\{[^}]+\}`).ReplaceAllString(path, "[^/]+")
			operations = append(operations, regexp.MustCompile("^"+strings.ToUpper(method)+" "+pattern+"$"))
		}
	}
	seen := 0
	for _, page := range pages(t) {
		for _, request := range found(read(t, page), "`((?:GET|PUT|POST|PATCH|DELETE) /v1/[^`?]+)") {
			seen++
			if !slices.ContainsFunc(operations, func(r *regexp.Regexp) bool { return r.MatchString(request) }) {
				t.Errorf("%s: the API has no %s", page, request)
			}
		}
	}
	if seen < 3 {
		t.Errorf("found only %d requests: the pattern no longer fits", seen)
	}
}

// testMetrics: what the server shows is documented, and what is documented is shown or at least in the source.
func testMetrics(t *testing.T, server *testkit.Process) {
	t.Helper()
	raw := server.OK(t, http.MethodGet, "/metrics", nil).Raw
	// A counter that has counted nothing yet is not shown.
	unseen := []string{"tidemark_log_refused_total", "tidemark_log_append_failures_total"}
	documented := found(section(t, read(t, "docs/operations.md"), "## Metrics"), "(?m)^\\| `(tidemark_\\w+)`")
	there := found(string(raw), `(?m)^# TYPE (tidemark_\w+) `)
	for _, name := range unseen {
		if !slices.Contains(there, name) {
			there = append(there, name)
		}
	}
	same(t, "metrics", documented, there)
}

// testDirectory: the data directory has what the documents say, and nothing else.
func testDirectory(t *testing.T, data string) {
	t.Helper()
	entries, err := os.ReadDir(data)
	if err != nil {
		t.Fatal(err)
	}
	var there []string
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() {
			name += "/"
		}
		there = append(there, name)
	}
	same(t, "data directory", found(section(t, read(t, "docs/operations.md"), "## The data directory"), "(?m)^\\| `([^`]+)`"), there)
}

package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var link = regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`)

// TestLinks: every link to a file of the repository leads somewhere.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, page), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: the link %s leads nowhere", page, m[1])
			}
		}
	}
}

var (
	// named is a file of the repository, and what it declares in backticks behind it: `internal/run/run.go` `Group` `Stop`.
	named = regexp.MustCompile("\\b((?:cmd|docs|events|internal|projections|scripts|services)/[\\w/.-]*\\w\\.(?:go|sql|md|json))`?((?: `[\\w.]+`)*)")
	// step is a line of a request's way: a file, and what happens in it.
	step = regexp.MustCompile(`(?m)^(\w[\w/]+\.go)  +([\w.]+)  `)
)

// TestNamedFiles: every file that a document names is there, and declares what is named behind it.
func TestNamedFiles(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, page := range pages(t) {
		text := read(t, page)
		for _, m := range append(named.FindAllStringSubmatch(text, -1), step.FindAllStringSubmatch(text, -1)...) {
			raw, err := os.ReadFile(filepath.Join(root, m[1]))
			if err != nil {
				t.Errorf("%s: there is no %s", page, m[1])
				continue
			}
			for name := range strings.FieldsSeq(strings.ReplaceAll(m[2], "`", "")) {
				seen++
				if !declares(string(raw), name) {
					t.Errorf("%s: %s declares no %s", page, m[1], name)
				}
			}
		}
	}
	if seen < 30 {
		t.Errorf("found only %d names: the pattern no longer fits", seen)
	}
}

// declares tells whether a source has a function, a type, or Type.Method.
func declares(source, name string) bool {
	pattern := `(?m)^(func (\(.*\) )?|type )` + name + `\b`
	if receiver, method, ok := strings.Cut(name, "."); ok {
		pattern = `(?m)^func \((\w+ )?\*?` + receiver + `(\[.*\])?\) ` + method + `\(`
	}
	return regexp.MustCompile(pattern).MatchString(source)
}

// TestDecisions: the index of the decisions has each of them, by its title.
func TestDecisions(t *testing.T) {
	t.Parallel()
	index := read(t, "docs/adr/README.md")
	files, err := filepath.Glob(filepath.Join(root, "docs/adr/0*.md"))
	if err != nil || len(files) == 0 {
		t.Fatal("no decisions", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		title, _, _ := strings.Cut(string(raw), "\n")
		_, title, _ = strings.Cut(title, ". ")
		if line := "[" + title + "](" + filepath.Base(file) + ")"; !strings.Contains(index, line) {
			t.Errorf("the index lacks %s", line)
		}
	}
}

// TestExitCodes: the table has the codes of the program.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	same(t, "exit codes", found(section(t, read(t, "docs/operations.md"), "## Exit codes"), `(?m)^\| (\d+) \|`),
		found(read(t, "cmd/tidemark/main.go"), `(?m)^\texit\w+\s*= (\d+)`))
}

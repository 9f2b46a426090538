package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestReadmeIsShort(t *testing.T) {
	t.Parallel()
	if n := strings.Count(read(t, "README.md"), "\n"); n > 200 {
		t.Errorf("the README has %d lines; 200 is what people read", n)
	}
}

// TestTree holds the map of the tree against the tree: what it names is there, and every folder that somebody would
// look for is named.
func TestTree(t *testing.T) {
	t.Parallel()
	var documented []string
	for line := range strings.Lines(section(t, read(t, "README.md"), "## The tree")) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			documented = append(documented, found(cells[1], "`([^`]+)/`")...)
		}
	}
	slices.Sort(documented)
	named := func(path string) bool {
		return slices.ContainsFunc(documented, func(d string) bool { return d == path || strings.HasPrefix(d, path+"/") })
	}
	for _, path := range documented {
		if info, err := os.Stat(filepath.Join(root, path)); err != nil || !info.IsDir() {
			t.Errorf("%s/ is in the map and not in the tree", path)
		}
	}
	for _, parent := range []string{".", "cmd", "internal", "projections", "services"} {
		for _, name := range folders(t, parent) {
			if !named(filepath.Join(parent, name)) {
				t.Errorf("%s/ is in the tree and not in the map", filepath.Join(parent, name))
			}
		}
	}
}

// folders are those that hold files of the repository, not what running it leaves behind.
func folders(t *testing.T, parent string) []string {
	t.Helper()
	ignored := found(read(t, ".gitignore"), `(?m)^/(\w+)/$`)
	entries, err := os.ReadDir(filepath.Join(root, parent))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") || parent == "." && slices.Contains(ignored, e.Name()) {
			continue
		}
		if _, files := os.ReadDir(filepath.Join(root, parent, e.Name())); files == nil && holdsFiles(t, filepath.Join(root, parent, e.Name())) {
			out = append(out, e.Name())
		}
	}
	return out
}

func holdsFiles(t *testing.T, dir string) bool {
	t.Helper()
	holds := false
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		holds = holds || err == nil && d.Type().IsRegular() && !strings.HasPrefix(d.Name(), ".")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return holds
}

// TestPromises: every promise has a command, and what the command runs is there.
func TestPromises(t *testing.T) {
	t.Parallel()
	promises := 0
	for line := range strings.Lines(section(t, read(t, "README.md"), "## The promises")) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || !strings.Contains(cells[1], "**") {
			continue
		}
		promises++
		if !strings.HasPrefix(cells[1], fmt.Sprintf(" P%d **", promises)) {
			t.Errorf("promise %d has another number:%s", promises, cells[1])
		}
		commands := found(cells[2], "`([^`]+)`")
		if len(commands) == 0 {
			t.Errorf("no command shows this:%s", cells[1])
		}
		for _, c := range commands {
			if !slices.ContainsFunc([]string{"go test ", "tidemark ", "make "}, func(known string) bool { return strings.HasPrefix(c, known) }) {
				t.Errorf("%q is no command that this test understands", c)
			}
		}
	}
	if promises != 10 {
		t.Errorf("%d promises, there are 10", promises)
	}
}

var testCommand = regexp.MustCompile("go test (\\./[^ `]+) -(run|bench) '?\\^?(\\w+)\\$?'?")

// TestCommandsOfTests holds every `go test … -run Name` in the documents and the menu against the tests
// that there are.
func TestCommandsOfTests(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, page := range append(pages(t), "Makefile") {
		for _, m := range testCommand.FindAllStringSubmatch(read(t, page), -1) {
			seen++
			folder, name := m[1], m[3]
			files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
			if err != nil {
				t.Fatal(err)
			}
			wanted := "func " + name + "(" // the whole name
			if m[2] == "bench" {
				wanted = name
			}
			if !slices.ContainsFunc(files, func(file string) bool {
				raw, err := os.ReadFile(file)
				return err == nil && strings.Contains(string(raw), wanted)
			}) {
				t.Errorf("%s: %s has no %s", page, folder, name)
			}
		}
	}
	if seen < 10 {
		t.Errorf("found only %d commands: the pattern no longer fits", seen)
	}
}

// TestMakeTargets holds every `make target` in the documents against the Makefile.
func TestMakeTargets(t *testing.T) {
	t.Parallel()
	targets := found(read(t, "Makefile"), `(?m)^([a-z-]+):.*## `)
	for _, page := range pages(t) {
		for _, name := range found(read(t, page), "(?m)(?:`|^    )make ([a-z-]+)") {
			if !slices.Contains(targets, name) {
				t.Errorf("%s: make has no target %s", page, name)
			}
		}
	}
}

package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// root of the repository.
const root = ".."

// read gives a file of the repository.
func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// pages are the written documents of the repository.
func pages(t *testing.T) []string {
	t.Helper()
	out := []string{"README.md", "CONTRIBUTING.md", "SECURITY.md"}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			path, err = filepath.Rel(root, path)
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// section is the part of a document under a heading, up to the next one of its level or above.
func section(t *testing.T, document, heading string) string {
	t.Helper()
	_, after, ok := strings.Cut("\n"+document, "\n"+heading+"\n")
	if !ok {
		t.Fatalf("there is no heading %q", heading)
	}
	level := strings.Count(strings.SplitN(heading, " ", 2)[0], "#")
	var out strings.Builder
	fenced := false
	for line := range strings.Lines(after) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		hashes := strings.IndexFunc(line, func(r rune) bool { return r != '#' })
		if !fenced && hashes > 0 && hashes <= level && line[hashes] == ' ' {
			break
		}
		out.WriteString(line)
	}
	return out.String()
}

// block is a fenced block and the language that it says it is in.
type block struct{ language, text string }

func blocks(document string) []block {
	var out []block
	var now *block
	for line := range strings.Lines(document) {
		switch language, fence := strings.CutPrefix(strings.TrimRight(line, "\n"), "```"); {
		case fence && now == nil:
			now = &block{language: language}
		case fence:
			out, now = append(out, *now), nil
		case now != nil:
			now.text += line
		}
	}
	return out
}

// found is the first group of every match, sorted, each once.
func found(text, pattern string) []string {
	var out []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// same compares two sorted lists of names and says which are missing where.
func same(t *testing.T, what string, documented, there []string) {
	t.Helper()
	for _, name := range documented {
		if !slices.Contains(there, name) {
			t.Errorf("%s: %s is documented and not there", what, name)
		}
	}
	for _, name := range there {
		if !slices.Contains(documented, name) {
			t.Errorf("%s: %s is there and not documented", what, name)
		}
	}
	if len(there) == 0 {
		t.Errorf("%s: found none at all", what)
	}
}

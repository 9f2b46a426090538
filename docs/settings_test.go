package docs_test

import (
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// testSettings: the table of settings has every flag of serve with its variable, and no other.
func testSettings(t *testing.T, program testkit.Program) {
	t.Helper()
	var there []string
	for _, flag := range strings.Split(program.Run(t, "serve", "--help").Stdout, "\n      --")[1:] {
		name := found("--"+flag, `^--([a-z-]+)`)[0]
		variables := found(strings.Join(strings.Fields(flag), " "), `\(\$(TIDEMARK_\w+)\)`)
		if len(variables) == 1 && name != "config" {
			there = append(there, name+" "+variables[0])
		}
	}
	var documented []string
	for line := range strings.Lines(section(t, read(t, "docs/operations.md"), "## Settings")) {
		if cells := strings.Split(line, "|"); len(cells) > 4 && strings.Contains(cells[1], "`--") {
			documented = append(documented, found(cells[1], "`--([a-z-]+)`")[0]+" "+found(cells[2], "`(TIDEMARK_\\w+)`")[0])
		}
	}
	same(t, "settings", documented, there)
}

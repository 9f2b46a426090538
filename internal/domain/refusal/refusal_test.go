package refusal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
)

func TestTableIsComplete(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "refusal.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Err") {
			declared++
		}
		return true
	})
	if declared != len(refusal.All) {
		t.Errorf("%d refusals are declared and %d listed", declared, len(refusal.All))
	}
	form, seen := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`), map[string]bool{}
	for _, f := range refusal.All {
		if seen[f.Code] || !form.MatchString(f.Code) || f.Message == "" {
			t.Errorf("%q is twice in the table, of a bad form, or says nothing", f.Code)
		}
		seen[f.Code] = true
	}
}

package api_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/docs"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/web"
)

var update = flag.Bool("update", false, "write docs/errors.md")

// served are the folders whose faults can reach a caller of the HTTP faces.
var served = []string{"internal/attachment", "internal/blob", "internal/command", "internal/directory", "internal/domain", "internal/erasure", "internal/eventlog", "internal/importer", "internal/intake", "internal/web", "projections", "services"}

var kindNames = map[string]fault.Kind{
	"Invalid": fault.Invalid, "Unauthenticated": fault.Unauthenticated, "Forbidden": fault.Forbidden, "NotFound": fault.NotFound,
	"Conflict": fault.Conflict, "TooMany": fault.TooMany, "Unavailable": fault.Unavailable,
}

type row struct {
	status        int
	message, hint string
}

// TestCodesAreListed holds docs/errors.md against every fault in the source: none is missing, none is left over, and
// each has the status that it is answered with. go test ./services/api -run TestCodesAreListed -update writes it.
func TestCodesAreListed(t *testing.T) {
	t.Parallel()
	rows := map[string]row{}
	for _, c := range web.Codes {
		rows[c.Code] = row{status: c.Status, message: c.Title, hint: c.Help}
	}
	for _, dir := range served {
		collect(t, filepath.Join("..", "..", dir), rows)
	}
	var b strings.Builder
	b.WriteString("# Error codes\n\nEvery error is a problem (RFC 9457) with a `code` that never changes. Made from the source: " +
		"`go test ./services/api -run TestCodesAreListed -update`.\n\n| code | status | what it means | what to do |\n|---|---|---|---|\n")
	for _, code := range slices.SortedFunc(maps.Keys(rows), func(a, b string) int {
		if rows[a].status != rows[b].status {
			return rows[a].status - rows[b].status
		}
		return strings.Compare(a, b)
	}) {
		r := rows[code]
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s |\n", code, r.status, r.message, r.hint)
	}
	if *update {
		if err := os.WriteFile("../../docs/errors.md", []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if docs.Errors != b.String() {
		t.Fatal("docs/errors.md is not what the source says; run go test ./services/api -run TestCodesAreListed -update")
	}
}

// collect finds the calls of fault.New and fault.Newf with a code.
func collect(t *testing.T, dir string, rows map[string]row) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		hints := map[ast.Expr]string{}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			f, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if f.Sel.Name == "WithHint" && len(call.Args) > 0 {
				hints[f.X] = text(call.Args[0])
			}
			if of, ok := f.X.(*ast.Ident); !ok || of.Name != "fault" || f.Sel.Name != "New" && f.Sel.Name != "Newf" || len(call.Args) < 3 {
				return true
			}
			kind, ok := call.Args[0].(*ast.SelectorExpr)
			code := text(call.Args[1])
			if _, listed := rows[code]; !ok || code == "" || listed {
				return true
			}
			k, ok := kindNames[kind.Sel.Name]
			if !ok {
				return true
			}
			rows[code] = row{
				status:  web.StatusOf(fault.New(k, code, "")),
				message: sentence(text(call.Args[2])), hint: sentence(hints[call]),
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// text is the literal of an expression; a format's verbs become dots.
func text(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	s, err := strconv.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	return strings.NewReplacer("%s", "…", "%q", "…", "%d", "…", "%v", "…", "|", "/", "\n", " ").Replace(s)
}

func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// listedCodes reads docs/errors.md: the status of every code.
func listedCodes(t *testing.T) map[string]int {
	t.Helper()
	out := map[string]int{}
	for line := range strings.Lines(docs.Errors) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		status, err := strconv.Atoi(strings.TrimSpace(cells[2]))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		out[strings.Trim(cells[1], " `")] = status
	}
	return out
}

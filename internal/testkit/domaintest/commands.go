package domaintest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// everyCommand looks whether the commands are those that the package declares: the types with the method that makes
// one, such as conversationCommand.
func everyCommand[C any](t *testing.T, commands []C) {
	t.Helper()
	marker := reflect.TypeFor[C]().Method(0).Name
	var given, declared []string
	for _, c := range commands {
		given = append(given, reflect.TypeOf(c).Name())
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Name.Name != marker || f.Recv == nil {
				continue
			}
			if receiver, ok := f.Recv.List[0].Type.(*ast.Ident); ok {
				declared = append(declared, receiver.Name)
			}
		}
	}
	slices.Sort(given)
	slices.Sort(declared)
	if !slices.Equal(given, declared) {
		t.Errorf("the commands are %v, and the package declares %v", given, declared)
	}
}

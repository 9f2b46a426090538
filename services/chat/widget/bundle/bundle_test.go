package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// What is committed is what the sources make: nobody gets a script that its sources do not show.
func TestTheScriptIsFresh(t *testing.T) {
	t.Parallel()
	made, err := bundle("../src")
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile("../widget.js")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made, committed) {
		t.Error("widget.js is stale: run go generate ./services/chat/widget, and commit it")
	}
}

// A language that says less than the first one, or what would be taken for two words, is none.
func TestEveryLanguageSaysAll(t *testing.T) {
	t.Parallel()
	const en = "const en = {\n  a: 'A', b: 'B',\n};\n"
	got, err := joined(en + "const de: Words = {\n  b: 'Bé',\n  a: 'A {n}',\n};\n")
	if err != nil || !strings.Contains(got, `const de: Words = words("A {n}|Bé");`) {
		t.Errorf("%s %v", got, err)
	}
	for _, bad := range []string{"a: 'A',", "a: 'A', b: 'x|y',", "a: 'A', b: 'B', c: 'C',"} {
		if _, err := joined(en + "const de: Words = {\n  " + bad + "\n};\n"); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

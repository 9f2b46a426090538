package main

import (
	"bytes"
	"os"
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

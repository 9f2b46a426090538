package main

import (
	"bytes"
	"os"
	"testing"
)

func TestReferenceIsFresh(t *testing.T) {
	t.Parallel()
	there, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(there, reference()) {
		t.Error("docs/events.md is stale: go generate ./events")
	}
}

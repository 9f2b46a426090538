package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// databaseRuns tells whether the cluster's PostgreSQL is there.
func databaseRuns(t *testing.T, dir string) bool {
	t.Helper()
	_, err := os.Stat(filepath.Join(dir, "postgres", "data", "postmaster.pid"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

// What is told to stop goes before what it stands on: the targets, the nats-servers, the database.
func TestStopsInOrder(t *testing.T) {
	t.Parallel()
	dir := testkit.Dir(t)
	said := filepath.Join(dir, "said")
	// Stands for both programs. It says that it has begun, and when it is told to end, whether the database is there.
	program := filepath.Join(dir, "program")
	script := fmt.Sprintf(`#!/bin/sh
trap 'test -e %[1]s/postgres/data/postmaster.pid && echo "ended $1" >>%[2]s; kill $!; exit 0' TERM
echo "began $1" >>%[2]s
sleep 1000 &
wait
`, dir, said)
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	c := &cluster{dir: dir, tidemark: program, nats: program, logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.run(ctx, 0) }()
	lines := func(what string) []string {
		raw, err := os.ReadFile(said)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		return slices.DeleteFunc(strings.Fields(strings.ReplaceAll(string(raw), what+" ", what+"_")), func(s string) bool {
			return !strings.HasPrefix(s, what)
		})
	}
	testkit.Until(t, "all have begun", func() bool { return len(lines("began")) == len(targets)+nodes })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	want := append(slices.Repeat([]string{"ended_serve"}, len(targets)), slices.Repeat([]string{"ended_-c"}, nodes)...)
	if got := lines("ended"); !slices.Equal(got, want) {
		t.Errorf("with the database there it stopped %v, want %v", got, want)
	}
	if databaseRuns(t, dir) {
		t.Error("the database is left running")
	}
}

// A start that fails in the middle leaves nothing running.
func TestStartThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := testkit.Dir(t)
	if err := os.Mkdir(filepath.Join(dir, "nats-2.conf"), 0o700); err != nil { // where a file has to be
		t.Fatal(err)
	}
	c := &cluster{dir: dir, tidemark: "/bin/false", nats: "/bin/false", logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if err := c.run(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "nats-2.conf") {
		t.Errorf("it ended with %v", err)
	}
	if databaseRuns(t, dir) {
		t.Error("the database is left running")
	}
}

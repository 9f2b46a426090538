package testkit_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/postgres"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

func exists(t *testing.T, dir string) bool {
	t.Helper()
	_, err := os.Stat(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

func TestSweepDirs(t *testing.T) {
	t.Parallel()
	gone := exec.CommandContext(t.Context(), "true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	in := testkit.Dir(t)
	ours := filepath.Join(in, fmt.Sprintf("tidemark-test-%d-ours", os.Getpid()))
	if err := os.Mkdir(ours, 0o700); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(in, fmt.Sprintf("tidemark-test-%d-left", gone.Process.Pid))

	server, err := postgres.Start(t.Context(), postgres.Config{Dir: left, Volatile: true})
	if err != nil {
		t.Fatal(err)
	}
	testkit.SweepDirsIn(t.Context(), in)
	if !exists(t, left) {
		t.Error("swept under a server in use")
	}
	if err := server.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	testkit.SweepDirsIn(t.Context(), in)
	if exists(t, left) {
		t.Error("what a dead test left is still there")
	}
	if !exists(t, ours) {
		t.Error("swept the directory of a living test")
	}
}

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
	ours := testkit.Dir(t)
	left := filepath.Join(os.TempDir(), fmt.Sprintf("tidemark-test-%d-left", gone.Process.Pid))
	t.Cleanup(func() { _ = os.RemoveAll(left) })

	server, err := postgres.Start(t.Context(), postgres.Config{Dir: left, Volatile: true})
	if err != nil {
		t.Fatal(err)
	}
	testkit.SweepDirs(t.Context())
	if !exists(t, left) {
		t.Error("swept under a server in use")
	}
	if err := server.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	testkit.SweepDirs(t.Context())
	if exists(t, left) {
		t.Error("what a dead test left is still there")
	}
	if !exists(t, ours) {
		t.Error("swept the directory of a living test")
	}
}

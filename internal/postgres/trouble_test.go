package postgres_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/postgres"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// refused checks that Start fails with the fault, says the words, and lets go of the directory.
func refused(t *testing.T, cfg postgres.Config, want *fault.Fault, words ...string) {
	t.Helper()
	for range 2 { // the second meets what the first left behind
		s, err := postgres.Start(t.Context(), cfg)
		if err == nil {
			_ = s.Stop(t.Context())
		}
		if !errors.Is(err, want) {
			t.Fatalf("error is %v, want %v", err, want)
		}
		for _, word := range words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q does not say %q", err, word)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q is more than a line", err)
		}
	}
}

func TestNoBinaries(t *testing.T) {
	t.Parallel()
	refused(t, postgres.Config{Dir: testkit.Dir(t), BinDirs: []string{t.TempDir()}},
		postgres.ErrNoBinaries, "apt-get install postgresql", "brew install postgresql@17", "--postgres URL")
}

func TestDataOfAnotherVersion(t *testing.T) {
	t.Parallel()
	dir := testkit.Dir(t)
	data := filepath.Join(dir, "postgres", "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte("9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, postgres.Config{Dir: dir}, postgres.ErrNoBinaries, "made by PostgreSQL 9", "postgresql-9")
}

func TestDirectoryCannotBeMade(t *testing.T) {
	t.Parallel()
	file := filepath.Join(testkit.Dir(t), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, postgres.Config{Dir: filepath.Join(file, "data")}, postgres.ErrDirectory, file, "choose another --data")
}

// What a directory denies depends on who we are: to root nothing is read-only, but the user who runs PostgreSQL for
// root may not get there.
func TestDirectoryDenied(t *testing.T) {
	t.Parallel()
	locked := filepath.Join(testkit.Dir(t), "locked")
	if err := os.Mkdir(locked, 0o700); err != nil {
		t.Fatal(err)
	}
	cfg := postgres.Config{Dir: filepath.Join(locked, "data")}
	if os.Geteuid() == 0 {
		refused(t, cfg, postgres.ErrDirectory, "cannot enter "+locked, "chmod o+x "+locked)
		return
	}
	if err := os.Chmod(locked, 0o500); err != nil {
		t.Fatal(err)
	}
	refused(t, cfg, postgres.ErrDirectory, locked, "writable")
}

func TestRootHandsTheServerToAnotherUser(t *testing.T) {
	t.Parallel()
	dir := testkit.Dir(t)
	s := start(t, postgres.Config{Dir: dir})
	info, err := os.Stat(pidFile(dir)) // the server itself made it
	if err != nil {
		t.Fatal(err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid == 0 || os.Geteuid() != 0 && int(stat.Uid) != os.Geteuid() {
		t.Errorf("we are user %d, the server is user %d", os.Geteuid(), stat.Uid)
	}
	if os.Geteuid() != 0 {
		return
	}
	// As after a restore by root: everything is root's again.
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(filepath.Join(dir, "postgres"), func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, 0, 0))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLongPath(t *testing.T) {
	t.Parallel()
	base, err := filepath.EvalSymlinks(testkit.Dir(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(base, strings.Repeat("long", 25))
	sum := sha256.Sum256([]byte(filepath.Join(dir, "postgres")))
	sockets := filepath.Join(os.TempDir(), "tidemark-"+hex.EncodeToString(sum[:6]))
	t.Cleanup(func() { _ = os.RemoveAll(sockets) })

	// Anybody can make a directory there, and would then see our connections.
	if err := os.Mkdir(sockets, 0o755); err != nil {
		t.Fatal(err)
	}
	refused(t, postgres.Config{Dir: dir, Volatile: true}, postgres.ErrDirectory, "not a private directory")
	if err := os.Remove(sockets); err != nil {
		t.Fatal(err)
	}

	s := start(t, postgres.Config{Dir: dir})
	if got := ask(t, s, "SHOW unix_socket_directories"); got != sockets {
		t.Errorf("sockets in %s, want %s", got, sockets)
	}
	info, err := os.Stat(sockets)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 {
		t.Errorf("others can enter %s: %v", sockets, info.Mode())
	}
}

func TestBrokenConfigurationIsTold(t *testing.T) {
	t.Parallel()
	dir := testkit.Dir(t)
	s := start(t, postgres.Config{Dir: dir})
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	local := filepath.Join(dir, "postgres", "data", "local.conf")
	if err := os.WriteFile(local, []byte("no_such_setting = 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := s.Start(t.Context())
	if !errors.Is(err, postgres.ErrNotReady) || !strings.Contains(err.Error(), "no_such_setting") || !strings.Contains(err.Error(), "server.log") {
		t.Errorf("error is %v", err)
	}
	if got := s.State(); got.Phase != postgres.Stopped || got.Err == nil {
		t.Errorf("state is %+v", got)
	}
}

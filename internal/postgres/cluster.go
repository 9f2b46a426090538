package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/gofrs/flock"
)

const (
	socketPort = "5432" // only part of the socket's name
	socketName = ".s.PGSQL." + socketPort
	// The longest path of a Unix socket on macOS; Linux allows four more.
	socketLimit = 103
	logLimit    = 16 << 20
)

func (s *Server) dataPath() string { return filepath.Join(s.home, "data") }
func (s *Server) logPath() string  { return filepath.Join(s.home, "server.log") }

// prepare makes sure that directory, lock, binaries, cluster, socket directory and configuration are there. It
// holds the lock when it returns nil.
func (s *Server) prepare(ctx context.Context) (err error) {
	mode := fs.FileMode(0o700)
	if s.owner != nil {
		mode = 0o711 // the server's user has to pass through; what is in there has modes of its own
	}
	if err := os.MkdirAll(s.cfg.Dir, mode); err != nil {
		return unusable(err, s.cfg.Dir)
	}
	// One name for it, whichever way it is given: a server that is left is known by it.
	dir, err := filepath.EvalSymlinks(s.cfg.Dir)
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return unusable(err, s.cfg.Dir)
	}
	if s.home == "" {
		s.home = filepath.Join(dir, "postgres")
	}
	if err := os.Mkdir(s.home, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return unusable(err, dir)
	}
	if err := s.acquire(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.lock.Unlock())
		}
	}()
	want, err := s.clusterVersion()
	if err != nil {
		return err
	}
	if s.program, err = findProgram(ctx, s.cfg.BinDirs, want); err != nil {
		return err
	}
	if err := s.claim(); err != nil {
		return err
	}
	if err := s.owner.reach(ctx, s.home, s.program); err != nil {
		return err
	}
	if want == 0 {
		if err := s.initialise(ctx); err != nil {
			return err
		}
	}
	sockets, err := s.socketDir()
	if err != nil {
		return err
	}
	if s.sockets == "" { // from now on others read it
		s.sockets = sockets
	}
	return s.configure()
}

// acquire keeps a second Tidemark from adopting, and then stopping, the server of the first.
func (s *Server) acquire() error {
	path := filepath.Join(s.home, "lock")
	s.lock = flock.New(path)
	ok, err := s.lock.TryLock()
	if err != nil {
		return unusable(err, s.home)
	}
	if !ok {
		return ErrInUse.WithCause(fmt.Errorf("%s is locked", path)).
			WithHint("stop the other tidemark that serves this data directory, or give this one its own --data")
	}
	return nil
}

// clusterVersion is the major version that made the cluster; 0 when there is none.
func (s *Server) clusterVersion() (int, error) {
	path := filepath.Join(s.dataPath(), "PG_VERSION")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, unusable(err, s.home)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, ErrDirectory.WithCause(fmt.Errorf("%s: %w", path, err)).
			WithHint("move %s away; the read models are built again from the log", s.home)
	}
	return major, nil
}

// claim gives the directory to the user that runs the server, also one that another user has run before.
func (s *Server) claim() error {
	for _, path := range []string{s.home, s.dataPath()} {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && s.owner.has(info) {
			continue
		}
		if err == nil && s.owner == nil {
			err = fmt.Errorf("%s belongs to another user", path)
		}
		if err == nil {
			err = s.owner.take(s.home)
		}
		if err != nil {
			return unusable(err, s.home)
		}
	}
	return nil
}

// initialise makes the cluster beside its place and moves it there, so that a crash leaves no half of one.
func (s *Server) initialise(ctx context.Context) error {
	fresh := s.dataPath() + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return unusable(err, s.home)
	}
	ctype := "C.UTF-8"
	if runtime.GOOS == "darwin" {
		ctype = "UTF-8"
	}
	args := []string{
		"--pgdata", fresh, "--username", superuser, "--encoding", "UTF8", "--data-checksums",
		// Byte order for sorting, the same on every machine; Unicode for upper and lower case.
		"--lc-collate", "C", "--lc-ctype", ctype, "--lc-messages", "C",
		// Who can open the socket is who may log in, and nobody else can.
		"--auth-local", "trust", "--auth-host", "reject",
	}
	if s.cfg.Volatile {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, s.program.path("initdb"), args...) //nolint:gosec // as in inspect
	cmd.Dir, cmd.Env, cmd.SysProcAttr = s.home, environment(), s.owner.attributes()
	if out, err := cmd.CombinedOutput(); err != nil {
		return ErrDirectory.WithCause(fmt.Errorf("initdb: %w: %s", err, lastLines(out, 3))).
			WithHint("the files of the database go to %s", s.home)
	}
	if err := os.Rename(fresh, s.dataPath()); err != nil {
		return unusable(err, s.home)
	}
	return nil
}

// environment is what the server's processes see: none of the PG… variables of whoever started us.
func environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
}

// socketDir is where the socket goes: into our directory, or where that path is too long for one, into a short directory
// that only the server's user can enter.
func (s *Server) socketDir() (string, error) {
	if len(filepath.Join(s.home, socketName)) <= socketLimit {
		return s.home, nil
	}
	sum := sha256.Sum256([]byte(s.home))
	dir := filepath.Join(os.TempDir(), "tidemark-"+hex.EncodeToString(sum[:6]))
	if len(filepath.Join(dir, socketName)) > socketLimit {
		return "", ErrDirectory.WithCause(fmt.Errorf("both %s and %s are too long for a Unix socket", s.home, dir)).
			WithHint("use a --data directory with a shorter path")
	}
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		err = s.owner.take(dir)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", unusable(err, os.TempDir())
	}
	// Others can write where it is: what is there already has to be ours.
	info, err := os.Lstat(dir)
	if err != nil {
		return "", unusable(err, dir)
	}
	if !info.IsDir() || info.Mode().Perm() != 0o700 || !s.owner.has(info) {
		return "", ErrDirectory.WithCause(fmt.Errorf("%s is not a private directory of the user that runs PostgreSQL", dir)).
			WithHint("remove it, or use a --data directory with a shorter path")
	}
	return dir, nil
}

// unusable says what to do about a directory that the file system denies.
func unusable(err error, dir string) error {
	if errors.Is(err, syscall.ENOSPC) {
		return ErrDirectory.WithCause(err).WithHint("free some space for %s", dir)
	}
	return ErrDirectory.WithCause(err).
		WithHint("make %s writable for the user that runs Tidemark, or choose another --data", dir)
}

// lastLines is the end of what a program wrote, on one line.
func lastLines(out []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], " | ")
}

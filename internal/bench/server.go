package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// scratch makes a directory that a database server run by another user can pass through.
func scratch() (string, func(), error) {
	dir, err := os.MkdirTemp("", "tidemark-bench-*")
	if err != nil {
		return "", nil, fmt.Errorf("make a temporary directory: %w", err)
	}
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // traversable on purpose, not readable
		return "", nil, fmt.Errorf("open up the temporary directory: %w", err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}

// server is a Tidemark of its own process.
type server struct {
	cmd     *exec.Cmd
	exited  chan error
	out     *bytes.Buffer
	data    string
	host    string
	key     string
	started time.Time // of the process
	serving time.Time // when the first request was answered
}

// start runs 'tidemark serve' on a data directory and waits until it takes requests.
func start(ctx context.Context, o Options, data string, flags ...string) (*server, error) {
	args := append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--rate-limit", "0", "--drain-delay", "0s", "--log-level", "warn"}, flags...)
	s := &server{data: data, exited: make(chan error, 1), out: &bytes.Buffer{}}
	_ = os.Remove(filepath.Join(data, "server.url"))
	s.cmd = exec.Command(o.Binary, args...) //nolint:gosec,noctx // our own program; stopped by stop, so that it can end cleanly
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	s.started = time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the server under test: %w", err)
	}
	go func() { s.exited <- s.cmd.Wait() }()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), s.stop())
		case err := <-s.exited:
			s.exited <- err
			return nil, fmt.Errorf("the server under test ended: %w\n%s", err, s.out)
		case <-tick.C:
			if ok, err := s.answers(ctx); err != nil {
				return nil, errors.Join(err, s.stop())
			} else if ok {
				s.serving = time.Now()
				return s, nil
			}
		}
	}
}

// answers tells whether a request with the admin key is answered yet.
func (s *server) answers(ctx context.Context) (bool, error) {
	address, err := os.ReadFile(filepath.Join(s.data, "server.url"))
	if errors.Is(err, fs.ErrNotExist) || len(address) == 0 {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the server's address: %w", err)
	}
	key, err := os.ReadFile(filepath.Join(s.data, "admin.key"))
	if err != nil {
		return false, nil // a moment later
	}
	s.host = strings.TrimPrefix(strings.TrimSpace(string(address)), "http://")
	s.key = strings.TrimSpace(string(key))
	c, err := dial(ctx, s)
	if err != nil {
		return false, nil // a moment later
	}
	defer func() { _ = c.Close() }()
	return c.call(http.MethodGet, "/v1/queues", nil, nil) == nil, nil
}

// stop ends the server as an operator would and waits for it.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop the server under test: %w", err)
	}
	select {
	case err := <-s.exited:
		if err != nil {
			return fmt.Errorf("the server under test did not stop cleanly: %w\n%s", err, s.out)
		}
		return nil
	case <-time.After(time.Minute):
		_ = s.cmd.Process.Kill()
		<-s.exited //nolint:errcheck // it was killed, and says so
		return errors.New("the server under test did not stop within a minute and was killed")
	}
}

// residentMB is the server's memory as the kernel counts it, without the database's.
func (s *server) residentMB() (float64, error) { return s.memoryMB("VmRSS:") }

// ownMB is the part of it that no file is behind: pages of files that are mapped are the kernel's to take back.
func (s *server) ownMB() (float64, error) { return s.memoryMB("RssAnon:") }

func (s *server) memoryMB(which string) (float64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read the server's memory: %w", err)
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, which); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1024, err
		}
	}
	return 0, errors.New("the kernel does not tell the server's memory")
}

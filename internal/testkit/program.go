package testkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/internal/postgres"
)

// Program is how a test runs a program of ours: a path, arguments that come before all others, and variables.
type Program struct {
	Path string
	Args []string
	Env  []string // added to those of the test
}

// built are the programs that Build has made; stopShared removes them.
var built struct {
	sync.Mutex
	dir string
}

// Build compiles a main package once for the test binary. The package of the test must hand its TestMain to Main.
func Build(tb testing.TB, pkg string) Program {
	tb.Helper()
	if !mainRuns.Load() {
		tb.Fatal("nobody would remove the program: add func TestMain(m *testing.M) { testkit.Main(m) } to the package")
	}
	built.Lock()
	defer built.Unlock()
	if built.dir == "" {
		dir, err := NewDir()
		if err != nil {
			tb.Fatal(err)
		}
		built.dir = dir
	}
	path := filepath.Join(built.dir, filepath.Base(strings.TrimSuffix(pkg, "/v2")))
	if _, err := os.Stat(path); err == nil {
		return Program{Path: path}
	}
	if out, err := exec.CommandContext(tb.Context(), "go", "build", "-o", path, pkg).CombinedOutput(); err != nil {
		tb.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	return Program{Path: path}
}

func removeBuilt() error {
	built.Lock()
	defer built.Unlock()
	if built.dir == "" {
		return nil
	}
	return os.RemoveAll(built.dir)
}

// Result is what came of a program that ended.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// Run runs the program to its end; one that does not come to it is killed.
func (p Program) Run(tb testing.TB, args ...string) Result {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	cmd := p.command(ctx, args)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		tb.Fatalf("run %s %v: %v", p.Path, args, err)
	}
	return Result{Code: cmd.ProcessState.ExitCode(), Stdout: stdout.String(), Stderr: stderr.String()}
}

func (p Program) command(ctx context.Context, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.Path, append(append([]string(nil), p.Args...), args...)...) //nolint:gosec // programs of ours
	cmd.Env = append(os.Environ(), p.Env...)
	return cmd
}

// Process is a tidemark server in a process of its own.
type Process struct {
	*Client // speaks to it with its admin key, when it has one

	Data string
	cmd  *exec.Cmd
	said *output
	gone chan struct{}
}

// Serve starts a server on a data directory and returns when it answers. What it leaves is ended with the test.
func (p Program) Serve(tb testing.TB, data string, args ...string) *Process {
	tb.Helper()
	address := filepath.Join(data, "server.url")
	if err := os.Remove(address); err != nil && !errors.Is(err, os.ErrNotExist) { // of one that was killed
		tb.Fatal(err)
	}
	s := &Process{Data: data, said: &output{}, gone: make(chan struct{})}
	s.cmd = p.command(context.WithoutCancel(tb.Context()), append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--rate-limit", "0", "--visitor-rate-limit", "0", "--drain-delay", "0s"}, args...))
	s.cmd.Stdout, s.cmd.Stderr = s.said, s.said
	if err := s.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() { _ = s.cmd.Wait(); close(s.gone) }()
	tb.Cleanup(func() { s.end(tb) })
	var url []byte
	Until(tb, "the server answers", func() bool {
		select {
		case <-s.gone:
			tb.Fatalf("the server ended with %d:\n%s", s.cmd.ProcessState.ExitCode(), s.said)
		default:
		}
		url, _ = os.ReadFile(address)
		return bytes.HasSuffix(url, []byte("\n"))
	})
	key, _ := os.ReadFile(filepath.Join(data, "admin.key")) // a process without the api has none
	s.Client = NewClient(strings.TrimSpace(string(url)), strings.TrimSpace(string(key)))
	return s
}

// Said is what the process wrote so far.
func (s *Process) Said() string { return s.said.String() }

// PID of the process.
func (s *Process) PID() int { return s.cmd.Process.Pid }

// Kill ends the process at once, as a power cut would, and returns when it is gone.
func (s *Process) Kill() {
	_ = s.cmd.Process.Kill() // it may be gone
	<-s.gone
}

// Stop ends the process in its own order and gives its exit code.
func (s *Process) Stop(tb testing.TB) int {
	tb.Helper()
	_ = s.cmd.Process.Signal(os.Interrupt)
	timer := time.NewTimer(time.Minute)
	defer timer.Stop()
	select {
	case <-s.gone:
	case <-timer.C:
		s.Kill()
		tb.Errorf("the server did not stop:\n%s", s.said)
	}
	return s.cmd.ProcessState.ExitCode()
}

// end leaves nothing of it: neither the process nor the database that outlived it.
func (s *Process) end(tb testing.TB) {
	tb.Helper()
	s.Kill()
	if s.Client != nil {
		s.Close()
	}
	if tb.Failed() {
		said := s.Said()
		tb.Logf("the server in %s said in the end:\n%s", s.Data, said[max(0, len(said)-4000):])
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), time.Minute)
	defer cancel()
	if err := stopLeft(ctx, s.Data); err != nil {
		tb.Error(err)
	}
}

// stopLeft stops the database that a server left in its data directory.
func stopLeft(ctx context.Context, data string) error {
	if _, err := os.Stat(filepath.Join(data, "postgres", "data", "postmaster.pid")); err != nil {
		return nil //nolint:nilerr // there is none
	}
	left, err := postgres.Start(ctx, postgres.Config{Dir: data})
	if errors.Is(err, postgres.ErrInUse) {
		return nil // the next server on this directory has it
	}
	if err != nil {
		return fmt.Errorf("adopt the database in %s: %w", data, err)
	}
	return left.Stop(ctx)
}

// output keeps what a process writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// Package testkit gives tests the real things: databases of a real PostgreSQL, directories that its user can enter,
// and a check at the end that no goroutine was left.
//
// A package that uses it hands its TestMain to Main. One server serves all tests of a binary, or all binaries of a
// run when TIDEMARK_TEST_POSTGRES names it (make test does so); every test gets a database of its own.
//
// It is for tests alone: the product must not import it.
package testkit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tidemark-desk/tidemark/internal/postgres"
)

const dirPrefix = "tidemark-test-"

// mainRuns is how Postgres knows that somebody will stop the server.
var mainRuns atomic.Bool

// Main runs the tests of a package, then stops what they shared and looks for goroutines that were left:
//
//	func TestMain(m *testing.M) { testkit.Main(m) }
//
// The options name goroutines of libraries that never end by design; say why at the call.
func Main(m *testing.M, ignore ...goleak.Option) {
	os.Exit(run(m, ignore))
}

func run(m *testing.M, ignore []goleak.Option) int {
	mainRuns.Store(true)
	code := m.Run()
	err := errors.Join(endOthers(), stopShared(), removeBuilt())
	if code == 0 && err == nil {
		err = goleak.Find(ignore...)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "after the tests:", err)
		return max(code, 1)
	}
	return code
}

// others is how what tests shared is ended.
var others struct {
	sync.Mutex
	ends []func() error
}

// AtEnd has something ended that all tests of the binary share. The package must hand its TestMain to Main.
func AtEnd(tb testing.TB, end func() error) {
	tb.Helper()
	if !mainRuns.Load() {
		tb.Error(errors.Join(errors.New("nobody would end what the tests share: add func TestMain(m *testing.M) { testkit.Main(m) } to the package"), end()))
		return
	}
	others.Lock()
	defer others.Unlock()
	others.ends = append(others.ends, end)
}

func endOthers() error {
	others.Lock()
	defer others.Unlock()
	var all error
	for _, end := range others.ends {
		all = errors.Join(all, end())
	}
	return all
}

// Dir is an empty directory that the user who runs PostgreSQL for root can enter, which t.TempDir is not, with a
// path short enough for a socket. It is removed with the test.
func Dir(tb testing.TB) string {
	tb.Helper()
	dir, err := NewDir()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			tb.Error(err)
		}
	})
	return dir
}

// NewDir is Dir for who has no test; the caller removes it.
func NewDir() (string, error) {
	dir, err := os.MkdirTemp("", dirPrefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o711) //nolint:gosec // another user has to pass through, see Dir
}

// SweepDirs stops the servers and removes the directories of test binaries that were killed before they could.
func SweepDirs(ctx context.Context) { sweepDirs(ctx, os.TempDir()) }

func sweepDirs(ctx context.Context, in string) {
	dirs, _ := filepath.Glob(filepath.Join(in, dirPrefix+"*")) // the pattern is well-formed
	for _, dir := range dirs {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), dirPrefix), "-")
		id, err := strconv.Atoi(pid)
		if err != nil || !errors.Is(syscall.Kill(id, 0), syscall.ESRCH) {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "postgres", "data", "postmaster.pid")); err == nil {
			server, err := postgres.Start(ctx, postgres.Config{Dir: dir, Volatile: true})
			if err != nil {
				continue // another binary is at it, or it cannot be helped
			}
			stopping, cancel := context.WithTimeout(ctx, 10*time.Second)
			err = server.Stop(stopping)
			cancel()
			if err != nil {
				continue
			}
		}
		_ = os.RemoveAll(dir) // nobody waits for it
	}
}

package searchindexer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/services/searchindexer"
)

const (
	childVariable = "TIDEMARK_TEST_INDEXER" // tells this test binary to be an indexer, and where
	soakVariable  = "TIDEMARK_SEARCH_ROUNDS"
)

// soak is by how much longer the tests of failures are to be.
func soak() int {
	n, err := strconv.Atoi(os.Getenv(soakVariable))
	if err != nil || n < 1 {
		return 1
	}
	return n
}

// index is an indexer until it is killed, or its parent is.
func index(raw string) int {
	var p place
	if err := json.Unmarshal([]byte(raw), &p); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1)) // the other end is closed when the parent is gone
		os.Exit(1)
	}()
	log, err := eventlog.Open(ctx, eventlog.Config{URL: p.Log})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	s := searchindexer.New(searchindexer.Deps{
		Log: log, Conn: log.Conn(), Logger: logger,
		Open: func(ctx context.Context) (search.Engine, error) { return p.open(ctx, log, logger) },
	})
	if err := s.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return 1
}

// child is an indexer in a process of its own.
type child struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *output
	gone chan struct{}
}

func (r *rig) child() *child {
	r.t.Helper()
	raw, err := json.Marshal(r.place)
	if err != nil {
		r.t.Fatal(err)
	}
	c := &child{t: r.t, cmd: exec.CommandContext(context.WithoutCancel(r.t.Context()), os.Args[0]), out: &output{}, gone: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), childVariable+"="+string(raw))
	c.cmd.Stdout, c.cmd.Stderr = c.out, c.out
	if _, err := c.cmd.StdinPipe(); err != nil {
		r.t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	go func() { _ = c.cmd.Wait(); close(c.gone) }()
	r.t.Cleanup(func() {
		c.kill()
		if r.t.Failed() {
			r.t.Logf("an indexer said:\n%s", c.said())
		}
	})
	return c
}

func (c *child) kill() {
	_ = c.cmd.Process.Kill() // it may be gone
	<-c.gone
}

func (c *child) pause()  { c.signal(syscall.SIGSTOP) }
func (c *child) resume() { c.signal(syscall.SIGCONT) }

func (c *child) signal(s syscall.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

func (c *child) said() string { return c.out.String() }

// output is what several write.
type output struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}

// fromOlderLog leaves an index that has read a log of which an older copy was restored.
func (r *rig) fromOlderLog() {
	r.t.Helper()
	dir, copied := r.t.TempDir(), r.t.TempDir()
	open := func(dir string) *eventlog.Log {
		log, err := eventlog.Open(r.t.Context(), eventlog.Config{Dir: dir})
		if err != nil {
			r.t.Fatal(err)
		}
		r.on(log)
		return log
	}
	log := open(dir)
	r.write(100)
	if err := log.Close(); err != nil {
		r.t.Fatal(err)
	}
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		r.t.Fatal(err)
	}
	last, count := maps.Clone(r.last), maps.Clone(r.count)
	log = open(dir)
	r.write(300)
	_, stop := r.start(r.t)
	r.current()
	stop()
	if err := log.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.last, r.count = last, count
	log = open(copied)
	r.t.Cleanup(func() { _ = log.Close() })
}

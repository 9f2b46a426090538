package main

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// fleet is several processes on one log, which is a server of its own.
type fleet struct {
	t     *testing.T
	nats  string
	files string
	log   *eventlog.Log // as a reader beside them has it
	key   string        // of the admin

	mu      sync.Mutex
	dirs    map[string]string // of a process, also when it is started again
	running map[string]*testkit.Process
	stopped map[string]bool // addresses of processes that were stopped in order
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	s := testkit.NATS(t)
	f := &fleet{t: t, nats: s.ClientURL(), files: testkit.Dir(t), dirs: map[string]string{}, running: map[string]*testkit.Process{}, stopped: map[string]bool{}}
	var err error
	f.log, err = eventlog.Open(t.Context(), eventlog.Config{URL: f.nats})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.log.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// start starts a process under a name, with more flags if need be.
func (f *fleet) start(name, targets, postgres string, more ...string) *testkit.Process {
	f.t.Helper()
	flags := append([]string{"--nats", f.nats, "--attachments", f.files, "--targets", targets, "--postgres", postgres}, more...)
	f.mu.Lock()
	dir := f.dirs[name]
	if dir == "" {
		dir = testkit.Dir(f.t)
		f.dirs[name] = dir
	}
	f.mu.Unlock()
	p := tidemark(f.t).Serve(f.t, dir, flags...)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.key == "" {
		f.key = p.Key
	}
	f.running[name] = p
	return p
}

// kill ends a process as a power cut does.
func (f *fleet) kill(name string) { f.leave(name, false).Kill() }

// stop ends a process in its own order.
func (f *fleet) stop(name string) {
	f.t.Helper()
	p := f.leave(name, true)
	if code := p.Stop(f.t); code != exitOK {
		f.t.Errorf("%s stopped with %d:\n%s", name, code, p.Said())
	}
}

func (f *fleet) leave(name string, inOrder bool) *testkit.Process {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.running[name]
	delete(f.running, name)
	if inOrder {
		f.stopped[p.URL] = true
	}
	return p
}

// at gives a client at any of the named processes that runs, each time another; nobody answers while none does.
func (f *fleet) at(key string, names ...string) func() *testkit.Client {
	return func() *testkit.Client {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, i := range rand.Perm(len(names)) {
			if p, ok := f.running[names[i]]; ok {
				return p.With(key)
			}
		}
		return nobody
	}
}

var nobody = testkit.NewClient("http://127.0.0.1:1", "")

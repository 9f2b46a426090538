package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

const (
	crashCallers = 64
	crashShared  = 8 // conversations that all callers write to
)

// posted is one request of a caller. Its key makes a retry the same write.
type posted struct {
	method, path string
	body         any
	key          string
	conversation string // that it belongs to; empty: it opens one
	position     events.Position
}

// commandID is the id that the server gives to a write of the admin with this key.
func (w *posted) commandID() string { return command.DeriveID("api", demoOrg, "admin", w.key) }

// caller writes one request after the other, as one client does.
type caller struct {
	name   string
	count  int
	own    string // its conversation
	shared []string
	agents []string
	acked  []*posted // in the order of the acknowledgements
	open   *posted   // sent, and no answer came
}

func (c *caller) next() *posted {
	c.count++
	w := &posted{key: c.name + "." + strconv.Itoa(c.count), method: "POST"}
	text := "This is " + w.key
	switch {
	case c.own == "" || c.count%16 == 0:
		w.path = "/v1/conversations"
		w.body = map[string]any{
			"channel": "chat", "subject": w.key, "customer": map[string]any{"email": w.key + "@example.com"},
			"message": map[string]any{"text": text},
		}
		return w
	case c.count%8 == 3:
		w.method, w.conversation, w.path = "PUT", c.own, "/v1/conversations/"+c.own+"/assignee"
		w.body = map[string]any{"agent_id": c.agents[c.count/8%2]} // never who has it already
		return w
	case c.count%4 == 0:
		w.conversation = c.shared[c.count/4%len(c.shared)]
	default:
		w.conversation = c.own
	}
	w.path = "/v1/conversations/" + w.conversation + "/messages"
	w.body = map[string]any{"text": text, "author": map[string]any{"type": []string{"customer", "agent"}[c.count%2]}}
	return w
}

// send sends a write, which stays open until it is acknowledged.
func (c *caller) send(ctx context.Context, to *testkit.Process, w *posted) error {
	c.open = w
	a, err := to.Do(ctx, w.method, w.path, w.body, "Idempotency-Key", w.key)
	if err != nil {
		return err
	}
	if a.Status >= 300 {
		return fmt.Errorf("%s %s: %d %s", w.method, w.path, a.Status, a.Raw)
	}
	if w.position, err = events.ParsePosition(a.Str("position")); err != nil {
		return fmt.Errorf("%s %s: %s: %w", w.method, w.path, a.Raw, err)
	}
	if w.conversation == "" {
		w.conversation = a.Str("id")
		c.own = w.conversation
	}
	c.open, c.acked = nil, append(c.acked, w)
	return nil
}

func crashRounds(t *testing.T) int {
	t.Helper()
	if said := os.Getenv("TIDEMARK_CRASH_ROUNDS"); said != "" {
		n, err := strconv.Atoi(said)
		if err != nil || n < 1 {
			t.Fatalf("TIDEMARK_CRASH_ROUNDS=%q is not a number of rounds", said)
		}
		return n
	}
	if testing.Short() {
		return 3
	}
	return 20
}

// The server is killed at random moments under load, again and again on the same directory. Whatever it acknowledged
// is in the log once and in its place; what it did not is there at most once, also after the client has tried again.
// In the end every read model shows what a replay of the log gives.
func TestCrashRounds(t *testing.T) {
	t.Parallel()
	dir := testkit.Dir(t)
	s := tidemark(t).Serve(t, dir)
	agents := []string{"admin", s.OK(t, "POST", "/v1/agents", map[string]any{"name": "Second", "email": "second@example.com"}).Str("id")}
	caughtUp(t, s) // so that there is a database that can outlive the first crash
	var shared []string
	for i := range crashShared {
		shared = append(shared, s.OK(t, "POST", "/v1/conversations", map[string]any{
			"channel": "chat", "customer": map[string]any{"name": "Shared"}, "message": map[string]any{"text": fmt.Sprint("shared ", i)},
		}).Str("id"))
	}
	callers := make([]*caller, crashCallers)
	for i := range callers {
		callers[i] = &caller{name: fmt.Sprint("caller", i), shared: shared, agents: agents}
	}
	check := &logCheck{seen: map[string]uint64{}}
	rounds := crashRounds(t)
	for round := range rounds {
		crashUnderLoad(t, s, callers)
		check.round(t, dir, callers)
		s = tidemark(t).Serve(t, dir)
		if round == 0 {
			testkit.Until(t, "the database that outlived the crash is taken over", func() bool { return adopted(s) })
		}
		retryOpen(t, s, callers)
	}
	checkReadModels(t, s, dir, callers)
	t.Logf("%d rounds, %d acknowledged writes, %d events", rounds, check.acked, check.through)
}

// crashUnderLoad lets all callers write, and kills the server after some of the acknowledgements.
func crashUnderLoad(t *testing.T, s *testkit.Process, callers []*caller) {
	t.Helper()
	left := atomic.Int64{}
	left.Store(int64(100 + rand.IntN(900)))
	var all sync.WaitGroup
	for _, c := range callers {
		all.Go(func() {
			for {
				if err := c.send(t.Context(), s, c.next()); err != nil {
					if left.Load() > 0 {
						t.Errorf("before the server was killed: %v", err)
						left.Store(0)
						s.Kill()
					}
					return
				}
				if left.Add(-1) == 0 {
					s.Kill()
				}
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// retryOpen sends again what was not acknowledged, with the same keys.
func retryOpen(t *testing.T, s *testkit.Process, callers []*caller) {
	t.Helper()
	var all sync.WaitGroup
	for _, c := range callers {
		if c.open != nil {
			all.Go(func() {
				if err := c.send(t.Context(), s, c.open); err != nil {
					t.Errorf("the second try: %v", err)
				}
			})
		}
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// logCheck holds the log against what was acknowledged. It reads on where the last round ended.
type logCheck struct {
	through uint64
	seen    map[string]uint64 // sequence by command, type and aggregate
	acked   int
}

func (l *logCheck) round(t *testing.T, dir string, callers []*caller) {
	t.Helper()
	log, err := eventlog.Open(t.Context(), eventlog.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	at := map[uint64]string{} // commands of this round's events
	eachEvent(t, log, l.through, func(e *events.Recorded) {
		at[e.Sequence], l.through = e.Command, e.Sequence
		if e.Kind != events.KindConversation {
			return
		}
		id := e.Command + " " + e.Event.EventType() + " " + e.Subject(1)
		if before, twice := l.seen[id]; twice {
			t.Errorf("%s is in the log at %d and at %d", id, before, e.Sequence)
		}
		l.seen[id] = e.Sequence
	})
	for _, c := range callers {
		var last uint64
		for _, w := range c.acked {
			if got, there := at[w.position.Sequence]; there && got != w.commandID() || w.position.Sequence > l.through {
				t.Errorf("%s was acknowledged at %d, and there is %q", w.key, w.position.Sequence, got)
			}
			if w.position.Sequence <= last {
				t.Errorf("%s was acknowledged at %d, after %d", w.key, w.position.Sequence, last)
			}
			last = w.position.Sequence
		}
	}
	l.acked = 0
	for _, c := range callers {
		l.acked += len(c.acked)
	}
}

// eachEvent reads the log behind a sequence.
func eachEvent(t *testing.T, log *eventlog.Log, after uint64, fn func(e *events.Recorded)) {
	t.Helper()
	for from := after + 1; ; {
		b, err := log.Block(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		if b.Next == from {
			return
		}
		for i := range b.Events {
			fn(&b.Events[i])
		}
		from = b.Next
	}
}

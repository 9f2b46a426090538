package presence_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/aggregates"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/agent"
	"github.com/tidemark-desk/tidemark/internal/domain/org"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/presence"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// office is a log with an org, and processes on it.
type office struct {
	t   *testing.T
	log *eventlog.Log
}

func setup(t *testing.T) *office {
	t.Helper()
	o := &office{t, testkit.Log(t)}
	loop := command.NewLoop(o.log, command.Options{})
	m := command.Meta{Actor: events.Actor{Type: events.ActorSystem}}
	if _, err := aggregates.Orgs(loop).Handle(t.Context(), "acme", "acme", m, org.Create{Name: "Acme", Secret: make([]byte, org.SecretSize)}); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := aggregates.Agents(loop).Handle(t.Context(), "acme", fmt.Sprint("a", i), m, agent.Create{
			Name: "A", Email: fmt.Sprintf("a%d@acme.example", i), Role: events.RoleAgent, Capacity: 1,
		}); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// process starts a process and gives it, and its end.
func (o *office) process() (*presence.Presence, func()) {
	o.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(o.t.Context()))
	dir := directory.New(o.log, nil)
	p := presence.New(presence.Deps{
		Conn: o.log.Conn(), Agents: aggregates.Agents(command.NewLoop(o.log, command.Options{})), Directory: dir,
		Logger: slog.New(slog.DiscardHandler), Grace: 500 * time.Millisecond,
	})
	ended := make(chan error, 2)
	go func() { ended <- dir.Run(ctx) }()
	go func() { ended <- p.Run(ctx) }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				o.t.Error(err)
			}
		}
	}
	o.t.Cleanup(stop)
	return p, stop
}

// changes is what was written of an agent's presence until the n-th change.
func (o *office) changes(id string, n int) []string {
	o.t.Helper()
	var got []string
	enough := errors.New("enough")
	err := o.log.Tail(o.t.Context(), eventlog.Filter{Org: "acme", Kinds: []events.Kind{events.KindAgent}, ID: id}, 0, nil, func(e events.Recorded) error {
		if _, made := e.Event.(events.AgentCreated); made {
			return nil
		}
		got = append(got, e.Event.EventType())
		if len(got) == n {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		o.t.Fatal(err)
	}
	return got
}

const (
	connected    = "agent.connected.v1"
	disconnected = "agent.disconnected.v1"
)

// TestWhoIsAtTheirDesk: by a stream in any process; gone is who has none in any of them. Several processes see the same and
// write it once.
func TestWhoIsAtTheirDesk(t *testing.T) {
	t.Parallel()
	o := setup(t)
	first, stopFirst := o.process()
	second, _ := o.process()
	for i := range 1500 { // more than go into one message, and a0 is in the last of them
		defer second.Opened("acme", fmt.Sprint("A", i))()
	}
	here := first.Opened("acme", "a0")
	o.changes("a0", 1)
	there := second.Opened("acme", "a0")
	here()
	// As long as a1 needs to come and to be taken for gone, a0 is there, in the other process.
	for n := 1; n <= 3; n++ {
		first.Opened("acme", "a1")()
		closed := first.Opened("acme", "a1")
		o.changes("a1", 2*n-1)
		closed()
		o.changes("a1", 2*n)
	}
	there()
	if got := o.changes("a0", 2); !slices.Equal(got, []string{connected, disconnected}) {
		t.Errorf("%v", got)
	}
	if got := o.changes("a1", 6); !slices.Equal(got, []string{connected, disconnected, connected, disconnected, connected, disconnected}) {
		t.Errorf("%v", got)
	}
	// A process that is killed says no good-bye; those that are left notice its silence.
	_ = first.Opened("acme", "a2")
	o.changes("a2", 1)
	stopFirst()
	if got := o.changes("a2", 2); got[1] != disconnected {
		t.Errorf("%v", got)
	}
}

// TestAfterEverythingWasKilled: who was connected and does not come back is noticed by whoever starts next.
func TestAfterEverythingWasKilled(t *testing.T) {
	t.Parallel()
	o := setup(t)
	p, kill := o.process()
	_, _ = p.Opened("acme", "a0"), p.Opened("acme", "a1")
	o.changes("a0", 1)
	o.changes("a1", 1)
	kill()
	p, _ = o.process()
	defer p.Opened("acme", "a1")()
	if got := o.changes("a0", 2); got[1] != disconnected {
		t.Errorf("%v", got)
	}
	if s, _, err := aggregates.Agents(command.NewLoop(o.log, command.Options{})).State(t.Context(), "acme", "a1"); err != nil || !s.Connected {
		t.Errorf("a1, who came back: %+v %v", s, err)
	}
}

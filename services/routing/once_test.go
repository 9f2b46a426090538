package routing_test

import (
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections/reactortest"
)

// commands fails when any command of routing appears in the log more than once.
func (f floor) commands(t *testing.T) map[string]int {
	t.Helper()
	seen := map[string]int{}
	for _, r := range f.History {
		if r.Actor.Type == events.ActorRouting {
			if seen[r.Command]++; seen[r.Command] > 1 {
				t.Errorf("command %s happened again: %T of %s", r.Command, r.Event, r.Aggregate.ID)
			}
		}
	}
	return seen
}

func TestRestartsDoNothingTwice(t *testing.T) {
	t.Parallel()
	o := setup(t).office(4, "ann", "bob")
	o.presence("ann", events.PresenceOnline)
	list := ids(12)
	o.open(list[:6]...)
	p := o.start()
	o.until("some are given out", func(f floor) bool { return len(f.given()) >= 2 })
	p.stop() // in the middle

	o.open(list[6:]...)
	o.presence("bob", events.PresenceOnline)
	p = o.start()
	o.until("everybody is busy", func(f floor) bool { return f.has("ann") == 4 && f.has("bob") == 4 })
	p.stop()

	o.presence("ann", events.PresenceOffline)
	p = o.start()
	o.until("ann is relieved", func(f floor) bool { return f.has("ann") == 0 })
	f := o.settle(p)
	p.stop()
	f.commands(t)
	if f.has("bob") != 4 || f.has("") != 8 {
		t.Errorf("bob has %d, %d wait", f.has("bob"), f.has(""))
	}

	before := testkit.Head(t, o.log)
	p = o.start()
	o.settle(p)
	if after := testkit.Head(t, o.log); after != before {
		t.Errorf("a restart with nothing to do wrote %d events", after-before)
	}
}

// A database that knows nothing sees the whole log for the first time. What was done is not done again.
func TestReplayDoesNothingTwice(t *testing.T) {
	t.Parallel()
	o := setup(t).office(3, "ann", "bob")
	o.presence("ann", events.PresenceOnline)
	p := o.start()
	o.open(ids(5)...)
	o.until("ann is busy", func(f floor) bool { return f.has("ann") == 3 })
	o.presence("bob", events.PresenceOnline)
	o.until("all are given out", func(f floor) bool { return f.has("") == 0 })
	o.presence("ann", events.PresenceOffline)
	o.until("bob is busy", func(f floor) bool { return f.has("bob") == 3 && f.has("ann") == 0 })
	o.do("c00", conversation.Close{Reason: "done"})
	o.settle(p)
	p.stop()

	before := testkit.Head(t, o.log)
	o.database = reactortest.Database(t)
	p = o.start()
	f := o.settle(p)
	f.commands(t)
	if after := testkit.Head(t, o.log); after != before {
		t.Errorf("the replay wrote %d events: %v", after-before, f.History[len(f.History)-1])
	}
}

func TestOfTwoProcessesOneAssigns(t *testing.T) {
	t.Parallel()
	o := setup(t).office(10, "ann", "bob", "cyd")
	one, two := o.start(), o.start()
	for _, a := range []string{"ann", "bob", "cyd"} {
		o.presence(a, events.PresenceOnline)
	}
	list := ids(30)
	o.open(list[:15]...)
	o.until("some are given out", func(f floor) bool { return len(f.given()) >= 5 })
	one.stop()
	o.open(list[15:]...)
	o.until("the other goes on", func(f floor) bool { return f.has("") == 0 && len(f.Conversations) == 30 })
	one = o.start()
	two.stop()
	o.presence("ann", events.PresenceOffline)
	f := o.until("and the first again", func(f floor) bool { return f.has("ann") == 0 && f.has("") == 10 })
	f.commands(t)
	f = o.settle(one)
	for _, a := range []string{"bob", "cyd"} {
		if f.has(a) != 10 {
			t.Errorf("%s has %d conversations, and can hold 10", a, f.has(a))
		}
	}
}

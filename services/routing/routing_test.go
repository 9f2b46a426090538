package routing_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/agent"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/domain/queue"
	"github.com/tidemark-desk/tidemark/projections/reactortest"
	"github.com/tidemark-desk/tidemark/services/routing"
)

func TestWhatIsOpenedReachesAnAgent(t *testing.T) {
	t.Parallel()
	o := setup(t).office(2, "ann", "bob")
	o.start()
	o.presence("ann", events.PresenceOnline)
	o.presence("bob", events.PresenceOnline)
	o.open(ids(5)...)
	f := o.until("four of five are given out", func(f floor) bool { return f.has("ann") == 2 && f.has("bob") == 2 })

	for _, r := range f.History {
		switch e := r.Event.(type) {
		case events.ConversationQueued:
			if e.QueueID != o.queue || e.Reason != routing.ReasonDefaultQueue || r.Actor.Type != events.ActorRouting {
				t.Errorf("%s: queued %+v by %s", r.Aggregate.ID, e, r.Actor)
			}
		case events.ConversationAssigned:
			if r.Command != "routing:"+r.Aggregate.ID+":2" || e.Reason != routing.ReasonSpareCapacity || r.Cause == 0 {
				t.Errorf("%s: assigned %+v by command %s, cause %d", r.Aggregate.ID, e, r.Command, r.Cause)
			}
		}
	}

	// Closing one makes room for the one that waits.
	for id, a := range f.assignees() {
		if a == "ann" {
			o.do(id, conversation.Close{Reason: "done"})
			break
		}
	}
	o.until("the fifth is given out", func(f floor) bool { return len(f.given()) == 5 && f.has("") == 0 })
}

func TestWaitingWorkIsGivenOutByPriorityThenAge(t *testing.T) {
	t.Parallel()
	o := setup(t).office(1, "ann")
	p := o.start()
	o.open("old", "young", "urgent")
	o.do("urgent", conversation.SetPriority{Priority: events.PriorityUrgent, Reason: "vip"})
	o.settle(p)
	o.presence("ann", events.PresenceOnline)
	for _, next := range []string{"urgent", "old", "young"} {
		o.until("the next in line is "+next, func(f floor) bool { return f.assignees()[next] == "ann" })
		o.do(next, conversation.Close{Reason: "done"})
	}
	f := o.settle(p)
	if want := []string{"urgent>ann", "old>ann", "young>ann"}; !slices.Equal(f.given(), want) {
		t.Fatalf("given out %v, want %v", f.given(), want)
	}
}

func TestWhoLeavesIsRelieved(t *testing.T) {
	t.Parallel()
	o := setup(t).office(10, "ann", "bob")
	p := o.start()
	o.presence("ann", events.PresenceOnline)
	o.open("c1", "c2")
	o.until("ann has both", func(f floor) bool { return f.has("ann") == 2 })
	o.presence("ann", events.PresenceAway)
	o.open("later")
	if f := o.settle(p); f.has("ann") != 2 || f.has("") != 1 {
		t.Fatalf("away: keeps what she has, gets nothing new; but %v", f.assignees())
	}
	o.presence("ann", events.PresenceOffline)
	f := o.until("all wait again", func(f floor) bool { return f.has("") == 3 })
	for _, r := range f.History {
		if e, ok := r.Event.(events.ConversationUnassigned); ok && e.Reason != routing.ReasonAgentOffline {
			t.Errorf("%s was taken back because of %q", r.Aggregate.ID, e.Reason)
		}
	}
	o.settle(p)
	o.presence("bob", events.PresenceOnline)
	f = o.until("bob has all", func(f floor) bool { return f.has("bob") == 3 })
	for id, s := range f.Conversations {
		if s.QueueID != o.queue {
			t.Errorf("%s lost its queue", id)
		}
	}
}

// What was taken back goes to the front: it has waited for longest, although it came back last.
func TestTakenBackGoesToTheFront(t *testing.T) {
	t.Parallel()
	o := setup(t).office(1, "ann", "bob")
	p := o.start()
	o.presence("ann", events.PresenceOnline)
	o.open("first")
	o.until("ann has it", func(f floor) bool { return f.has("ann") == 1 })
	o.open("second", "third")
	o.settle(p)
	o.presence("ann", events.PresenceOffline)
	o.until("it is back", func(f floor) bool { return f.has("ann") == 0 })
	o.settle(p)
	o.presence("bob", events.PresenceOnline)
	f := o.until("bob has one", func(f floor) bool { return f.has("bob") == 1 })
	if f.assignees()["first"] != "bob" {
		t.Fatalf("bob was given %v, want the first", f.given())
	}
}

// Presence and assignments are events of different aggregates: nobody has work while offline, whoever gave it to him
// and whichever is seen first.
func TestWorkGivenToSomebodyOfflineComesBack(t *testing.T) {
	t.Parallel()
	o := setup(t).office(5, "ann")
	p := o.start()
	o.open("c")
	o.settle(p)
	o.do("c", conversation.Assign{AgentID: "ann", Reason: "by_hand"})
	o.until("it comes back", func(f floor) bool { return len(f.History) > 3 && f.has("") == 1 })
	// And again: the same taking back of a later assignment is another command.
	o.do("c", conversation.Assign{AgentID: "ann", Reason: "by_hand"})
	f := o.settle(p)
	if f.has("") != 1 {
		t.Fatalf("somebody offline has %v", f.assignees())
	}
}

func TestQueues(t *testing.T) {
	t.Parallel()
	o := setup(t).office(5, "ann")
	p := o.start()
	o.ok(o.queues.Handle(t.Context(), o.org, "second", person(), queue.Create{Name: "Second"}))
	o.presence("ann", events.PresenceOnline)
	o.open("a", "b")
	o.until("both are given out", func(f floor) bool { return f.has("ann") == 2 })
	// Into another queue it leaves its agent, and nobody works there.
	o.do("a", conversation.Queue{QueueID: "second", Reason: "by_hand"})
	if f := o.settle(p); f.assignees()["a"] != "" || f.assignees()["b"] != "ann" {
		t.Fatalf("%v", f.assignees())
	}
	o.ok(o.queues.Handle(t.Context(), o.org, "second", person(), queue.AddMember{AgentID: "ann"}))
	o.until("a member takes it up", func(f floor) bool { return f.assignees()["a"] == "ann" })
	// A queue that is archived with work in it lets none of it starve.
	o.ok(o.agents.Handle(t.Context(), o.org, "ann", person(), agent.SetCapacity{Capacity: 2}))
	o.open("c")
	o.do("c", conversation.Queue{QueueID: "second", Reason: "by_hand"})
	o.settle(p)
	o.ok(o.queues.Handle(t.Context(), o.org, "second", person(), queue.Archive{Reason: "merged teams"}))
	o.until("it is placed anew", func(f floor) bool { return f.Conversations["c"].QueueID == o.queue })
}

func TestSnoozeEndsOnTime(t *testing.T) {
	t.Parallel()
	o := setup(t).office(5, "ann")
	p := o.start()
	o.open("short", "moved", "closed")
	o.settle(p)
	soon := 200 * time.Millisecond
	snooze := func(id string, d time.Duration) {
		o.do(id, conversation.Snooze{Until: o.now().Add(d), Now: o.now(), Reason: "later"})
	}
	snooze("moved", soon)
	snooze("moved", time.Hour) // the first timer means nothing any more
	snooze("closed", soon)
	o.do("closed", conversation.Close{Reason: "done"})
	snooze("short", 2*soon) // ends after the timers that must not ring
	o.until("the short one wakes", func(f floor) bool {
		return slices.ContainsFunc(f.woken(), func(r events.Recorded) bool { return r.Aggregate.ID == "short" })
	})
	o.settle(p)
	o.presence("ann", events.PresenceOnline)
	f := o.until("the woken one is given out", func(f floor) bool { return f.assignees()["short"] == "ann" })
	woken := f.woken()
	if len(woken) != 1 || woken[0].Aggregate.ID != "short" {
		t.Fatalf("woken %+v, want the short one alone", woken)
	}
	if e, ok := woken[0].Event.(events.ConversationWoke); !ok || e.Reason != routing.ReasonSnoozeElapsed || !strings.HasPrefix(woken[0].Command, "wake:short:") {
		t.Errorf("woke by %+v of command %s", woken[0].Event, woken[0].Command)
	}
	if f.Conversations["moved"].Status != events.StatusSnoozed || f.Conversations["closed"].Status != events.StatusClosed {
		t.Errorf("a timer rang that should not: %+v", f.Conversations)
	}
}

// More than one look deals with is dealt with all the same, to the last, and nothing twice.
func TestABacklogIsPlacedToTheLast(t *testing.T) {
	t.Parallel()
	o := setup(t).office(100, "ann")
	const all = 300
	o.open(ids(all)...)
	p := o.start()
	f := o.until("all are placed", func(f floor) bool {
		placed := 0
		for _, s := range f.Conversations {
			if s.QueueID == o.queue {
				placed++
			}
		}
		return placed == all
	})
	f.commands(t)
	o.presence("ann", events.PresenceOnline)
	o.until("ann has what she can hold", func(f floor) bool { return f.has("ann") == 100 })
	if f = o.settle(p); f.has("ann") != 100 {
		t.Fatalf("ann has %d", f.has("ann"))
	}
	f.commands(t)
}

// TestErasedIsNobodysWork: what was erased neither waits, nor counts as an agent's load, nor wakes; and it stays so when
// the tables are made anew from a log in which only the tombstones are left.
func TestErasedIsNobodysWork(t *testing.T) {
	t.Parallel()
	o := setup(t).office(1, "ann")
	p := o.start()
	o.presence("ann", events.PresenceOnline)
	o.open("held")
	o.until("ann has it", func(f floor) bool { return f.has("ann") == 1 })
	o.open("waits", "sleeps", "last")
	o.do("sleeps", conversation.Snooze{Until: o.now().Add(time.Hour), Now: o.now(), Reason: "later"})
	o.settle(p)
	erase := func(id string) {
		o.do(id, conversation.Erase{Reason: "customer_erased"})
		a := events.Aggregate{Org: o.org, Kind: events.KindConversation, ID: id}
		_, seq, err := o.conversations.State(t.Context(), o.org, id)
		if err == nil {
			err = o.log.PurgeBefore(t.Context(), a, seq)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	erase("waits")
	erase("sleeps")
	o.settle(p)
	erase("held") // and ann is free for the only one that is left
	o.until("ann has the last one", func(f floor) bool { return f.assignees()["last"] == "ann" })
	o.settle(p)
	rows := func(p *process) (items, timers int) {
		err := p.pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM routing.work_items WHERE org = $1),
			(SELECT count(*) FROM tidemark.intents WHERE org = $1 AND kind = 'wake')`, o.org).Scan(&items, &timers)
		if err != nil {
			t.Fatal(err)
		}
		return items, timers
	}
	if items, timers := rows(p); items != 1 || timers != 0 {
		t.Errorf("%d work items and %d timers are left, want the last one alone", items, timers)
	}
	p.stop()
	o.database = reactortest.Database(t)
	p = o.start()
	o.settle(p)
	if items, timers := rows(p); items != 1 || timers != 0 {
		t.Errorf("made anew: %d work items and %d timers", items, timers)
	}
}

func TestBurstCap(t *testing.T) {
	t.Parallel()
	const most, all = 3, 8
	o := setup(t).office(100, "ann")
	p := o.start(func(d *routing.Deps) { d.Burst, d.BurstWindow = most, 100*time.Millisecond })
	o.open(ids(all)...)
	o.settle(p)
	o.presence("ann", events.PresenceOnline)
	f := o.until("all are given out in the end", func(f floor) bool { return f.has("ann") == all })
	var times []time.Time
	for _, r := range f.History {
		if _, ok := r.Event.(events.ConversationAssigned); ok {
			times = append(times, r.Time)
		}
	}
	// Of any four assignments in a row the first and the last lie a window apart.
	for i := most; i < len(times); i++ {
		if d := times[i].Sub(times[i-most]); d < 90*time.Millisecond {
			t.Errorf("assignments %d to %d came within %v", i-most, i, d)
		}
	}
}

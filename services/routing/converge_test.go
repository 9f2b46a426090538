package routing_test

import (
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
)

// Whatever people do at the same time, and in whatever order routing sees it, once everything is seen: nobody who is
// offline has work, nothing waits while somebody is free, nothing waits in no queue, and nothing was done twice.
func TestEveryInterleavingConverges(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.start()
	agents := []string{"ann", "bob", "cyd"}
	cases := 0
	rapid.Check(t, func(rt *rapid.T) {
		if cases++; cases > 15 { // each waits for a database and a log many times
			return
		}
		const capacity = 3
		o := b.office(capacity, agents...)
		var all sync.WaitGroup
		script := func(steps []string, do func(string)) {
			all.Go(func() {
				for _, s := range steps {
					do(s)
				}
			})
		}
		for _, a := range agents {
			steps := rapid.SliceOfN(rapid.SampledFrom([]string{"online", "offline", "away"}), 1, 4).Draw(rt, a)
			script(steps, func(s string) { o.presence(a, events.Presence(s)) })
		}
		for i := range rapid.IntRange(1, 6).Draw(rt, "conversations") {
			id := fmt.Sprint("c", i)
			steps := rapid.SliceOfN(rapid.SampledFrom([]string{"message", "close", "reopen", "hand back", "snooze", "wake", "to ann"}), 0, 4).Draw(rt, id)
			script(append([]string{"open"}, steps...), func(s string) { o.act(id, s) })
		}
		all.Wait()
		f := o.settle(p)
		o.check(rt, f, agents)
	})
}

func (o *office) act(id, what string) {
	var c conversation.Command
	switch what {
	case "open":
		c = conversation.Open{CustomerID: "customer", Channel: events.ChannelChat}
	case "message":
		c = conversation.ReceiveMessage{MessageID: events.NewID(), Text: "hello"}
	case "close":
		c = conversation.Close{Reason: "done"}
	case "reopen":
		c = conversation.Reopen{Reason: "again"}
	case "hand back":
		c = conversation.Unassign{Reason: "by_hand"}
	case "snooze":
		c = conversation.Snooze{Until: o.now().AddDate(1, 0, 0), Now: o.now(), Reason: "later"}
	case "wake":
		c = conversation.Wake{Reason: "by_hand"}
	case "to ann":
		c = conversation.Assign{AgentID: "ann", Reason: "by_hand"}
	}
	if r, err := o.conversations.Handle(o.Context(), o.org, id, person(), c); err == nil { // a refusal is as good as anything here
		o.ok(r, nil)
	}
}

func (o *office) check(t *rapid.T, f floor, agents []string) {
	t.Helper()
	free := ""
	for _, name := range agents {
		a, _, err := o.agents.State(o.Context(), o.org, name)
		if err != nil {
			t.Fatal(err)
		}
		switch n := f.has(name); {
		case a.Presence == events.PresenceOffline && n > 0:
			t.Errorf("%s is offline and has %d: %v", name, n, f.assignees())
		case a.Presence == events.PresenceOnline && n < a.Capacity:
			free = name
		}
	}
	if free != "" && f.has("") > 0 {
		t.Errorf("%s is free while %d wait: %v", free, f.has(""), f.assignees())
	}
	for id, s := range f.Conversations {
		if s.Status == events.StatusOpen && s.QueueID == "" && s.AssigneeID == "" {
			t.Errorf("%s is in no queue", id)
		}
	}
	seen := map[string]bool{}
	for _, r := range f.History {
		if r.Actor.Type == events.ActorRouting {
			if seen[r.Command] {
				t.Errorf("command %s happened twice", r.Command)
			}
			seen[r.Command] = true
		}
	}
}

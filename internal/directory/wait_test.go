package directory_test

import (
	"context"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// Whoever decides about an event by the configuration waits for a sequence that is not configuration at all.
func TestWaitForAnyKindOfEvent(t *testing.T) {
	t.Parallel()
	log := testkit.Log(t)
	add := func(kind events.Kind, id string, e events.Event) uint64 {
		ends, err := log.Append(t.Context(), eventlog.Write{
			Aggregate: events.Aggregate{Org: "org", Kind: kind, ID: id},
			Drafts:    []events.Draft{{Metadata: events.Metadata{ID: events.NewID(), Time: time.Now(), Command: events.NewID(), Revision: 1}, Event: e}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return ends[0]
	}
	add(events.KindConversation, "c0", events.ConversationOpened{CustomerID: "x"})
	d := directory.New(log, nil)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	for _, id := range []string{"a", "b", "c"} {
		add(events.KindRule, id, events.RuleCreated{Name: id})
		last := add(events.KindConversation, "c"+id, events.ConversationOpened{CustomerID: "x"})
		if err := d.WaitFor(t.Context(), last); err != nil {
			t.Fatal(err)
		}
		if rules := d.Rules("org"); len(rules) == 0 || rules[len(rules)-1].ID != id {
			t.Fatalf("rule %s is older than event %d and is not there: %v", id, last, rules)
		}
	}
}

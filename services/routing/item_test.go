package routing

import (
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
)

// noon is when the conversations of these tests begin; event n of one happens n minutes later.
var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func history(facts ...events.Event) []events.Recorded {
	out := make([]events.Recorded, 0, len(facts))
	for i, f := range facts {
		out = append(out, events.Recorded{
			Aggregate: events.Aggregate{Org: "org", Kind: events.KindConversation, ID: "c"},
			Metadata:  events.Metadata{Revision: uint64(i + 1), Time: noon.Add(time.Duration(i+1) * time.Minute)},
			Event:     f,
		})
	}
	return out
}

func TestItemFold(t *testing.T) {
	t.Parallel()
	opened := events.ConversationOpened{}
	message := events.ConversationMessageReceived{}
	queued := events.ConversationQueued{QueueID: "q"}
	toAnn := events.ConversationAssigned{AgentID: "ann"}
	back := events.ConversationUnassigned{AgentID: "ann", Reason: "agent_offline"}
	closed := events.ConversationClosed{}
	reopened := events.ConversationReopened{}
	snoozed := events.ConversationSnoozed{}
	woke := events.ConversationWoke{}
	for _, tc := range []struct {
		Name    string
		Given   []events.Event
		Needs   bool
		Version uint64 // that names its next command
		Waiting int    // minutes after noon
	}{
		{Name: "opened", Given: []events.Event{opened}, Needs: true, Version: 1, Waiting: 1},
		{Name: "a message while in no queue asks anew", Given: []events.Event{opened, message}, Needs: true, Version: 2, Waiting: 1},
		{Name: "a message while queued asks nothing", Given: []events.Event{opened, queued, message}, Needs: true, Version: 2, Waiting: 1},
		{Name: "assigned", Given: []events.Event{opened, queued, toAnn}, Version: 2, Waiting: 1},
		{Name: "taken back keeps its place", Given: []events.Event{opened, queued, toAnn, back}, Needs: true, Version: 4, Waiting: 1},
		{Name: "another queue", Given: []events.Event{opened, queued, events.ConversationQueued{QueueID: "r"}}, Needs: true, Version: 3, Waiting: 1},
		{Name: "a priority asks nothing", Given: []events.Event{opened, queued, events.ConversationPrioritySet{Priority: events.PriorityUrgent}}, Needs: true, Version: 2, Waiting: 1},
		{Name: "closed", Given: []events.Event{opened, queued, closed}, Version: 2, Waiting: 1},
		{Name: "reopened waits from then", Given: []events.Event{opened, queued, closed, reopened}, Needs: true, Version: 4, Waiting: 4},
		{Name: "reopened with its agent", Given: []events.Event{opened, queued, toAnn, closed, reopened}, Version: 2, Waiting: 5},
		{Name: "snoozed", Given: []events.Event{opened, queued, snoozed}, Version: 2, Waiting: 1},
		{Name: "woke waits from then", Given: []events.Event{opened, queued, snoozed, woke}, Needs: true, Version: 4, Waiting: 4},
		{Name: "erased", Given: []events.Event{opened, queued, events.ConversationErased{}}, Version: 2, Waiting: 1},
		{Name: "erased while snoozed", Given: []events.Event{opened, queued, snoozed, events.ConversationErased{}}, Version: 2, Waiting: 1},
		{Name: "merged", Given: []events.Event{opened, events.ConversationMerged{}}, Version: 1, Waiting: 1},
	} {
		t.Run(tc.Name, func(t *testing.T) {
			t.Parallel()
			var it item
			for _, r := range history(tc.Given...) {
				it = it.evolve(r)
			}
			if it.needsWork() != tc.Needs || it.Version != tc.Version {
				t.Errorf("needs work %v at version %d, want %v at %d", it.needsWork(), it.Version, tc.Needs, tc.Version)
			}
			if want := noon.Add(time.Duration(tc.Waiting) * time.Minute); !it.WaitingSince.Equal(want) {
				t.Errorf("waiting since %v, want %v", it.WaitingSince, want)
			}
		})
	}
}

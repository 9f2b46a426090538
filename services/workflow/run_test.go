package workflow

import (
	"slices"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/directory"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func message(sequence uint64, text string, change func(*events.Recorded)) events.Recorded {
	r := events.Recorded{
		Aggregate: events.Aggregate{Org: "org", Kind: events.KindConversation, ID: "c"},
		Metadata:  events.Metadata{ID: "e", Time: noon, Actor: events.Actor{Type: events.ActorCustomer}},
		Sequence:  sequence, Event: events.ConversationMessageReceived{Text: text},
	}
	if change != nil {
		change(&r)
	}
	return r
}

func TestMeet(t *testing.T) {
	t.Parallel()
	refund := events.RuleDefinition{On: "conversation.message_received", Contains: "refund", Steps: []events.RuleStep{{Tag: "money"}}}
	returned := events.RuleDefinition{On: "conversation.message_received", Contains: "return", Steps: []events.RuleStep{{Tag: "goods"}}}
	rules := []directory.Rule{{ID: "r", Versions: []directory.RuleVersion{
		{From: 10, Revision: 1, RuleDefinition: refund},
		{From: 20, Revision: 2, RuleDefinition: returned},
		{From: 30, Revision: 3, RuleDefinition: returned, Disabled: true},
		{From: 40, Revision: 4, RuleDefinition: returned},
	}}}
	times := func(n int, ago time.Duration) []time.Time { return slices.Repeat([]time.Time{noon.Add(-ago)}, n) }
	for _, tc := range []struct {
		Name     string
		When     events.Recorded
		Recent   []time.Time
		State    string // empty: no run
		Reason   string
		Revision uint64
	}{
		{Name: "before there was the rule", When: message(9, "refund", nil)},
		{Name: "in force", When: message(11, "refund", nil), State: stateRunning, Revision: 1},
		{Name: "as it was then, not as it is now", When: message(19, "refund", nil), State: stateRunning, Revision: 1},
		{Name: "as it is now does not count for then", When: message(19, "return", nil)},
		{Name: "changed", When: message(21, "return", nil), State: stateRunning, Revision: 2},
		{Name: "disabled", When: message(31, "return", nil)},
		{Name: "enabled again", When: message(41, "return", nil), State: stateRunning, Revision: 4},
		{Name: "what came while it was disabled is not made up for", When: message(39, "return", nil)},
		{Name: "imported history", When: message(41, "return", func(r *events.Recorded) { r.Actor.Type = events.ActorImport })},
		{Name: "two automations deep", When: message(41, "return", func(r *events.Recorded) { r.Depth = 2 }), State: stateRunning, Revision: 4},
		{Name: "too deep", When: message(41, "return", func(r *events.Recorded) { r.Depth = 3 }), State: stateSuppressed, Reason: reasonDepth, Revision: 4},
		{Name: "within the budget", When: message(41, "return", nil), Recent: times(19, time.Minute), State: stateRunning, Revision: 4},
		{Name: "budget spent", When: message(41, "return", nil), Recent: times(20, time.Minute), State: stateSuppressed, Reason: reasonBudget, Revision: 4},
		{Name: "budget spent long ago", When: message(41, "return", nil), Recent: times(20, time.Hour), State: stateRunning, Revision: 4},
	} {
		t.Run(tc.Name, func(t *testing.T) {
			t.Parallel()
			runs := meet(rules, tc.When, tc.Recent, Limits{Depth: 3, Budget: 20, Window: time.Hour})
			if tc.State == "" {
				if len(runs) > 0 {
					t.Fatalf("started %+v", runs)
				}
				return
			}
			if len(runs) != 1 || runs[0].State != tc.State || runs[0].Reason != tc.Reason || runs[0].Version.Revision != tc.Revision {
				t.Fatalf("runs %+v", runs)
			}
			if suppressed := tc.State == stateSuppressed; suppressed != (len(runs[0].intents()) == 0) {
				t.Errorf("intents %+v", runs[0].intents())
			}
		})
	}
}

// The budget counts the runs that one event starts, too.
func TestMeetCountsWithinOneEvent(t *testing.T) {
	t.Parallel()
	var rules []directory.Rule
	for _, id := range []string{"a", "b", "c"} {
		rules = append(rules, directory.Rule{ID: id, Versions: []directory.RuleVersion{{From: 1, RuleDefinition: events.RuleDefinition{On: "conversation.message_received"}}}})
	}
	var states []string
	seen := map[string]bool{}
	for _, n := range meet(rules, message(2, "hello", nil), nil, Limits{Depth: 3, Budget: 2, Window: time.Hour}) {
		states = append(states, n.State)
		seen[n.ID] = true
	}
	if !slices.Equal(states, []string{stateRunning, stateRunning, stateSuppressed}) || len(seen) != 3 {
		t.Fatalf("states %v, %d ids", states, len(seen))
	}
}

func TestIntentsNameTheirStep(t *testing.T) {
	t.Parallel()
	n := run{
		ID: "id", RuleID: "r", State: stateRunning, Event: message(7, "x", func(r *events.Recorded) { r.Depth = 1 }),
		Version: directory.RuleVersion{RuleDefinition: events.RuleDefinition{Steps: []events.RuleStep{{Tag: "a"}, {Reply: "b"}}}},
	}
	var ids []string
	for _, i := range n.intents() {
		if i.Key != "c" || i.Cause != 7 || i.Depth != 2 {
			t.Errorf("intent %+v", i)
		}
		ids = append(ids, i.ID)
		r := events.Recorded{Metadata: events.Metadata{Command: i.ID, Actor: events.Actor{Type: events.ActorWorkflow}}}
		if run, number, ok := stepOf(r); !ok || run != "id" || number != len(ids)-1 {
			t.Errorf("%s reads as step %d of %q, %v", i.ID, number, run, ok)
		}
		r.Actor.Type = events.ActorCustomer
		if _, _, ok := stepOf(r); ok {
			t.Error("a client's command passed for a step")
		}
	}
	if !slices.Equal(ids, []string{"run:id:00", "run:id:01"}) {
		t.Fatalf("ids %v", ids)
	}
}

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
		Name       string
		When       events.Recorded
		Recent     []time.Time
		Suppressed string
		Revision   uint64 // 0: no run
	}{
		{Name: "before there was the rule", When: message(9, "refund", nil)},
		{Name: "in force", When: message(11, "refund", nil), Revision: 1},
		{Name: "as it was then, not as it is now", When: message(19, "refund", nil), Revision: 1},
		{Name: "as it is now does not count for then", When: message(19, "return", nil)},
		{Name: "changed", When: message(21, "return", nil), Revision: 2},
		{Name: "disabled", When: message(31, "return", nil)},
		{Name: "enabled again", When: message(41, "return", nil), Revision: 4},
		{Name: "what came while it was disabled is not made up for", When: message(39, "return", nil)},
		{Name: "imported history", When: message(41, "return", func(r *events.Recorded) { r.Actor.Type = events.ActorImport })},
		{Name: "two automations deep", When: message(41, "return", func(r *events.Recorded) { r.Depth = 2 }), Revision: 4},
		{Name: "too deep", When: message(41, "return", func(r *events.Recorded) { r.Depth = 3 }), Suppressed: reasonDepth, Revision: 4},
		{Name: "within the budget", When: message(41, "return", nil), Recent: times(19, time.Minute), Revision: 4},
		{Name: "budget spent", When: message(41, "return", nil), Recent: times(20, time.Minute), Suppressed: reasonBudget, Revision: 4},
		{Name: "budget spent long ago", When: message(41, "return", nil), Recent: times(20, time.Hour), Revision: 4},
	} {
		t.Run(tc.Name, func(t *testing.T) {
			t.Parallel()
			runs := meet(rules, tc.When, tc.Recent, Limits{Depth: 3, Budget: 20, Window: time.Hour})
			if tc.Revision == 0 {
				if len(runs) > 0 {
					t.Fatalf("started %+v", runs)
				}
				return
			}
			if len(runs) != 1 || runs[0].Suppressed != tc.Suppressed || runs[0].Version.Revision != tc.Revision {
				t.Fatalf("runs %+v", runs)
			}
			if suppressed := tc.Suppressed != ""; suppressed != (len(runs[0].intents()) == 0) {
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
	var suppressed []string
	seen := map[string]bool{}
	for _, n := range meet(rules, message(2, "hello", nil), nil, Limits{Depth: 3, Budget: 2, Window: time.Hour}) {
		suppressed = append(suppressed, n.Suppressed)
		seen[n.ID] = true
	}
	if !slices.Equal(suppressed, []string{"", "", reasonBudget}) || len(seen) != 3 {
		t.Fatalf("suppressed %q, %d ids", suppressed, len(seen))
	}
}

func TestIntentsNameTheirStep(t *testing.T) {
	t.Parallel()
	n := run{
		ID: "id", RuleID: "r", Event: message(7, "x", func(r *events.Recorded) { r.Depth = 1 }),
		Version: directory.RuleVersion{RuleDefinition: events.RuleDefinition{Steps: []events.RuleStep{{Tag: "a"}, {Reply: "b"}}}},
	}
	var ids []string
	for _, i := range n.intents() {
		if i.Key != "c" || i.Cause != 7 || i.Depth != 2 {
			t.Errorf("intent %+v", i)
		}
		ids = append(ids, i.ID)
		r := events.Recorded{Metadata: events.Metadata{Command: i.ID, Actor: events.Actor{Type: events.ActorWorkflow}}}
		if k, came, ok := stepOf(r); !ok || k != (stepKey{"id", len(ids) - 1}) || came != (outcome{}) {
			t.Errorf("%s reads as step %+v, %+v, %v", i.ID, k, came, ok)
		}
		r.Event = events.RunStepRefused{Reason: "no"}
		if _, came, _ := stepOf(r); came != (outcome{refused: true, reason: "no"}) {
			t.Errorf("a refusal reads as %+v", came)
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

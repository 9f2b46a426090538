package directory

import (
	"testing"

	"github.com/tidemark-desk/tidemark/events"
)

func TestRuleAt(t *testing.T) {
	t.Parallel()
	words := func(s string) events.RuleDefinition { return events.RuleDefinition{Contains: s} }
	var r Rule
	for i, e := range []events.Event{
		events.RuleCreated{RuleDefinition: words("a")},
		events.RuleChanged{RuleDefinition: words("b")},
		events.RuleDisabled{},
		events.RuleChanged{RuleDefinition: words("c")}, // while disabled
		events.RuleEnabled{},
	} {
		sequence := uint64(i+1) * 10
		r.Versions = evolveVersions(r.Versions, events.Recorded{Sequence: sequence, Metadata: events.Metadata{Revision: uint64(i + 1)}, Event: e})
	}
	for _, tc := range []struct {
		sequence uint64
		words    string // empty: not in force
		revision uint64
	}{{5, "", 0}, {10, "", 0}, {11, "a", 1}, {20, "a", 1}, {21, "b", 2}, {30, "b", 2}, {31, "", 0}, {41, "", 0}, {50, "", 0}, {51, "c", 5}} {
		v, ok := r.At(tc.sequence)
		if ok != (tc.words != "") || v.Contains != tc.words || v.Revision != tc.revision {
			t.Errorf("at %d: %+v, %v; want %q of revision %d", tc.sequence, v, ok, tc.words, tc.revision)
		}
	}
}

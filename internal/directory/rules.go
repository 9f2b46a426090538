package directory

import (
	"slices"
	"sort"

	"github.com/tidemark-desk/tidemark/events"
)

// RuleVersion is an automation as one of its events left it.
type RuleVersion struct {
	From     uint64 // sequence of that event: in force for later events, never for earlier ones
	Revision uint64 // of that event within the rule
	events.RuleDefinition
	Disabled bool
}

// At is the rule as it was in force for the event with this sequence; false when it did not exist yet or was
// disabled. What a rule meant for an event never changes afterwards, so deciding again gives the same answer.
func (r Rule) At(sequence uint64) (RuleVersion, bool) {
	n := sort.Search(len(r.Versions), func(i int) bool { return r.Versions[i].From >= sequence })
	if n == 0 || r.Versions[n-1].Disabled {
		return RuleVersion{}, false
	}
	return r.Versions[n-1], true
}

// evolveVersions adds what a rule's event made of it. The result never shares its last element with versions.
func evolveVersions(versions []RuleVersion, r events.Recorded) []RuleVersion {
	var next RuleVersion
	if n := len(versions); n > 0 {
		next = versions[n-1]
	}
	next.From, next.Revision = r.Sequence, r.Revision
	switch e := r.Event.(type) {
	case events.RuleCreated:
		next.RuleDefinition = e.RuleDefinition
	case events.RuleChanged:
		next.RuleDefinition = e.RuleDefinition
	case events.RuleDisabled:
		next.Disabled = true
	case events.RuleEnabled:
		next.Disabled = false
	default:
		return versions
	}
	return append(slices.Clip(versions), next)
}

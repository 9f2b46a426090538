package customers

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/internal/pgtext"
)

// nameKeyLength is how many characters of a name sort and find it.
const nameKeyLength = 100

const lastCodePoint = "\U0010FFFF"

// state is a customer while events are folded.
type state struct {
	Customer

	erased bool
}

// fold applies one event of a customer. Events that s has already are passed over, and what comes after an erasure.
func (s *state) fold(r events.Recorded) {
	if r.Sequence <= s.Sequence || s.erased {
		return
	}
	at := pgtext.Time(r.Time)
	s.Sequence, s.UpdatedAt = r.Sequence, at
	switch e := r.Event.(type) {
	case events.CustomerCreated:
		s.Customer = Customer{
			Org: r.Org, ID: r.Aggregate.ID, Name: pgtext.Clean(e.Name), Identities: []events.Identity{},
			Attributes: map[string]any{}, CreatedAt: at, UpdatedAt: at, Sequence: r.Sequence,
		}
	case events.CustomerRenamed:
		s.Name = pgtext.Clean(e.Name)
	case events.CustomerIdentified:
		s.identify(e.Identity)
	case events.CustomerIdentityRemoved:
		gone := clean(e.Identity)
		s.Identities = slices.DeleteFunc(s.Identities, func(i events.Identity) bool { return i == gone })
	case events.CustomerAttributesSet:
		s.Attributes = pgtext.Merge(s.Attributes, e.Attributes)
	case events.CustomerAbsorbed:
		for _, i := range e.Identities {
			s.identify(i)
		}
	case events.CustomerMerged:
		s.empty()
		s.MergedInto = e.IntoID
	case events.CustomerErased:
		s.empty()
		s.erased = true
	}
}

func (s *state) identify(i events.Identity) {
	if i = clean(i); !slices.Contains(s.Identities, i) {
		s.Identities = append(s.Identities, i)
	}
}

// empty removes what is personal. Who was merged goes on elsewhere: when the other one is erased, nothing of theirs may
// be left here.
func (s *state) empty() {
	s.Name, s.Identities, s.Attributes = "", []events.Identity{}, map[string]any{}
}

func clean(i events.Identity) events.Identity {
	return events.Identity{Type: events.IdentityType(pgtext.Clean(string(i.Type))), Value: pgtext.Clean(i.Value)}
}

// nameKey is what a name is sorted and found by: without regard to case.
func nameKey(name string) string {
	const enough = nameKeyLength * utf8.UTFMax
	if len(name) > enough {
		name = name[:enough]
	}
	name = strings.ToLower(strings.TrimSpace(strings.ToValidUTF8(name, "")))
	name = strings.ReplaceAll(name, lastCodePoint, "") // it is no character, and bounds prefixes from above
	n := 0
	for i := range name {
		if n == nameKeyLength {
			return name[:i]
		}
		n++
	}
	return name
}

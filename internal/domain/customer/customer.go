// Package customer decides what may happen to a customer: a person whom the desk helps, known by addresses.
//
// An address is one customer's at a time. This package knows a customer's own addresses; that nobody else has them
// is the claim's to decide, and both are written in one batch. A merged customer refuses everything with a fault
// that names who took over; an erased one is gone.
package customer

import (
	"slices"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/attr"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
)

// MaxIdentities is how many addresses a customer may have.
const MaxIdentities = 50

// What a customer may answer.
var (
	ErrNotFound = refusal.ErrCustomerNotFound
	ErrExists   = refusal.ErrCustomerExists
	ErrErased   = refusal.ErrCustomerErased
	ErrMerged   = refusal.ErrCustomerMerged
)

// State is what deciding asks. It is shared between readers: never change what a map or a slice in it holds.
type State struct {
	Exists     bool
	Name       string
	Identities []events.Identity
	Attributes map[string]any
	Absorbed   []string
	MergedInto string // who took over; empty while this one lives
	Erased     bool
}

// Size is what the state holds besides ids, in bytes, about.
func (s State) Size() int {
	n := len(s.Name) + attr.Size(s.Attributes)
	for _, i := range s.Identities {
		n += len(i.Value)
	}
	return n
}

// Evolve is the state after an event.
func Evolve(s State, e events.Event) State {
	switch e := e.(type) {
	case events.CustomerCreated:
		s.Exists, s.Name = true, e.Name
	case events.CustomerRenamed:
		s.Name = e.Name
	case events.CustomerIdentified:
		s.Identities = withIdentities(s.Identities, e.Identity)
	case events.CustomerIdentityRemoved:
		s.Identities = without(s.Identities, e.Identity)
	case events.CustomerAttributesSet:
		s.Attributes = attr.Apply(s.Attributes, e.Attributes)
	case events.CustomerMerged:
		s.MergedInto, s.Identities = e.IntoID, nil
	case events.CustomerAbsorbed:
		s.Absorbed = append(slices.Clip(s.Absorbed), e.FromID)
		s.Identities = withIdentities(s.Identities, e.Identities...)
	case events.CustomerErased:
		s = State{Exists: true, Erased: true}
	}
	return s
}

func withIdentities(have []events.Identity, more ...events.Identity) []events.Identity {
	out := slices.Clip(have)
	for _, i := range more {
		if !slices.Contains(out, i) {
			out = append(out, i)
		}
	}
	return out
}

func without(have []events.Identity, gone events.Identity) []events.Identity {
	return slices.DeleteFunc(slices.Clone(have), func(i events.Identity) bool { return i == gone })
}

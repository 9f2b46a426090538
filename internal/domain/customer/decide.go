package customer

import (
	"fmt"
	"slices"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/attr"
	"github.com/tidemark-desk/tidemark/internal/domain/identity"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
)

// Command is one of the commands below.
type Command interface{ customerCommand() }

// Create makes a customer known. Visitors may have no name. The same name again is nothing new.
type Create struct{ Name string }

// Rename gives the customer another name.
type Rename struct{ Name string }

// Identify adds an address, in any spelling. Its claim must be taken in the same batch.
type Identify struct {
	Type  events.IdentityType
	Value string
}

// RemoveIdentity takes an address away. Its claim must be released in the same batch.
type RemoveIdentity struct {
	Type   events.IdentityType
	Value  string
	Reason string
}

// SetAttributes sets strings, numbers and booleans by name; nil removes one.
type SetAttributes struct{ Attributes map[string]any }

// MergeInto ends this customer in favour of another, who must Absorb it, with its claims moved, in the same batch.
type MergeInto struct{ IntoID, Reason string }

// Absorb takes over another customer's history and addresses.
type Absorb struct {
	FromID     string
	Identities []events.Identity // as the other customer's state has them
	Reason     string
}

// Erase forgets everything about the customer. Claims must be released in the same batch. WithID names the customer
// in whose erasure this one is erased too; it is empty for that customer.
type Erase struct{ Reason, WithID string }

func (Create) customerCommand()         {}
func (Rename) customerCommand()         {}
func (Identify) customerCommand()       {}
func (RemoveIdentity) customerCommand() {}
func (SetAttributes) customerCommand()  {}
func (MergeInto) customerCommand()      {}
func (Absorb) customerCommand()         {}
func (Erase) customerCommand()          {}

// Decide tells what a command makes happen; nothing new is no event.
func Decide(s State, c Command) ([]events.Event, error) {
	if s.Erased {
		if _, again := c.(Erase); again {
			return nil, nil
		}
		return nil, ErrErased
	}
	if c, ok := c.(Create); ok {
		return s.create(c)
	}
	if !s.Exists {
		return nil, ErrNotFound
	}
	if c, ok := c.(Erase); ok { // a merged customer may be erased too: its own history is still there
		reason, err := text.Reason(c.Reason)
		if err != nil {
			return nil, err
		}
		if c.WithID != "" {
			if err := text.ID("with_id", c.WithID); err != nil {
				return nil, err
			}
		}
		return one(events.CustomerErased{Reason: reason, WithID: c.WithID})
	}
	if s.MergedInto != "" {
		if c, ok := c.(MergeInto); ok && c.IntoID == s.MergedInto {
			return nil, nil
		}
		return nil, ErrMerged.WithHint("it is customer %s now", s.MergedInto)
	}
	switch c := c.(type) {
	case Rename:
		name, err := text.Line("name", c.Name, text.MaxName)
		if err != nil || name == s.Name {
			return nil, err
		}
		return one(events.CustomerRenamed{Name: name})
	case Identify:
		return s.identify(c)
	case RemoveIdentity:
		return s.removeIdentity(c)
	case SetAttributes:
		news, err := attr.Decide(s.Attributes, c.Attributes)
		if err != nil || news == nil {
			return nil, err
		}
		return one(events.CustomerAttributesSet{Attributes: news})
	case MergeInto:
		return s.mergeInto(c)
	case Absorb:
		return s.absorb(c)
	default:
		panic(fmt.Sprintf("customer: no decision for %T", c))
	}
}

func (s State) create(c Create) ([]events.Event, error) {
	name, err := text.Line("name", c.Name, text.MaxName)
	switch {
	case err != nil:
		return nil, err
	case s.Exists && s.Name == name:
		return nil, nil
	case s.Exists:
		return nil, ErrExists
	}
	return one(events.CustomerCreated{Name: name})
}

func (s State) identify(c Identify) ([]events.Event, error) {
	id, err := identity.Normalise(c.Type, c.Value)
	switch {
	case err != nil:
		return nil, err
	case slices.Contains(s.Identities, id):
		return nil, nil
	case len(s.Identities) >= MaxIdentities:
		return nil, refusal.ErrCustomerIdentities
	}
	return one(events.CustomerIdentified{Identity: id})
}

func (s State) removeIdentity(c RemoveIdentity) ([]events.Event, error) {
	id, err := identity.Normalise(c.Type, c.Value)
	if err != nil {
		return nil, err
	}
	reason, err := text.Reason(c.Reason)
	if err != nil || !slices.Contains(s.Identities, id) {
		return nil, err
	}
	return one(events.CustomerIdentityRemoved{Identity: id, Reason: reason})
}

func (s State) mergeInto(c MergeInto) ([]events.Event, error) {
	if err := text.ID("into_id", c.IntoID); err != nil {
		return nil, err
	}
	if slices.Contains(s.Absorbed, c.IntoID) {
		return nil, refusal.ErrCustomerMergeSelf
	}
	reason, err := text.Reason(c.Reason)
	if err != nil {
		return nil, err
	}
	return one(events.CustomerMerged{IntoID: c.IntoID, Reason: reason})
}

func (s State) absorb(c Absorb) ([]events.Event, error) {
	if err := text.ID("from_id", c.FromID); err != nil {
		return nil, err
	}
	reason, err := text.Reason(c.Reason)
	switch {
	case err != nil:
		return nil, err
	case slices.Contains(s.Absorbed, c.FromID):
		return nil, nil
	case len(withIdentities(s.Identities, c.Identities...)) > MaxIdentities:
		return nil, refusal.ErrCustomerIdentities
	}
	return one(events.CustomerAbsorbed{FromID: c.FromID, Identities: slices.Clone(c.Identities), Reason: reason})
}

func one(e events.Event) ([]events.Event, error) { return []events.Event{e}, nil }

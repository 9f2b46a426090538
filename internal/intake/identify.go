package intake

import (
	"context"
	"errors"
	"slices"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/claim"
	"github.com/tidemark-desk/tidemark/internal/domain/customer"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
)

// reasonIdentified is why a visitor was merged: they have proven who they are.
const reasonIdentified = "identified"

// errKnown leaves the closure of Identify early: everything is in the log already.
var errKnown = errors.New("nothing is new about the customer")

// Proven is somebody who has proven to be the customer with an external id. The caller answers for the proof.
type Proven struct {
	ExternalID string
	Name       string // given to a customer who has none yet
	VisitorID  string // under which they were unknown until now; empty: they were not
}

// Identify answers the customer who has the external id, and makes them when there is none. What the visitor said before
// is theirs from now on: a visitor who is a customer already gets the external id if nobody has it, and is merged into the
// one who has it otherwise, with their addresses. Both keep their own history. A visitor known by another external id is
// somebody else, and stays so. When all of this has happened, nothing is written.
func (i *Intake) Identify(ctx context.Context, org string, m command.Meta, p Proven) (string, error) {
	tenant, ok := i.directory.Org(org)
	if !ok {
		return "", refusal.ErrOrgNotFound
	}
	who, err := addresses(tenant, Customer{ExternalID: p.ExternalID})
	switch {
	case err != nil:
		return "", err
	case len(who) == 0:
		return "", refusal.ErrIdentityInvalid
	}
	var id string
	fresh := events.NewID()
	_, err = i.loop.Atomic(ctx, m, func(tx *command.Tx) error {
		id, err = i.identify(tx, org, p, who[0], fresh)
		return err
	})
	if err != nil && !errors.Is(err, errKnown) {
		return "", err
	}
	return id, nil
}

func (i *Intake) identify(tx *command.Tx, org string, p Proven, a address, fresh string) (string, error) {
	owner, stale, err := i.owner(tx, org, a)
	if err != nil {
		return "", err
	}
	visitor, err := i.unknown(tx, org, p.VisitorID)
	if err != nil {
		return "", err
	}
	known := owner != ""
	id := owner
	switch {
	case known:
	case visitor.Exists:
		id = p.VisitorID
	default:
		id = fresh
	}
	name := p.Name
	if name == "" && visitor.Exists {
		name = visitor.Name
	}
	before, _, err := command.Peek(tx, i.customers, org, id)
	if err != nil {
		return "", err
	}
	state, err := i.introduce(tx, org, id, name)
	if err != nil {
		return "", err
	}
	if !known {
		return id, i.attach(tx, org, id, a, stale)
	}
	if visitor.Exists && p.VisitorID != id && len(state.Identities)+len(visitor.Identities) <= customer.MaxIdentities {
		return id, i.merge(tx, org, p.VisitorID, visitor, id)
	}
	if state.Name == before.Name {
		return id, errKnown
	}
	return id, nil
}

// owner is the customer who has an address, followed through merges; stale is who is gone and still holds it.
func (i *Intake) owner(tx *command.Tx, org string, a address) (id, stale string, err error) {
	c, _, err := command.Peek(tx, i.claims, org, a.claimID)
	if err != nil || c.CustomerID == "" {
		return "", "", err
	}
	id, state, err := i.follow(tx, org, c.CustomerID)
	switch {
	case err != nil:
		return "", "", err
	case state.Erased, !state.Exists:
		return "", c.CustomerID, nil
	}
	return id, "", nil
}

// unknown is a visitor about whom nothing was proven yet; the zero state for everybody else.
func (i *Intake) unknown(tx *command.Tx, org, id string) (customer.State, error) {
	if id == "" {
		return customer.State{}, nil
	}
	state, _, err := command.Peek(tx, i.customers, org, id)
	proven := slices.ContainsFunc(state.Identities, func(i events.Identity) bool { return i.Type == events.IdentityExternalID })
	if err != nil || state.Erased || state.MergedInto != "" || proven {
		return customer.State{}, err
	}
	return state, nil
}

// merge stages that a visitor is the customer, who takes over their addresses with the claims.
func (i *Intake) merge(tx *command.Tx, org, visitorID string, visitor customer.State, id string) error {
	tenant, _ := i.directory.Org(org)
	for _, c := range []struct {
		id      string
		command customer.Command
	}{
		{visitorID, customer.MergeInto{IntoID: id, Reason: reasonIdentified}},
		{id, customer.Absorb{FromID: visitorID, Identities: visitor.Identities, Reason: reasonIdentified}},
	} {
		if err := command.Stage(tx, i.customers, org, c.id, c.command); err != nil {
			return err
		}
	}
	for _, had := range visitor.Identities {
		claimID := tenant.ClaimID(had.Type, had.Value)
		held, _, err := command.Peek(tx, i.claims, org, claimID)
		if err != nil {
			return err
		}
		if held.CustomerID != visitorID {
			continue
		}
		var move claim.Command = claim.Move{FromID: visitorID, CustomerID: id, Reason: reasonIdentified}
		if err := command.Stage(tx, i.claims, org, claimID, move); err != nil {
			return err
		}
	}
	return nil
}

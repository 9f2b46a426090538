package intake

import (
	"slices"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/claim"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/domain/customer"
	"github.com/tidemark-desk/tidemark/internal/domain/identity"
)

// maxMerges is how many merges are followed from a customer to the one who took over in the end.
const maxMerges = 16

// address is an identity of the request and the claim that tells whose it is.
type address struct {
	events.Identity
	claimID string
}

// addresses brings what the request says to one spelling, the strongest first.
func addresses(org directory.Org, c Customer) ([]address, error) {
	var out []address
	for _, a := range []struct {
		identity events.IdentityType
		value    string
	}{
		{events.IdentityExternalID, c.ExternalID},
		{events.IdentityEmail, c.Email},
		{events.IdentityPhone, c.Phone},
		{events.IdentityX, c.X},
		{events.IdentityFacebook, c.Facebook},
	} {
		if a.value == "" {
			continue
		}
		id, err := identity.Normalise(a.identity, a.value)
		if err != nil {
			return nil, err
		}
		out = append(out, address{Identity: id, claimID: org.ClaimID(id.Type, id.Value)})
	}
	return out, nil
}

// found is the customer of a request.
type found struct {
	id        string
	elsewhere []events.IdentityType
}

// customer finds the customer of a request or stages a new one, and stages what is new about them.
func (i *Intake) customer(tx *command.Tx, org string, r Request, who []address) (found, error) {
	owners := make([]string, len(who)) // by address; empty: nobody has it
	stale := make([]string, len(who))  // by address: somebody who is gone still holds the claim
	out := found{id: r.Customer.ID}
	if out.id != "" {
		id, state, err := i.follow(tx, org, out.id)
		switch {
		case err != nil:
			return found{}, err
		case state.Erased:
			return found{}, customer.ErrErased
		case !state.Exists:
			return found{}, customer.ErrNotFound
		}
		out.id = id
	}
	for n, a := range who {
		c, _, err := command.Peek(tx, i.claims, org, a.claimID)
		if err != nil {
			return found{}, err
		}
		if c.CustomerID == "" {
			continue
		}
		id, state, err := i.follow(tx, org, c.CustomerID)
		switch {
		case err != nil:
			return found{}, err
		case state.Erased, !state.Exists:
			stale[n] = c.CustomerID
			continue
		}
		owners[n] = id
		if out.id == "" {
			out.id = id
		}
	}

	if out.id == "" {
		state, exists, err := command.Peek(tx, i.conversations, org, r.ConversationID)
		switch {
		case err != nil:
			return found{}, err
		case !exists && r.Customer.VisitorID != "":
			if out.id, _, err = i.follow(tx, org, r.Customer.VisitorID); err != nil {
				return found{}, err
			}
		case !exists:
			out.id = command.DeriveID("customer", org, r.ConversationID)
		case len(who) > 0: // addresses that nobody has are not those of the customer whose conversation it is
			return found{}, conversation.ErrExists
		default:
			out.id = state.CustomerID
		}
	}
	state, err := i.introduce(tx, org, out.id, r.Customer.Name)
	switch {
	case err != nil:
		return found{}, err
	case state.Erased: // whoever comes again under an id that was erased
		return found{}, customer.ErrErased
	}
	for n, a := range who {
		switch {
		case owners[n] == out.id:
		case owners[n] != "":
			out.elsewhere = append(out.elsewhere, a.Type)
		case len(state.Identities) >= customer.MaxIdentities: // a full customer must still be heard
		default:
			if err := i.attach(tx, org, out.id, a, stale[n]); err != nil {
				return found{}, err
			}
		}
		if state, _, err = command.Peek(tx, i.customers, org, out.id); err != nil {
			return found{}, err
		}
	}
	slices.Sort(out.elsewhere)
	return out, nil
}

// follow goes from a customer to the one who took over in the end.
func (i *Intake) follow(tx *command.Tx, org, id string) (string, customer.State, error) {
	for range maxMerges {
		state, _, err := command.Peek(tx, i.customers, org, id)
		if err != nil || state.MergedInto == "" {
			return id, state, err
		}
		id = state.MergedInto
	}
	return "", customer.State{}, customer.ErrMerged
}

// introduce stages a customer who is new, or the name of one who had none.
func (i *Intake) introduce(tx *command.Tx, org, id, name string) (customer.State, error) {
	state, exists, err := command.Peek(tx, i.customers, org, id)
	if err != nil {
		return state, err
	}
	var c customer.Command
	switch {
	case !exists:
		c = customer.Create{Name: name}
	case name != "" && state.Name == "" && !state.Erased && state.MergedInto == "":
		c = customer.Rename{Name: name}
	default:
		return state, nil
	}
	if err := command.Stage(tx, i.customers, org, id, c); err != nil {
		return state, err
	}
	state, _, err = command.Peek(tx, i.customers, org, id)
	return state, err
}

// attach stages an address that nobody has, with its claim; from is who is gone and still holds it.
func (i *Intake) attach(tx *command.Tx, org, id string, a address, from string) error {
	err := command.Stage[customer.State, customer.Command](tx, i.customers, org, id, customer.Identify{Type: a.Type, Value: a.Value})
	if err != nil {
		return err
	}
	var c claim.Command = claim.Take{CustomerID: id, Type: a.Type}
	if from != "" {
		c = claim.Move{FromID: from, CustomerID: id, Reason: "erased"}
	}
	return command.Stage(tx, i.claims, org, a.claimID, c)
}

// Package claim decides who has an address: one customer at a time.
//
// A claim's id is a keyed hash of the address, made by the directory's Org.ClaimID, so that no subject of the log
// holds an address. A claim is written in the same batch as the customer's own event about the address.
package claim

import (
	"fmt"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
)

// What a claim may answer.
var (
	ErrTaken = refusal.ErrIdentityTaken
	ErrFree  = refusal.ErrIdentityFree
)

// State is what deciding asks.
type State struct {
	CustomerID string // empty: free
}

// Command is one of the commands below.
type Command interface{ claimCommand() }

// Take claims the address for a customer. For the customer who has it already it is nothing new.
type Take struct {
	CustomerID string
	Type       events.IdentityType
}

// Move passes the address on, as when customers are merged.
type Move struct{ FromID, CustomerID, Reason string }

// Release frees the address, if this customer has it.
type Release struct{ CustomerID, Reason string }

func (Take) claimCommand()    {}
func (Move) claimCommand()    {}
func (Release) claimCommand() {}

// Evolve is the state after an event.
func Evolve(s State, e events.Event) State {
	switch e := e.(type) {
	case events.ClaimTaken:
		s.CustomerID = e.CustomerID
	case events.ClaimMoved:
		s.CustomerID = e.CustomerID
	case events.ClaimReleased:
		s.CustomerID = ""
	}
	return s
}

// Decide tells what a command makes happen; nothing new is no event.
func Decide(s State, c Command) ([]events.Event, error) {
	switch c := c.(type) {
	case Take:
		if err := text.ID("customer_id", c.CustomerID); err != nil {
			return nil, err
		}
		switch s.CustomerID {
		case c.CustomerID:
			return nil, nil
		case "":
			return []events.Event{events.ClaimTaken(c)}, nil
		}
		return nil, ErrTaken
	case Move:
		return s.move(c)
	case Release:
		reason, err := text.Reason(c.Reason)
		switch {
		case err != nil:
			return nil, err
		case s.CustomerID == "":
			return nil, nil
		case s.CustomerID != c.CustomerID:
			return nil, ErrTaken
		}
		return []events.Event{events.ClaimReleased{Reason: reason}}, nil
	default:
		panic(fmt.Sprintf("claim: no decision for %T", c))
	}
}

func (s State) move(c Move) ([]events.Event, error) {
	if err := text.ID("customer_id", c.CustomerID); err != nil {
		return nil, err
	}
	reason, err := text.Reason(c.Reason)
	switch {
	case err != nil:
		return nil, err
	case s.CustomerID == c.CustomerID && s.CustomerID != "":
		return nil, nil
	case s.CustomerID == "":
		return nil, ErrFree
	case s.CustomerID != c.FromID:
		return nil, ErrTaken
	}
	return []events.Event{events.ClaimMoved{CustomerID: c.CustomerID, Reason: reason}}, nil
}

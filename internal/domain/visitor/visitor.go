// Package visitor decides about the chat sessions of a visitor: that those which were opened so far have ended.
//
// A visitor is known by an id that only their sessions have, or by that of the customer they have proven to be. Nothing
// else of them is here: most visitors leave nothing at all.
package visitor

import (
	"fmt"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
)

// State is what deciding asks.
type State struct {
	Epoch int // how often the sessions were revoked; those of a lower one have ended
}

// Command is the command below.
type Command interface{ visitorCommand() }

// RevokeSessions ends all sessions of the visitor up to those of the epoch After. When a later one has begun, two have asked
// for the same, and it is nothing new.
type RevokeSessions struct {
	After  int
	Reason string
}

func (RevokeSessions) visitorCommand() {}

// Evolve is the state after an event.
func Evolve(s State, e events.Event) State {
	if e, ok := e.(events.VisitorSessionsRevoked); ok {
		s.Epoch = e.Epoch
	}
	return s
}

// Decide tells what a command makes happen; nothing new is no event.
func Decide(s State, c Command) ([]events.Event, error) {
	revoke, ok := c.(RevokeSessions)
	if !ok {
		panic(fmt.Sprintf("visitor: no decision for %T", c))
	}
	reason, err := text.Reason(revoke.Reason)
	if err != nil || revoke.After < s.Epoch {
		return nil, err
	}
	return []events.Event{events.VisitorSessionsRevoked{Epoch: revoke.After + 1, Reason: reason}}, nil
}

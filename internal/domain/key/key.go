// Package key decides what may happen to an API key. The log only ever holds a key's SHA-256: who reads the log
// cannot call the API.
package key

import (
	"fmt"
	"slices"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
)

// State is what deciding asks.
type State struct {
	Exists  bool
	AgentID string
	Hash    []byte
	Revoked bool
}

// Command is Issue or Revoke.
type Command interface{ keyCommand() }

// Issue gives a key to an agent. The same key again is nothing new.
type Issue struct {
	AgentID string
	Name    string
	Role    events.Role
	Hash    []byte // SHA-256 of the whole key
}

// Revoke ends the key, for ever.
type Revoke struct{ Reason string }

func (Issue) keyCommand()  {}
func (Revoke) keyCommand() {}

// Evolve is the state after an event.
func Evolve(s State, e events.Event) State {
	switch e := e.(type) {
	case events.KeyIssued:
		s.Exists, s.AgentID, s.Hash = true, e.AgentID, e.Hash
	case events.KeyRevoked:
		s.Revoked = true
	}
	return s
}

// Decide tells what a command makes happen; nothing new is no event.
func Decide(s State, c Command) ([]events.Event, error) {
	switch c := c.(type) {
	case Issue:
		return s.issue(c)
	case Revoke:
		reason, err := text.Reason(c.Reason)
		switch {
		case err != nil:
			return nil, err
		case !s.Exists:
			return nil, refusal.ErrKeyNotFound
		case s.Revoked:
			return nil, nil
		}
		return []events.Event{events.KeyRevoked{Reason: reason}}, nil
	default:
		panic(fmt.Sprintf("key: no decision for %T", c))
	}
}

func (s State) issue(c Issue) ([]events.Event, error) {
	if s.Exists {
		if s.AgentID == c.AgentID && slices.Equal(s.Hash, c.Hash) {
			return nil, nil
		}
		return nil, refusal.ErrKeyExists
	}
	if err := text.ID("agent_id", c.AgentID); err != nil {
		return nil, err
	}
	name, err := text.Name("name", c.Name)
	switch {
	case err != nil:
		return nil, err
	case c.Role != events.RoleAdmin && c.Role != events.RoleAgent:
		return nil, refusal.ErrRoleInvalid
	case len(c.Hash) != 32:
		return nil, refusal.ErrKeyHash
	}
	return []events.Event{events.KeyIssued{AgentID: c.AgentID, Name: name, Role: c.Role, Hash: c.Hash}}, nil
}

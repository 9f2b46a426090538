// Package agent decides what may happen to an agent, a person who works at the desk.
//
// An agent starts offline. Deactivating is for ever: the agent goes offline first, so that whoever follows presence
// takes the work back, and every key of the agent is void from then on.
//
// Presence follows from two things: what the agent says, and whether they are at their desk, which their open streams tell.
// Who leaves their desk is offline; who comes back is what they said last. Who has never been at it is what they say.
package agent

import (
	"slices"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
)

// The limits.
const (
	MaxCapacity = 1_000
	MaxSkills   = 100
)

// What an agent may answer.
var (
	ErrNotFound    = refusal.ErrAgentNotFound
	ErrExists      = refusal.ErrAgentExists
	ErrDeactivated = refusal.ErrAgentDeactivated
)

// State is what deciding asks.
type State struct {
	Exists      bool
	Name, Email string
	Role        events.Role
	Capacity    int
	Skills      []string // sorted; shared, never changed in place
	Presence    events.Presence
	Said        events.Presence // by the agent, or an admin; empty: nothing yet
	Connected   bool            // is at their desk
	Deactivated bool
}

// Evolve is the state after an event.
func Evolve(s State, e events.Event) State {
	switch e := e.(type) {
	case events.AgentCreated:
		s.Exists, s.Name, s.Email, s.Role, s.Capacity = true, e.Name, e.Email, e.Role, e.Capacity
		s.Presence = events.PresenceOffline
	case events.AgentRenamed:
		s.Name = e.Name
	case events.AgentRoleSet:
		s.Role = e.Role
	case events.AgentCapacitySet:
		s.Capacity = e.Capacity
	case events.AgentSkillsSet:
		s.Skills = slices.Clone(e.Skills)
	case events.AgentPresenceSet:
		s.Presence, s.Said = e.Presence, e.Presence
	case events.AgentConnected:
		s.Presence, s.Connected = e.Presence, true
	case events.AgentDisconnected:
		s.Presence, s.Connected = events.PresenceOffline, false
	case events.AgentDeactivated:
		s.Deactivated, s.Connected = true, false
	}
	return s
}

// Package agent decides what may happen to an agent, a person who works at the desk.
//
// An agent starts offline. Deactivating is for ever: the agent goes offline first, so that whoever follows presence
// takes the work back, and every key of the agent is void from then on.
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
		s.Presence = e.Presence
	case events.AgentDeactivated:
		s.Deactivated = true
	}
	return s
}

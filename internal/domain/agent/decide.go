package agent

import (
	"fmt"
	"slices"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/identity"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
)

// Command is one of the commands below.
type Command interface{ agentCommand() }

// Create adds an agent. The same agent again is nothing new.
type Create struct {
	Name, Email string
	Role        events.Role
	Capacity    int // open conversations that the agent may hold at once
}

// Rename gives the agent another name.
type Rename struct{ Name string }

// SetRole changes what the agent may do.
type SetRole struct{ Role events.Role }

// SetCapacity changes how many open conversations the agent may hold at once.
type SetCapacity struct{ Capacity int }

// SetSkills replaces the agent's skills.
type SetSkills struct{ Skills []string }

// SetPresence changes whether the agent takes work.
type SetPresence struct {
	Presence events.Presence
	Reason   string
}

// Connect says that the agent is at their desk.
type Connect struct{}

// Disconnect says that the agent is not at their desk any more.
type Disconnect struct{ Reason string }

// Deactivate ends the agent's work at the desk, for ever.
type Deactivate struct{ Reason string }

func (Create) agentCommand()      {}
func (Rename) agentCommand()      {}
func (SetRole) agentCommand()     {}
func (SetCapacity) agentCommand() {}
func (SetSkills) agentCommand()   {}
func (SetPresence) agentCommand() {}
func (Connect) agentCommand()     {}
func (Disconnect) agentCommand()  {}
func (Deactivate) agentCommand()  {}

// Decide tells what a command makes happen; nothing new is no event.
func Decide(s State, c Command) ([]events.Event, error) {
	if c, ok := c.(Create); ok {
		return s.create(c)
	}
	if !s.Exists {
		return nil, ErrNotFound
	}
	if c, ok := c.(Deactivate); ok {
		return s.deactivate(c)
	}
	if s.Deactivated {
		return nil, ErrDeactivated
	}
	switch c := c.(type) {
	case Rename:
		name, err := text.Name("name", c.Name)
		if err != nil || name == s.Name {
			return nil, err
		}
		return one(events.AgentRenamed{Name: name})
	case SetRole:
		if err := checkRole(c.Role); err != nil || c.Role == s.Role {
			return nil, err
		}
		return one(events.AgentRoleSet(c))
	case SetCapacity:
		if err := checkCapacity(c.Capacity); err != nil || c.Capacity == s.Capacity {
			return nil, err
		}
		return one(events.AgentCapacitySet(c))
	case SetSkills:
		return s.setSkills(c)
	case SetPresence:
		return s.setPresence(c)
	case Connect:
		return s.connect()
	case Disconnect:
		return s.disconnect(c)
	default:
		panic(fmt.Sprintf("agent: no decision for %T", c))
	}
}

func (s State) create(c Create) ([]events.Event, error) {
	name, err := text.Name("name", c.Name)
	if err != nil {
		return nil, err
	}
	email, err := identity.Normalise(events.IdentityEmail, c.Email)
	if err != nil {
		return nil, err
	}
	if err := checkRole(c.Role); err != nil {
		return nil, err
	}
	if err := checkCapacity(c.Capacity); err != nil {
		return nil, err
	}
	if s.Exists {
		if s.Email == email.Value {
			return nil, nil
		}
		return nil, ErrExists
	}
	return one(events.AgentCreated{Name: name, Email: email.Value, Role: c.Role, Capacity: c.Capacity})
}

func (s State) setSkills(c SetSkills) ([]events.Event, error) {
	if len(c.Skills) > MaxSkills {
		return nil, refusal.ErrSkillsInvalid
	}
	skills := make([]string, 0, len(c.Skills))
	for _, skill := range c.Skills {
		skill, err := text.Tag(skill)
		if err != nil {
			return nil, err
		}
		skills = append(skills, skill)
	}
	slices.Sort(skills)
	skills = slices.Compact(skills)
	if slices.Equal(skills, s.Skills) {
		return nil, nil
	}
	return one(events.AgentSkillsSet{Skills: skills})
}

func (s State) setPresence(c SetPresence) ([]events.Event, error) {
	reason, err := text.Reason(c.Reason)
	if err != nil {
		return nil, err
	}
	if s.Said == c.Presence && s.Presence == s.Said {
		return nil, nil
	}
	switch c.Presence {
	case events.PresenceOnline, events.PresenceAway, events.PresenceOffline:
		return one(events.AgentPresenceSet{Presence: c.Presence, Reason: reason})
	default:
		return nil, refusal.ErrPresenceInvalid
	}
}

func (s State) connect() ([]events.Event, error) {
	if s.Connected {
		return nil, nil
	}
	said := s.Said
	if said == "" {
		said = events.PresenceOnline
	}
	return one(events.AgentConnected{Presence: said})
}

func (s State) disconnect(c Disconnect) ([]events.Event, error) {
	reason, err := text.Reason(c.Reason)
	if err != nil || !s.Connected {
		return nil, err
	}
	return one(events.AgentDisconnected{Reason: reason})
}

func (s State) deactivate(c Deactivate) ([]events.Event, error) {
	reason, err := text.Reason(c.Reason)
	if err != nil || s.Deactivated {
		return nil, err
	}
	var out []events.Event
	if s.Presence != events.PresenceOffline {
		out = append(out, events.AgentPresenceSet{Presence: events.PresenceOffline, Reason: "deactivated"})
	}
	return append(out, events.AgentDeactivated{Reason: reason}), nil
}

func checkRole(r events.Role) error {
	if r != events.RoleAdmin && r != events.RoleAgent {
		return refusal.ErrRoleInvalid
	}
	return nil
}

func checkCapacity(n int) error {
	if n < 0 || n > MaxCapacity {
		return refusal.ErrCapacityInvalid
	}
	return nil
}

func one(e events.Event) ([]events.Event, error) { return []events.Event{e}, nil }

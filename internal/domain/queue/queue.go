// Package queue decides what may happen to a queue, where conversations wait for its members.
package queue

import (
	"fmt"
	"slices"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
)

// MaxMembers is how many agents may take work from one queue.
const MaxMembers = 1_000

// What a queue may answer.
var (
	ErrNotFound = refusal.ErrQueueNotFound
	ErrExists   = refusal.ErrQueueExists
	ErrArchived = refusal.ErrQueueArchived
)

// State is what deciding asks.
type State struct {
	Exists   bool
	Name     string
	Members  []string // sorted; shared, never changed in place
	Archived bool
}

// Command is one of the commands below.
type Command interface{ queueCommand() }

// Create makes the queue. The same name again is nothing new.
type Create struct{ Name string }

// Rename gives the queue another name.
type Rename struct{ Name string }

// AddMember lets an agent take work from the queue.
type AddMember struct{ AgentID string }

// RemoveMember stops an agent from taking work from the queue.
type RemoveMember struct{ AgentID, Reason string }

// Archive closes the queue to new work, for ever. Members may still be removed.
type Archive struct{ Reason string }

func (Create) queueCommand()       {}
func (Rename) queueCommand()       {}
func (AddMember) queueCommand()    {}
func (RemoveMember) queueCommand() {}
func (Archive) queueCommand()      {}

// Evolve is the state after an event.
func Evolve(s State, e events.Event) State {
	switch e := e.(type) {
	case events.QueueCreated:
		s.Exists, s.Name = true, e.Name
	case events.QueueRenamed:
		s.Name = e.Name
	case events.QueueMemberAdded:
		if at, there := slices.BinarySearch(s.Members, e.AgentID); !there {
			s.Members = slices.Insert(slices.Clone(s.Members), at, e.AgentID)
		}
	case events.QueueMemberRemoved:
		if at, there := slices.BinarySearch(s.Members, e.AgentID); there {
			s.Members = slices.Delete(slices.Clone(s.Members), at, at+1)
		}
	case events.QueueArchived:
		s.Archived = true
	}
	return s
}

// Decide tells what a command makes happen; nothing new is no event.
func Decide(s State, c Command) ([]events.Event, error) {
	if c, ok := c.(Create); ok {
		return s.create(c)
	}
	if !s.Exists {
		return nil, ErrNotFound
	}
	switch c := c.(type) {
	case Rename:
		name, err := text.Name("name", c.Name)
		if err != nil || name == s.Name {
			return nil, err
		}
		return one(events.QueueRenamed{Name: name})
	case AddMember:
		return s.add(c)
	case RemoveMember:
		reason, err := text.Reason(c.Reason)
		if _, there := slices.BinarySearch(s.Members, c.AgentID); err != nil || !there {
			return nil, err
		}
		return one(events.QueueMemberRemoved{AgentID: c.AgentID, Reason: reason})
	case Archive:
		reason, err := text.Reason(c.Reason)
		if err != nil || s.Archived {
			return nil, err
		}
		return one(events.QueueArchived{Reason: reason})
	default:
		panic(fmt.Sprintf("queue: no decision for %T", c))
	}
}

func (s State) create(c Create) ([]events.Event, error) {
	name, err := text.Name("name", c.Name)
	switch {
	case err != nil:
		return nil, err
	case s.Exists && s.Name == name:
		return nil, nil
	case s.Exists:
		return nil, ErrExists
	}
	return one(events.QueueCreated{Name: name})
}

func (s State) add(c AddMember) ([]events.Event, error) {
	if err := text.ID("agent_id", c.AgentID); err != nil {
		return nil, err
	}
	_, there := slices.BinarySearch(s.Members, c.AgentID)
	switch {
	case there:
		return nil, nil
	case s.Archived:
		return nil, ErrArchived
	case len(s.Members) >= MaxMembers:
		return nil, refusal.ErrQueueMembers
	}
	return one(events.QueueMemberAdded(c))
}

func one(e events.Event) ([]events.Event, error) { return []events.Event{e}, nil }

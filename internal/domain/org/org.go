// Package org decides what may happen to an org, the unit of tenancy.
//
// An org's id is also the id of its aggregate. Its secret is the root of every key that is derived for it, and can
// never be changed: claims on addresses are named by a hash under it.
package org

import (
	"fmt"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
)

// SecretSize is the length of an org's secret in bytes.
const SecretSize = 32

// State is what deciding asks.
type State struct {
	Exists bool
	Name   string
}

// Command is Create or Rename.
type Command interface{ orgCommand() }

// Create makes the org. The same name again is nothing new, whatever the secret: the first one stands.
type Create struct {
	Name   string
	Secret []byte // 32 random bytes
}

// Rename gives the org another name.
type Rename struct{ Name string }

func (Create) orgCommand() {}
func (Rename) orgCommand() {}

// Evolve is the state after an event.
func Evolve(s State, e events.Event) State {
	switch e := e.(type) {
	case events.OrgCreated:
		s = State{Exists: true, Name: e.Name}
	case events.OrgRenamed:
		s.Name = e.Name
	}
	return s
}

// Decide tells what a command makes happen; nothing new is no event.
func Decide(s State, c Command) ([]events.Event, error) {
	switch c := c.(type) {
	case Create:
		name, err := text.Name("name", c.Name)
		switch {
		case err != nil:
			return nil, err
		case s.Exists && s.Name == name:
			return nil, nil
		case s.Exists:
			return nil, refusal.ErrOrgExists
		case len(c.Secret) != SecretSize:
			return nil, refusal.ErrOrgSecret
		}
		return []events.Event{events.OrgCreated{Name: name, Secret: c.Secret}}, nil
	case Rename:
		name, err := text.Name("name", c.Name)
		switch {
		case err != nil:
			return nil, err
		case !s.Exists:
			return nil, refusal.ErrOrgNotFound
		case s.Name == name:
			return nil, nil
		}
		return []events.Event{events.OrgRenamed{Name: name}}, nil
	default:
		panic(fmt.Sprintf("org: no decision for %T", c))
	}
}

// Package settings decides what may happen to the settings of an org: one aggregate for each, always there.
package settings

import (
	"fmt"
	"strings"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
)

// ID is of the one settings aggregate that every org has.
const ID = "settings"

// DefaultTimezone is an org's time zone until somebody sets one.
const DefaultTimezone = "UTC"

// State is what deciding asks.
type State struct {
	DefaultQueueID string
	Timezone       string // empty: DefaultTimezone
}

// Command is SetDefaultQueue or SetTimezone.
type Command interface{ settingsCommand() }

// SetDefaultQueue names the queue for conversations that nothing else places; an empty id: none.
type SetDefaultQueue struct{ QueueID string }

// SetTimezone names the org's time zone. Only its form is checked here: whoever makes the command has looked it up.
type SetTimezone struct{ Timezone string }

func (SetDefaultQueue) settingsCommand() {}
func (SetTimezone) settingsCommand()     {}

// Evolve is the state after an event.
func Evolve(s State, e events.Event) State {
	switch e := e.(type) {
	case events.SettingsDefaultQueueSet:
		s.DefaultQueueID = e.QueueID
	case events.SettingsTimezoneSet:
		s.Timezone = e.Timezone
	}
	return s
}

// Decide tells what a command makes happen; nothing new is no event.
func Decide(s State, c Command) ([]events.Event, error) {
	switch c := c.(type) {
	case SetDefaultQueue:
		if c.QueueID != "" {
			if err := text.ID("queue_id", c.QueueID); err != nil {
				return nil, err
			}
		}
		if s.DefaultQueueID == c.QueueID {
			return nil, nil
		}
		return []events.Event{events.SettingsDefaultQueueSet{QueueID: c.QueueID}}, nil
	case SetTimezone:
		if c.Timezone == "" || len(c.Timezone) > 64 || strings.ContainsFunc(c.Timezone, notZone) {
			return nil, refusal.ErrTimezoneInvalid
		}
		if s.Timezone == c.Timezone {
			return nil, nil
		}
		return []events.Event{events.SettingsTimezoneSet{Timezone: c.Timezone}}, nil
	default:
		panic(fmt.Sprintf("settings: no decision for %T", c))
	}
}

func notZone(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("/_+-", r)
}

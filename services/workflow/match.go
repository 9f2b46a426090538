package workflow

import (
	"strings"

	"github.com/tidemark-desk/tidemark/events"
)

// matches tells whether the definition's trigger and condition hold for an event. It knows the event alone.
func matches(d events.RuleDefinition, e events.Event) bool {
	if d.On != typeName(e.EventType()) {
		return false
	}
	return d.Contains == "" || strings.Contains(fold(textOf(e)), fold(d.Contains))
}

// fold makes texts comparable without regard to case.
func fold(s string) string { return strings.ToLower(strings.ToUpper(s)) }

// typeName is an event type without its version, as rules name it.
func typeName(eventType string) string {
	if i := strings.LastIndex(eventType, ".v"); i > 0 {
		return eventType[:i]
	}
	return eventType
}

// textOf is what was written in the event. Rules with words can only be made for the types that have it.
func textOf(e events.Event) string {
	switch e := e.(type) {
	case events.ConversationMessageReceived:
		return e.Text
	case events.ConversationMessageWritten:
		return e.Text
	case events.ConversationNoteAdded:
		return e.Text
	default:
		return ""
	}
}

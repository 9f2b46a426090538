package workflow

import (
	"testing"

	"github.com/tidemark-desk/tidemark/events"
)

func TestMatches(t *testing.T) {
	t.Parallel()
	received := func(text string) events.Event { return events.ConversationMessageReceived{Text: text} }
	for _, tc := range []struct {
		Name  string
		On    string
		Words string
		When  events.Event
		Then  bool
	}{
		{"words in another case", "conversation.message_received", "Refund", received("I want a REFUND, please"), true},
		{"words within words", "conversation.message_received", "fund", received("refunds"), true},
		{"one letter for two is not a matter of case", "conversation.message_received", "straße", received("in der STRASSE"), false},
		{"letters with accents", "conversation.message_received", "ÉTÉ", received("cet été"), true},
		{"final sigma", "conversation.message_received", "ΟΔΟΣ", received("οδος"), true},
		{"words are not there", "conversation.message_received", "refund", received("hello"), false},
		{"no words: any", "conversation.message_received", "", received("hello"), true},
		{"another type", "conversation.message_written", "hello", received("hello"), false},
		{"a longer type", "conversation.message", "hello", received("hello"), false},
		{"the version is no part of the name", "conversation.message_received.v1", "hello", received("hello"), false},
		{"a type of a later version", "conversation.priority_set", "", events.ConversationPrioritySet{}, true},
		{"words against a type without text", "conversation.closed", "done", events.ConversationClosed{Reason: "done"}, false},
		{"what the desk wrote", "conversation.message_written", "sorry", events.ConversationMessageWritten{Text: "So sorry"}, true},
		{"a note", "conversation.note_added", "vip", events.ConversationNoteAdded{Text: "VIP!"}, true},
	} {
		t.Run(tc.Name, func(t *testing.T) {
			t.Parallel()
			if got := matches(events.RuleDefinition{On: tc.On, Contains: tc.Words}, tc.When); got != tc.Then {
				t.Fatalf("matches = %v, want %v", got, tc.Then)
			}
		})
	}
}

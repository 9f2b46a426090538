package searchtest

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/tidemark-desk/tidemark/events"
)

// Event draws any event of a conversation but its first.
func Event() *rapid.Generator[events.Event] {
	return rapid.Custom(func(t *rapid.T) events.Event {
		id := rapid.StringMatching(`[a-z]{4}`).Draw(t, "id")
		text := rapid.SampledFrom([]string{
			"Where is my refund?", "The router blinks red", "Café crème, s'il vous plaît", "退款政策在哪里", "", "...", "naïve\nlines\there",
		}).Draw(t, "text")
		tag := rapid.SampledFrom([]string{"vip", "Billing", "bug", "spam"}).Draw(t, "tag")
		agent := events.Actor{Type: events.ActorAgent, ID: "a-" + id}
		return rapid.SampledFrom([]events.Event{
			events.ConversationSubjectSet{Subject: text},
			events.ConversationMessageReceived{MessageID: "m-" + id, CustomerID: "c", Text: text},
			events.ConversationMessageWritten{MessageID: "m-" + id, Author: agent, Text: text},
			events.ConversationNoteAdded{NoteID: "n-" + id, Author: agent, Text: text},
			events.ConversationQueued{QueueID: "q-" + tag},
			events.ConversationAssigned{AgentID: agent.ID},
			events.ConversationUnassigned{AgentID: agent.ID},
			events.ConversationPrioritySet{Priority: events.PriorityHigh},
			events.ConversationTagged{Tag: tag},
			events.ConversationUntagged{Tag: tag},
			events.ConversationAttributesSet{Attributes: map[string]any{"plan": "pro"}},
			events.ConversationSnoozed{},
			events.ConversationWoke{},
			events.ConversationClosed{},
			events.ConversationReopened{},
			events.ConversationReadUpTo{Reader: agent, MessageID: "m-" + id},
			events.ConversationMerged{IntoID: "x"},
			events.ConversationAbsorbed{FromID: "x"},
		}).Draw(t, "event")
	})
}

// Fill writes a log of conversations of two orgs, their events interleaved.
func Fill(t *rapid.T, l *Log, conversations, steps int) {
	at := make([]events.Aggregate, rapid.IntRange(1, conversations).Draw(t, "conversations"))
	for i := range at {
		at[i] = Conversation(fmt.Sprintf("org%d", i%2), fmt.Sprintf("conv%d", i))
		l.Append(at[i], events.ConversationOpened{CustomerID: fmt.Sprintf("cust%d", i%3), Channel: events.ChannelChat, Subject: "Hello"})
	}
	for range rapid.IntRange(0, steps).Draw(t, "steps") {
		l.Append(rapid.SampledFrom(at).Draw(t, "conversation"), Event().Draw(t, "event"))
	}
}

// Conversation names one.
func Conversation(org, id string) events.Aggregate {
	return events.Aggregate{Org: org, Kind: events.KindConversation, ID: id}
}

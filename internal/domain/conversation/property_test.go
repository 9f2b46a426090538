package conversation_test

import (
	"slices"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/testkit/domaintest"
)

func TestProperties(t *testing.T) {
	t.Parallel()
	domaintest.Check(t, domaintest.Aggregate[conversation.State, conversation.Command]{
		Kind: events.KindConversation, Evolve: conversation.Evolve, Decide: conversation.Decide, Given: is(opened),
		Commands: []conversation.Command{
			conversation.Open{},
			conversation.ReceiveMessage{},
			conversation.WriteMessage{},
			conversation.AddNote{},
			conversation.SetSubject{},
			conversation.Queue{},
			conversation.Assign{},
			conversation.RouteTo{},
			conversation.Unassign{},
			conversation.UnassignFrom{},
			conversation.SetPriority{},
			conversation.Tag{},
			conversation.Untag{},
			conversation.SetAttributes{},
			conversation.Snooze{},
			conversation.Wake{},
			conversation.Close{},
			conversation.Reopen{},
			conversation.MarkRead{},
			conversation.MergeInto{},
			conversation.Absorb{},
			conversation.Erase{},
		},
		Fields: domaintest.Fields{
			"Attachments": {photo, invoice, events.Attachment{ID: "no hash", Name: "x", Type: "image/png", Size: 1}},

			"Author":   {ann, zoe, events.Actor{}, events.Actor{Type: events.ActorSystem}},
			"Reader":   {ann, zoe, events.Actor{}},
			"Channel":  {events.ChannelChat, events.ChannelX, events.Channel("pigeon")},
			"Priority": {events.PriorityLow, events.PriorityHigh, events.Priority("asap")},
			"Tag":      {"vip", " VIP", "billing", "a,b", ""},
		},
		Holds: func(s conversation.State) bool {
			return slices.IsSorted(s.Tags) && (!s.Exists || (s.Status == events.StatusSnoozed) != s.Until.IsZero())
		},
	})
}

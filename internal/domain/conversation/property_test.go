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
	again := asked // about the second closing; the first is still owed
	again.Closing = 2
	domaintest.Check(t, domaintest.Aggregate[conversation.State, conversation.Command]{
		Kind: events.KindConversation, Evolve: conversation.Evolve, Decide: conversation.Decide, Given: done(reopened, closed, again),
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
			conversation.RequestSurvey{},
			conversation.AnswerSurvey{},
			conversation.ExpireSurvey{},
		},
		Fields: domaintest.Fields{
			"Attachments": {photo, invoice, events.Attachment{ID: "no hash", Name: "x", Type: "image/png", Size: 1}},

			"Author":   {ann, zoe, events.Actor{}, events.Actor{Type: events.ActorSystem}},
			"Reader":   {ann, zoe, events.Actor{}},
			"Channel":  {events.ChannelChat, events.ChannelX, events.Channel("pigeon")},
			"Priority": {events.PriorityLow, events.PriorityHigh, events.Priority("asap")},
			"SurveyID": {"s1", "s2", "no.id"},
			"Closing":  {1, 2, 3, 0},
			"Score":    {5, 3, 0},
			"Tag":      {"vip", " VIP", "billing", "a,b", ""},
		},
		Holds: func(s conversation.State) bool {
			return slices.IsSorted(s.Tags) && surveyed(s) && (!s.Exists || (s.Status == events.StatusSnoozed) != s.Until.IsZero())
		},
	})
}

// surveyed: only the last closing's survey waits, and only while the conversation is closed and goes on nowhere; no two
// closings share a survey.
func surveyed(s conversation.State) bool {
	seen := map[string]bool{}
	for i, c := range s.Closings {
		over := i < len(s.Closings)-1 || s.Status != events.StatusClosed || s.MergedInto != ""
		if c.Survey == conversation.SurveyWaiting && over || seen[c.SurveyID] || (c.SurveyID == "") != (c.Survey == "") {
			return false
		}
		seen[c.SurveyID] = c.SurveyID != ""
	}
	return true
}

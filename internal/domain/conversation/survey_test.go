package conversation_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
)

var (
	week     = noon.Add(7 * 24 * time.Hour)
	anHour   = noon.Add(time.Hour)
	reopened = events.ConversationReopened{Reason: "by_hand"}
	site     = events.ConversationOpened{CustomerID: "zoe", Channel: events.ChannelChat, ChannelID: "site"}
	asks     = conversation.RequestSurvey{SurveyID: "s1", Closing: 1, Question: "How was it?", ChannelID: "site", ExpiresAt: week}
	asked    = events.ConversationSurveyRequested{
		SurveyID: "s1", Closing: 1, Question: "How was it?", ChannelID: "site", QueueID: "q1", AgentID: "ann", ExpiresAt: week,
	}
	good    = events.ConversationSurveyAnswered{SurveyID: "s1", Score: 5, Comment: "quick", ChangeableUntil: anHour}
	bad     = events.ConversationSurveyAnswered{SurveyID: "s1", Score: 1, ChangeableUntil: anHour}
	expired = events.ConversationSurveyExpired{SurveyID: "s1"}
)

func excused(reason string) events.ConversationSurveyExcused {
	return events.ConversationSurveyExcused{SurveyID: "s1", Closing: 1, Reason: reason, ChannelID: "site", QueueID: "q1", AgentID: "ann"}
}

// done is a conversation that ann closed, and what came then.
func done(then ...events.Event) []events.Event {
	return append([]events.Event{site, m1, queued, given, closed}, then...)
}

func TestSurveysAreAskedOnceForEachClosing(t *testing.T) {
	t.Parallel()
	second := asks
	second.SurveyID, second.Closing = "s2", 2
	secondAsked := asked
	secondAsked.SurveyID, secondAsked.Closing = "s2", 2
	other := asks
	other.SurveyID = "s9"
	run(t, []row{
		{"while closed", done(), asks, is(asked), nil},
		{"asked already", done(asked), asks, nil, nil},
		{"asked already, by another name", done(asked), other, nil, nil},
		{"answered already", done(asked, good), asks, nil, nil},
		{"expired already", done(asked, expired), asks, nil, nil},
		{"excused already", done(excused("reopened"), reopened), asks, nil, nil},
		{"who left the desk since still had it", done(events.ConversationUnassigned{AgentID: "ann", Reason: "left"}), asks, is(asked), nil},
		{"reopened meanwhile", done(reopened), asks, is(excused(conversation.ReasonReopened)), nil},
		{"snoozed meanwhile", done(reopened, slept), asks, is(excused(conversation.ReasonReopened)), nil},
		{"reopened and closed again: the first", done(reopened, closed), asks, is(excused(conversation.ReasonReopened)), nil},
		{"reopened and closed again: the second", done(reopened, closed), second, is(secondAsked), nil},
		{"the second after the first was excused", done(reopened, closed, excused("reopened")), second, is(secondAsked), nil},
		{"merged meanwhile", done(merged), asks, is(excused(conversation.ReasonMerged)), nil},
		{"merged after it was reopened", done(reopened, merged), asks, is(excused(conversation.ReasonMerged)), nil},
		{"erased meanwhile", done(events.ConversationErased{Reason: "x"}), asks, nil, conversation.ErrErased},
		{"never closed", has(m1), asks, nil, refusal.ErrSurveyNotFound},
		{"not closed so often", done(), second, nil, refusal.ErrSurveyNotFound},
		{"no id", done(), conversation.RequestSurvey{Closing: 1}, nil, refusal.ErrIDInvalid},
	})
}

func TestSurveysEndWhenTheConversationGoesOn(t *testing.T) {
	t.Parallel()
	says := conversation.ReceiveMessage{MessageID: "m9", Text: "one more thing"}
	said := events.ConversationMessageReceived{MessageID: "m9", CustomerID: "zoe", Text: "one more thing"}
	wrote := events.ConversationReopened{Reason: conversation.ReasonCustomerWrote}
	run(t, []row{
		{"the customer writes", done(asked), says, is(said, wrote, excused(conversation.ReasonReopened)), nil},
		{"an agent reopens it", done(asked), conversation.Reopen{Reason: "by_hand"}, is(reopened, excused(conversation.ReasonReopened)), nil},
		{"it is merged", done(asked), conversation.MergeInto{IntoID: "other", Reason: "same"}, is(excused(conversation.ReasonMerged), merged), nil},
		{"an answer stays", done(asked, good), says, is(said, wrote), nil},
		{"what expired stays so", done(asked, expired), says, is(said, wrote), nil},
		{"a parting word ends nothing", done(asked), conversation.WriteMessage{MessageID: "m2", Author: ann, Text: "hi"}, is(m2), nil},
		{"its time is over", done(asked), conversation.ExpireSurvey{SurveyID: "s1"}, is(expired), nil},
		{"its time is over again", done(asked, expired), conversation.ExpireSurvey{SurveyID: "s1"}, nil, nil},
		{"its time is over, and it was answered", done(asked, good), conversation.ExpireSurvey{SurveyID: "s1"}, nil, nil},
		{"its time is over, and it was excused", done(asked, reopened, excused("reopened")), conversation.ExpireSurvey{SurveyID: "s1"}, nil, nil},
		{"the time of another", done(asked), conversation.ExpireSurvey{SurveyID: "s9"}, nil, refusal.ErrSurveyNotFound},
	})
}

func TestAnswersToSurveys(t *testing.T) {
	t.Parallel()
	answer := func(score int, comment string, now time.Time) conversation.AnswerSurvey {
		return conversation.AnswerSurvey{SurveyID: "s1", Score: score, Comment: comment, Now: now}
	}
	late := week.Add(-time.Nanosecond)
	run(t, []row{
		{"the first", done(asked), answer(5, "quick", noon), is(good), nil},
		{"a blank comment is none", done(asked), answer(1, " \n", noon), is(bad), nil},
		{"the same again", done(asked, good), answer(5, "quick", noon.Add(time.Minute)), nil, nil},
		{"the same again, long after", done(asked, good), answer(5, "quick", week), nil, nil},
		{"a change of mind within the hour", done(asked, good), answer(1, "", anHour.Add(-time.Nanosecond)), is(bad), nil},
		{"the hour counts from the first answer", done(asked, good, bad), answer(5, "quick", anHour), nil, refusal.ErrSurveyAnswered},
		{"a change of mind after the hour", done(asked, good), answer(1, "", anHour), nil, refusal.ErrSurveyAnswered},
		{"a change within the hour, the conversation goes on", done(asked, good, reopened), answer(1, "", noon), is(bad), nil},
		{"a change within the hour, it goes on elsewhere", done(asked, good, merged), answer(1, "", noon), is(bad), nil},
		{
			"at the last moment", done(asked), answer(1, "", late),
			is(events.ConversationSurveyAnswered{SurveyID: "s1", Score: 1, ChangeableUntil: late.Add(time.Hour)}), nil,
		},
		{"too late, before the timer came", done(asked), answer(5, "", week), nil, refusal.ErrSurveyExpired},
		{"too late", done(asked, expired), answer(5, "", noon), nil, refusal.ErrSurveyExpired},
		{"the conversation went on", done(asked, reopened, excused("reopened")), answer(5, "", noon), nil, refusal.ErrSurveyExcused},
		{"nobody asked", done(), answer(5, "", noon), nil, refusal.ErrSurveyNotFound},
		{"no survey at all", done(), conversation.AnswerSurvey{Score: 5, Now: noon}, nil, refusal.ErrSurveyNotFound},
		{"below the scale", done(asked), answer(0, "", noon), nil, refusal.ErrScoreInvalid},
		{"above the scale", done(asked), answer(6, "", noon), nil, refusal.ErrScoreInvalid},
		{"too long a comment", done(asked), answer(5, strings.Repeat("x", 10_001), noon), nil, refusal.ErrTextInvalid},
	})
}

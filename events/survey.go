package events

import "time"

func init() {
	register[ChannelSurveySet]("Whether visitors of the channel are asked how it went when their conversation is closed, what, and for how long.")
	register[ConversationSurveyRequested]("The visitor is asked how it went; once for each closing.")
	register[ConversationSurveyAnswered]("The visitor said how it went, or changed what they had said.")
	register[ConversationSurveyExpired]("The visitor did not answer in time.")
	register[ConversationSurveyExcused]("The visitor is not asked, or no longer, about a closing.")
}

// Scores of a survey: from the lowest to the highest, and from which on a visitor counts as satisfied.
const (
	LowestScore    = 1
	HighestScore   = 5
	SatisfiedScore = 4
)

// ChannelSurveySet replaces the whole setting. It is in force for later closings.
type ChannelSurveySet struct {
	Enabled           bool   `json:"enabled"`
	Question          string `json:"question,omitempty"`            // empty: whoever shows it has words of their own
	ExpiresAfterHours int    `json:"expires_after_hours,omitempty"` // after the visitor was asked; zero: nobody is
}

// ConversationSurveyRequested asks about one closing, which is counted from 1 within the conversation. Queue and agent are
// those that the conversation had when it was closed.
type ConversationSurveyRequested struct {
	SurveyID  string    `json:"survey_id"`
	Closing   int       `json:"closing"`
	Question  string    `json:"question,omitempty"`
	ChannelID string    `json:"channel_id,omitempty"`
	QueueID   string    `json:"queue_id,omitempty"`
	AgentID   string    `json:"agent_id,omitempty"`
	ExpiresAt time.Time `json:"expires_at"`
}

// ConversationSurveyAnswered is the answer as it is now. It may be changed until a time that the first answer sets.
type ConversationSurveyAnswered struct {
	SurveyID        string    `json:"survey_id"`
	Score           int       `json:"score"` // LowestScore to HighestScore
	Comment         string    `json:"comment,omitempty"`
	ChangeableUntil time.Time `json:"changeable_until"`
}

// ConversationSurveyExpired ends a survey that nobody answered.
type ConversationSurveyExpired struct {
	SurveyID string `json:"survey_id"`
}

// ConversationSurveyExcused ends a survey because of what became of the conversation. It is also what came of a closing
// that nobody had been asked about by then, and so says whose that was.
type ConversationSurveyExcused struct {
	SurveyID  string `json:"survey_id"`
	Closing   int    `json:"closing"`
	Reason    string `json:"reason"`
	ChannelID string `json:"channel_id,omitempty"`
	QueueID   string `json:"queue_id,omitempty"`
	AgentID   string `json:"agent_id,omitempty"`
}

// EventType is on disk.
func (ChannelSurveySet) EventType() string { return "channel.survey_set.v1" }

// EventType is on disk.
func (ConversationSurveyRequested) EventType() string { return "conversation.survey_requested.v1" }

// EventType is on disk.
func (ConversationSurveyAnswered) EventType() string { return "conversation.survey_answered.v1" }

// EventType is on disk.
func (ConversationSurveyExpired) EventType() string { return "conversation.survey_expired.v1" }

// EventType is on disk.
func (ConversationSurveyExcused) EventType() string { return "conversation.survey_excused.v1" }

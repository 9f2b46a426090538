package conversation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
)

// SurveyChangeable is for how long an answer may be changed, from the first one on.
const SurveyChangeable = time.Hour

// Why a closing is excused from its survey.
const (
	ReasonReopened = "reopened" // it was not the end
	ReasonMerged   = "merged"   // it goes on elsewhere
)

// SurveyStatus is what became of the survey about a closing.
type SurveyStatus string

// The statuses. A closing that nobody decided on yet has none.
const (
	SurveyWaiting  SurveyStatus = "waiting"
	SurveyAnswered SurveyStatus = "answered"
	SurveyExpired  SurveyStatus = "expired"
	SurveyExcused  SurveyStatus = "excused"
)

// Closing is one time that the conversation was closed: who had it then, and what became of the survey about it.
type Closing struct {
	QueueID, AgentID string

	SurveyID        string // empty: nothing was decided yet, and perhaps never will
	Survey          SurveyStatus
	ExpiresAt       time.Time
	Score           int
	Comment         string
	ChangeableUntil time.Time
}

// RequestSurvey asks the visitor about a closing, counted from 1. It asks once for ever, and excuses the closing when the
// conversation has been reopened or merged since: whoever asks may be late.
type RequestSurvey struct {
	SurveyID  string
	Closing   int
	Question  string
	ChannelID string
	ExpiresAt time.Time
}

// AnswerSurvey is the visitor's answer, the first or a change of it.
type AnswerSurvey struct {
	SurveyID string
	Score    int
	Comment  string // may be empty
	Now      time.Time
}

// ExpireSurvey says that the time for an answer is over. On a survey that no longer waits it is nothing new, so that a
// timer may be late.
type ExpireSurvey struct{ SurveyID string }

func (RequestSurvey) conversationCommand() {}
func (AnswerSurvey) conversationCommand()  {}
func (ExpireSurvey) conversationCommand()  {}

// SurveyOf finds the closing that a survey is about: its index, or -1.
func (s State) SurveyOf(surveyID string) int {
	return slices.IndexFunc(s.Closings, func(c Closing) bool { return surveyID != "" && c.SurveyID == surveyID })
}

// decideSurvey decides what happens to surveys. Merged conversations are decided here too: what was asked is still owed.
func (s State) decideSurvey(c Command) ([]events.Event, error) {
	switch c := c.(type) {
	case RequestSurvey:
		return s.requestSurvey(c)
	case AnswerSurvey:
		return s.answerSurvey(c)
	case ExpireSurvey:
		at := s.SurveyOf(c.SurveyID)
		switch {
		case at < 0:
			return nil, refusal.ErrSurveyNotFound
		case s.Closings[at].Survey != SurveyWaiting:
			return nil, nil
		}
		return one(events.ConversationSurveyExpired{SurveyID: c.SurveyID})
	default:
		panic(fmt.Sprintf("conversation: no decision for %T", c))
	}
}

func (s State) requestSurvey(c RequestSurvey) ([]events.Event, error) {
	if err := text.ID("survey_id", c.SurveyID); err != nil {
		return nil, err
	}
	question, err := text.Line("question", c.Question, text.MaxLine)
	if err != nil {
		return nil, err
	}
	if c.Closing < 1 || c.Closing > len(s.Closings) {
		return nil, refusal.ErrSurveyNotFound
	}
	closing := s.Closings[c.Closing-1]
	switch {
	case closing.SurveyID != "", s.SurveyOf(c.SurveyID) >= 0:
		return nil, nil
	case c.Closing < len(s.Closings), s.Status != events.StatusClosed:
		closing.SurveyID = c.SurveyID
		return one(closing.excused(c.Closing, c.ChannelID, ReasonReopened))
	case s.MergedInto != "":
		closing.SurveyID = c.SurveyID
		return one(closing.excused(c.Closing, c.ChannelID, ReasonMerged))
	}
	return one(events.ConversationSurveyRequested{
		SurveyID: c.SurveyID, Closing: c.Closing, Question: question,
		ChannelID: c.ChannelID, QueueID: closing.QueueID, AgentID: closing.AgentID, ExpiresAt: c.ExpiresAt.UTC(),
	})
}

func (s State) answerSurvey(c AnswerSurvey) ([]events.Event, error) {
	at := s.SurveyOf(c.SurveyID)
	if at < 0 {
		return nil, refusal.ErrSurveyNotFound
	}
	if c.Score < events.LowestScore || c.Score > events.HighestScore {
		return nil, refusal.ErrScoreInvalid
	}
	if strings.TrimSpace(c.Comment) == "" {
		c.Comment = ""
	} else if err := text.Body("comment", c.Comment); err != nil {
		return nil, err
	}
	closing := s.Closings[at]
	until := closing.ChangeableUntil
	switch {
	case closing.Survey == SurveyExcused:
		return nil, refusal.ErrSurveyExcused
	case closing.Survey == SurveyExpired, closing.Survey == SurveyWaiting && !c.Now.Before(closing.ExpiresAt):
		return nil, refusal.ErrSurveyExpired
	case closing.Survey == SurveyWaiting:
		until = c.Now.Add(SurveyChangeable).UTC()
	case closing.Score == c.Score && closing.Comment == c.Comment:
		return nil, nil
	case !c.Now.Before(until):
		return nil, refusal.ErrSurveyAnswered
	}
	return one(events.ConversationSurveyAnswered{SurveyID: c.SurveyID, Score: c.Score, Comment: c.Comment, ChangeableUntil: until})
}

// excuse is what ends the survey that waits when the conversation goes on; nothing when none does. Only the last closing's
// can wait: whatever begins another period ends it.
func (s State) excuse(reason string) []events.Event {
	n := len(s.Closings)
	if n == 0 || s.Closings[n-1].Survey != SurveyWaiting {
		return nil
	}
	return []events.Event{s.Closings[n-1].excused(n, s.ChannelID, reason)}
}

func (c Closing) excused(number int, channelID, reason string) events.ConversationSurveyExcused {
	return events.ConversationSurveyExcused{
		SurveyID: c.SurveyID, Closing: number, Reason: reason, ChannelID: channelID, QueueID: c.QueueID, AgentID: c.AgentID,
	}
}

// evolveSurvey is the closings after an event of a survey.
func (s State) evolveSurvey(e events.Event) []Closing {
	switch e := e.(type) {
	case events.ConversationSurveyRequested:
		return s.withClosing(e.Closing-1, func(c *Closing) {
			c.SurveyID, c.Survey, c.ExpiresAt = e.SurveyID, SurveyWaiting, e.ExpiresAt
		})
	case events.ConversationSurveyAnswered:
		return s.withClosing(s.SurveyOf(e.SurveyID), func(c *Closing) {
			c.Survey, c.Score, c.Comment, c.ChangeableUntil = SurveyAnswered, e.Score, e.Comment, e.ChangeableUntil
		})
	case events.ConversationSurveyExpired:
		return s.withClosing(s.SurveyOf(e.SurveyID), func(c *Closing) { c.Survey = SurveyExpired })
	case events.ConversationSurveyExcused:
		return s.withClosing(e.Closing-1, func(c *Closing) { c.SurveyID, c.Survey = e.SurveyID, SurveyExcused })
	}
	return s.Closings
}

func (s State) withClosing(at int, change func(*Closing)) []Closing {
	if at < 0 || at >= len(s.Closings) {
		return s.Closings
	}
	closings := slices.Clone(s.Closings)
	change(&closings[at])
	return closings
}

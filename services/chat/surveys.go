package chat

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/web"
)

// Survey is a survey as a visitor sees it. What a stream tells of one has what its event says; history and answers have
// all of it.
type Survey struct {
	ID              string     `json:"id"`
	Status          string     `json:"status"` // waiting, answered, expired, or excused: no longer asked
	Question        string     `json:"question,omitempty"`
	ExpiresAt       *time.Time `json:"expires_at,omitempty"`
	Score           int        `json:"score,omitempty"`
	Comment         string     `json:"comment,omitempty"`
	ChangeableUntil *time.Time `json:"changeable_until,omitempty"`
	Position        string     `json:"position"`
}

// survey is what a visitor sees of an event of a survey; ok is false for every other event. Which agent it is about, and
// why it is no longer asked, stays at the desk.
func (s *Service) survey(e events.Recorded) (v Survey, ok bool) {
	v.Position = s.Log.Position(e.Aggregate, e.Sequence).String()
	var status conversation.SurveyStatus
	switch body := e.Event.(type) {
	case events.ConversationSurveyRequested:
		v.ID, v.Question, v.ExpiresAt, status = body.SurveyID, body.Question, &body.ExpiresAt, conversation.SurveyWaiting
	case events.ConversationSurveyAnswered:
		v.ID, v.Score, v.Comment, v.ChangeableUntil = body.SurveyID, body.Score, body.Comment, &body.ChangeableUntil
		status = conversation.SurveyAnswered
	case events.ConversationSurveyExpired:
		v.ID, status = body.SurveyID, conversation.SurveyExpired
	case events.ConversationSurveyExcused:
		v.ID, status = body.SurveyID, conversation.SurveyExcused
	default:
		return Survey{}, false
	}
	v.Status = string(status)
	return v, true
}

// foldSurvey is the newest survey that a visitor was asked, after an event; nil while there is none, or it is no longer
// asked. One that was excused before it was asked was never theirs.
func (s *Service) foldSurvey(now *Survey, e events.Recorded) *Survey {
	news, ok := s.survey(e)
	switch {
	case !ok:
		return now
	case news.Status == string(conversation.SurveyWaiting):
		return &news
	case now == nil || now.ID != news.ID:
		return now
	case news.Status == string(conversation.SurveyExcused):
		return nil
	}
	news.Question, news.ExpiresAt = now.Question, now.ExpiresAt
	return &news
}

// due brings a survey, if there is one, up to the clock: its timer may be late.
func (v *Survey) due(now time.Time) {
	if v != nil && v.Status == string(conversation.SurveyWaiting) && !now.Before(*v.ExpiresAt) {
		v.Status = string(conversation.SurveyExpired)
	}
}

// answerSurvey takes the visitor's answer. The same answer again adds nothing. A survey of another visitor is not there:
// it is looked for in the visitor's own conversations.
func (s *Service) answerSurvey(w http.ResponseWriter, r *http.Request, v session) error {
	if err := s.open(v); err != nil {
		return err
	}
	answer := conversation.AnswerSurvey{SurveyID: r.PathValue("id"), Now: s.Clock()}
	if err := decodeAnswer(r, &answer); err != nil {
		return err
	}
	v, err := s.asked(r.Context(), v, answer.SurveyID)
	if err != nil {
		return err
	}
	a := v.conversation()
	meta := command.Meta{Actor: events.Actor{Type: events.ActorCustomer}}
	result, err := s.conversations.Handle(r.Context(), a.Org, a.ID, meta, answer)
	if errors.Is(err, conversation.ErrNotFound) {
		return refusal.ErrSurveyNotFound // nothing was ever said, so nothing was asked
	}
	if err != nil {
		return ofVisitor(err)
	}
	state, _, err := s.conversations.State(r.Context(), a.Org, a.ID)
	if err != nil {
		return err
	}
	position := result.Position.String()
	w.Header().Set("Tidemark-Position", position)
	out := Survey{ID: answer.SurveyID, Status: string(conversation.SurveyAnswered), Score: answer.Score, Comment: answer.Comment, Position: position}
	if at := state.SurveyOf(answer.SurveyID); at >= 0 {
		closing := state.Closings[at]
		out.Score, out.Comment, out.ChangeableUntil = closing.Score, closing.Comment, &closing.ChangeableUntil
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// asked is the session in the conversation that a survey is of; if it is of none of the visitor's, in their first.
func (s *Service) asked(ctx context.Context, v session, survey string) (session, error) {
	all, err := s.own(ctx, v)
	if err != nil {
		return v, err
	}
	for _, o := range all {
		if o.State.SurveyOf(survey) >= 0 {
			return o.session, nil
		}
	}
	return v, nil
}

// decodeAnswer reads {"score": 5, "comment": "…"}. All that is wrong with it is told at once.
func decodeAnswer(r *http.Request, into *conversation.AnswerSurvey) error {
	raw, err := io.ReadAll(r.Body) // web.CheckRequest has bounded it
	if err != nil {
		return web.ErrBodyMalformed.WithCause(err)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil || object == nil {
		return web.ErrBodyMalformed.WithHint("send one JSON object")
	}
	var wrong []fault.Field
	refuse := func(name, message string) {
		wrong = append(wrong, fault.Field{Location: "body." + name, Message: message})
	}
	if _, there := object["score"]; !there {
		refuse("score", "expected required property")
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		value := object[name]
		switch name {
		case "score":
			score, err := strconv.Atoi(string(value))
			if err != nil || score < events.LowestScore || score > events.HighestScore {
				refuse(name, "expected a number from 1 to 5")
			}
			into.Score = score
		case "comment":
			if value[0] != '"' || json.Unmarshal(value, &into.Comment) != nil {
				refuse(name, "expected string")
			}
		default:
			refuse(name, "unexpected property")
		}
	}
	if len(wrong) > 0 {
		return web.Invalid(wrong...)
	}
	return nil
}

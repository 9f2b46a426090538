package api

import (
	"context"
	"net/http"
	"time"

	"github.com/tidemark-desk/tidemark/projections/surveys"
)

// Survey is one closing of a chat for which a survey was owed, and what came of it.
type Survey struct {
	ID             string    `json:"id"`
	ConversationID string    `json:"conversation_id"`
	ChannelID      string    `json:"channel_id"`
	QueueID        *string   `json:"queue_id" doc:"Where the conversation was when it was closed; null: in none."`
	AgentID        *string   `json:"agent_id" doc:"Who had the conversation when it was closed; null: nobody."`
	Status         string    `json:"status" enum:"waiting,answered,expired,excused"`
	Asked          bool      `json:"asked" doc:"The visitor was asked. One that is excused may not have been."`
	Score          *int      `json:"score" doc:"1 to 5; null while there is no answer."`
	Comment        string    `json:"comment"`
	DecidedAt      time.Time `json:"decided_at" doc:"When the visitor was asked, or it was decided not to."`
}

// ListSurveys is which surveys are asked for.
type ListSurveys struct {
	Reading
	Paging
	Status       string    `query:"status" enum:"waiting,answered,expired,excused,any" default:"answered"`
	Conversation string    `query:"conversation" maxLength:"64" doc:"Id."`
	Agent        string    `query:"agent" maxLength:"64" doc:"Id, me, or none."`
	Queue        string    `query:"queue" maxLength:"64" doc:"Id, or none."`
	Channel      string    `query:"channel" maxLength:"64" doc:"Id."`
	MinScore     int       `query:"min_score" minimum:"1" maximum:"5"`
	MaxScore     int       `query:"max_score" minimum:"1" maximum:"5"`
	From         time.Time `query:"from" doc:"Visitors who were asked from then on."`
	To           time.Time `query:"to" doc:"Visitors who were asked before."`
}

func (s *Service) registerSurveys() {
	add(s, operation{
		id: "list-surveys", method: http.MethodGet, path: "/v1/surveys", tag: "Reports",
		summary: "List what visitors said, the newest survey first",
		doc:     "Agent and queue are those that the conversation had when it was closed. What erased customers said is not in it.",
		codes:   []string{"not_yet", "position_unknown", "cursor_invalid", "cursor_mismatch"},
	}, s.listSurveys)
}

func (s *Service) listSurveys(ctx context.Context, in *ListSurveys) (*Answer[List[Survey]], error) {
	switch {
	case !in.To.IsZero() && !in.To.After(in.From):
		return nil, wrong("query.to", "must be after from")
	case in.MaxScore > 0 && in.MaxScore < in.MinScore:
		return nil, wrong("query.max_score", "must not be below min_score")
	}
	fresh, err := s.fresh(ctx, in.Reading, surveysModel)
	if err != nil {
		return nil, err
	}
	c := callerOf(ctx)
	q := surveys.ListQuery{
		Status: in.Status, Conversation: in.Conversation, Agent: in.Agent, Queue: in.Queue, Channel: in.Channel,
		LowestScore: in.MinScore, HighestScore: in.MaxScore, From: in.From, To: in.To, Limit: in.Limit, Cursor: in.Cursor,
	}
	if q.Status == "any" {
		q.Status = ""
	}
	if q.Agent == "me" {
		q.Agent = c.AgentID
	}
	page, err := s.Reads.Surveys.List(ctx, c.OrgID, q)
	if err != nil {
		return nil, err
	}
	return &Answer[List[Survey]]{List[Survey]{Items: each(page.Items, surveyOf), Links: next(ctx, page.Next), AsOf: fresh}}, nil
}

func surveyOf(v surveys.Survey) Survey {
	out := Survey{
		ID: v.ID, ConversationID: v.ConversationID, ChannelID: v.ChannelID, QueueID: some(v.QueueID), AgentID: some(v.AgentID),
		Status: v.Status, Asked: v.Asked, Comment: v.Comment, DecidedAt: v.DecidedAt,
	}
	if v.Score > 0 {
		out.Score = &v.Score
	}
	return out
}

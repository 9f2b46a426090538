package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/typing"
	"github.com/tidemark-desk/tidemark/internal/web"
)

// Typing tells who is typing; it is no part of the log.
type Typing interface {
	Send(org, conversationID string, by events.Actor, now time.Time) error
	Listen(org, conversationID string, fn func(typing.Signal)) (stop func())
}

// TypingEvent is the data of a typing event of the stream. It has no id: it is not in the log, and resuming skips it.
type TypingEvent struct {
	Of        string    `json:"of"` // id of the conversation
	Actor     Author    `json:"actor"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (s *Service) registerTyping() {
	add(s, operation{
		id: "show-typing", method: http.MethodPost, path: "/v1/conversations/{id}/typing", tag: "Conversations", status: http.StatusNoContent,
		summary: "Say that you are typing",
		doc: "The visitor and other agents see it for 6 seconds, in their streams, as an event `typing` without an id. Say it again " +
			"every few seconds; more often is dropped. It is not kept anywhere.",
		codes: []string{"conversation_not_found", "conversation_erased"},
	}, s.agentTypes)
}

func (s *Service) agentTypes(ctx context.Context, in *ByID) (*struct{}, error) {
	c := callerOf(ctx)
	state, _, err := s.conversations.State(ctx, c.OrgID, in.ID)
	switch {
	case err != nil:
		return nil, err
	case state.Erased:
		return nil, conversation.ErrErased
	case !state.Exists:
		return nil, conversation.ErrNotFound
	}
	if s.Typing == nil {
		return &struct{}{}, nil
	}
	return &struct{}{}, s.Typing.Send(c.OrgID, in.ID, events.Actor{Type: events.ActorAgent, ID: c.AgentID}, s.Clock())
}

// showTyping sends who types, but the caller, to a stream until stop is called: of a conversation, or of all.
func (s *Service) showTyping(out *web.Stream, c *caller, conversationID string) (stop func()) {
	if s.Typing == nil {
		return func() {}
	}
	return s.Typing.Listen(c.OrgID, conversationID, func(t typing.Signal) {
		if t.By == (events.Actor{Type: events.ActorAgent, ID: c.AgentID}) {
			return
		}
		data, err := json.Marshal(TypingEvent{Of: t.ConversationID, Actor: Author{Type: t.By.Type, ID: t.By.ID}, ExpiresAt: t.Expires})
		if err == nil {
			_ = out.Send("", "typing", data) // a stream that is broken ends by itself
		}
	})
}

package chat

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/typing"
	"github.com/tidemark-desk/tidemark/internal/web"
)

// eventTyping tells that somebody at the desk is typing. It has no id: it is not in the log, and resuming skips it.
const eventTyping = "typing"

// Typing tells who is typing; it is no part of the log.
type Typing interface {
	Send(org, conversationID string, by events.Actor, now time.Time) error
	Listen(org, conversationID string, fn func(typing.Signal)) (stop func())
}

// typingEvent is an agent who is typing until a time, unless it is said again.
type typingEvent struct {
	AgentID   string    `json:"agent_id"`
	ExpiresAt time.Time `json:"expires_at"`
}

// visitorTypes says to the desk that the visitor is typing in one of their conversations. More often than is useful is no
// error, and nothing either.
func (s *Service) visitorTypes(w http.ResponseWriter, r *http.Request, v session) error {
	var id string
	if err := decode(r, map[string]*string{"conversation_id": &id}); err != nil {
		return err
	}
	if err := s.open(v); err != nil {
		return err
	}
	v, err := s.at(r.Context(), v, id)
	if err != nil {
		return err
	}
	if s.Typing != nil {
		by := events.Actor{Type: events.ActorCustomer, ID: v.Visitor}
		if err := s.Typing.Send(v.Org, v.conversation().ID, by, s.Clock()); err != nil {
			return err
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// showTyping sends who types at the desk to a stream until stop is called.
func (s *Service) showTyping(out *web.Stream, v session) (stop func()) {
	if s.Typing == nil {
		return func() {}
	}
	return s.Typing.Listen(v.Org, v.conversation().ID, func(t typing.Signal) {
		if t.By.Type != events.ActorAgent {
			return
		}
		if data, err := json.Marshal(typingEvent{AgentID: t.By.ID, ExpiresAt: t.Expires}); err == nil {
			_ = out.Send("", eventTyping, data) // a stream that is broken ends by itself
		}
	})
}

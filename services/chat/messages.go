package chat

import (
	"net/http"
	"strings"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/web"
)

// messageRequest is a message with an id that the client made, so that it can be sent again without harm.
type messageRequest struct{ ID, Text string }

// messageAnswer says where the message stands.
type messageAnswer struct {
	ID             string `json:"id"`
	Position       string `json:"position"`
	ConversationID string `json:"conversation_id"`
}

// Message is a message as a visitor sees it.
type Message struct {
	ID        string    `json:"id"`
	From      string    `json:"from"` // you, agent, or desk for automations
	AgentID   string    `json:"agent_id,omitempty"`
	Text      string    `json:"text"`
	CreatedAt time.Time `json:"created_at"`
	Position  string    `json:"position"`
}

// history is a visitor's messages; the stream goes on behind Position.
type history struct {
	ConversationID string    `json:"conversation_id"`
	Status         string    `json:"status"` // none before the first message, then open or closed
	Items          []Message `json:"items"`
	Position       string    `json:"position"`
}

// postMessage writes the visitor's message. The first one opens the conversation, with the customer, in one batch.
func (s *Service) postMessage(w http.ResponseWriter, r *http.Request, v session) error {
	var in messageRequest
	if err := decode(r, map[string]*string{"id": &in.ID, "text": &in.Text}); err != nil {
		return err
	}
	if !events.ValidID(in.ID) {
		return web.Invalid(fault.Field{Location: "body.id", Message: "is 1 to 64 letters, digits, '-' or '_', made by the client"})
	}
	if err := text.Body("body.text", in.Text); err != nil {
		return err
	}
	position, err := s.receive(r.Context(), v, in)
	if err != nil {
		return err
	}
	w.Header().Set("Tidemark-Position", position)
	return web.WriteJSON(w, http.StatusCreated, messageAnswer{ID: in.ID, Position: position, ConversationID: v.conversation().ID})
}

// commandID of a message: the client's id, kept apart from the ids of other visitors and of the desk.
func (v session) commandID(id string) string { return "chat:" + v.Visitor + ":" + id }

// digest of a message: a resend must say the same.
func (in messageRequest) digest() string { return command.Digest(in.Text) }

// listMessages reads the conversation from the log.
func (s *Service) listMessages(w http.ResponseWriter, r *http.Request, v session) error {
	a := v.conversation()
	recorded, err := s.Log.Read(r.Context(), a, 0)
	if err != nil {
		return err
	}
	out := history{ConversationID: a.ID, Status: "none", Items: []Message{}}
	for _, e := range recorded {
		switch e.Event.(type) {
		case events.ConversationOpened, events.ConversationReopened:
			out.Status = statusOpen
		case events.ConversationClosed, events.ConversationMerged:
			out.Status = statusClosed
		case events.ConversationErased:
			return errErased
		}
		if m, ok := s.message(v, e); ok {
			out.Items = append(out.Items, m)
		}
		out.Position = s.Log.Position(a, e.Sequence).String()
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// message is what a visitor sees of an event; ok is false for everything that is not said to them.
func (s *Service) message(v session, e events.Recorded) (m Message, ok bool) {
	m = Message{CreatedAt: e.Time, Position: s.Log.Position(e.Aggregate, e.Sequence).String()}
	switch body := e.Event.(type) {
	case events.ConversationMessageReceived:
		m.ID, m.Text, m.From = body.MessageID, body.Text, "you"
		if own, mine := strings.CutPrefix(e.Command, v.commandID("")); mine {
			m.ID = own // as the client knows it
		}
	case events.ConversationMessageWritten:
		m.ID, m.Text, m.From = body.MessageID, body.Text, "desk"
		if body.Author.Type == events.ActorAgent {
			m.From, m.AgentID = "agent", body.Author.ID
		}
	default:
		return Message{}, false
	}
	return m, true
}

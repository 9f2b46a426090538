package chat

import (
	"net/http"
	"strings"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/attachment"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/web"
)

// fromVisitor is who wrote or read what the visitor did.
const fromVisitor = "you"

// messageRequest is a message with an id that the client made, so that it can be sent again without harm. It has a text,
// files that were uploaded, or both.
type messageRequest struct {
	ID, Text, ConversationID string

	Files []events.Attachment
	late  error // why the files are not taken any more, unless the message was taken before
}

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

	Attachments []attachment.Attachment `json:"attachments,omitempty"`
}

// postMessage writes the visitor's message, to the named conversation or the present one. The first one opens the
// conversation, with the customer, in one batch.
func (s *Service) postMessage(w http.ResponseWriter, r *http.Request, v session) error {
	var in messageRequest
	var uploads []string
	if err := s.limitMessage(r, v); err != nil {
		return err
	}
	err := decode(r, map[string]*string{"id": &in.ID, "text": &in.Text, "conversation_id": &in.ConversationID},
		map[string]*[]string{"attachments": &uploads})
	if err != nil {
		return err
	}
	if err := in.check(len(uploads) > 0); err != nil {
		return err
	}
	v, err = s.target(r.Context(), v, &in, uploads)
	if err != nil {
		return err
	}
	return s.answerMessage(w, r, v, in)
}

func (s *Service) answerMessage(w http.ResponseWriter, r *http.Request, v session, in messageRequest) error {
	position, err := s.receive(r.Context(), v, in)
	if err != nil {
		return err
	}
	w.Header().Set("Tidemark-Position", position)
	return web.WriteJSON(w, http.StatusCreated, messageAnswer{ID: in.ID, Position: position, ConversationID: v.conversation().ID})
}

// commandID of a message: the client's id, kept apart from the ids of other visitors and of the desk.
func (v session) commandID(id string) string { return "chat:" + v.Visitor + ":" + id }

// digest of a message: a resend must say the same, with the same files; they may have been uploaded anew.
func (in messageRequest) digest() string {
	if len(in.Files) == 0 {
		return command.Digest(in.Text)
	}
	return command.Digest([]any{in.Text, in.Files})
}

// message is what a visitor sees of an event; ok is false for everything that is not said to them.
func (s *Service) message(v session, e events.Recorded) (m Message, ok bool) {
	m = Message{CreatedAt: e.Time, Position: s.Log.Position(e.Aggregate, e.Sequence).String()}
	switch body := e.Event.(type) {
	case events.ConversationMessageReceived:
		m.ID, m.Text, m.From = body.MessageID, body.Text, fromVisitor
		m.Attachments = s.show(e.Aggregate, body.Attachments)
		if own, mine := strings.CutPrefix(e.Command, v.commandID("")); mine {
			m.ID = own // as the client knows it
		}
	case events.ConversationMessageWritten:
		m.ID, m.Text, m.From = body.MessageID, body.Text, "desk"
		m.Attachments = s.show(e.Aggregate, body.Attachments)
		if body.Author.Type == events.ActorAgent {
			m.From, m.AgentID = "agent", body.Author.ID
		}
	default:
		return Message{}, false
	}
	return m, true
}

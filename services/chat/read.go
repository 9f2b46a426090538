package chat

import (
	"context"
	"net/http"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/intake"
	"github.com/tidemark-desk/tidemark/internal/web"
)

// eventRead tells how far somebody has read.
const eventRead = "read"

// readRequest says that everything up to a message was read.
type readRequest struct{ MessageID, ConversationID string }

// readAnswer says where the mark stands.
type readAnswer struct {
	ConversationID string `json:"conversation_id"`
	Position       string `json:"position"`
}

// readEvent is how far the visitor, on any of their devices, or the desk has read.
type readEvent struct {
	By        string `json:"by"` // you or agent
	MessageID string `json:"message_id"`
	Position  string `json:"position"`
}

// tellRead sends how far somebody has read. Marks are rare, so the conversation is read for the id by which the visitor
// knows the message.
func (s *Service) tellRead(ctx context.Context, out *web.Stream, v session, e events.Recorded, mark events.ConversationReadUpTo) error {
	read := readEvent{By: "agent", Position: s.Log.Position(e.Aggregate, e.Sequence).String()}
	switch mark.Reader.Type {
	case events.ActorAgent:
	case events.ActorCustomer:
		read.By = fromVisitor
	default:
		return nil // what no person has read
	}
	recorded, err := s.Log.Read(ctx, e.Aggregate, 0)
	if err != nil {
		return err
	}
	for _, r := range recorded {
		if messageID(r.Event) == mark.MessageID {
			m, _ := s.message(v, r)
			read.MessageID = m.ID
		}
	}
	return send(out, eventRead, read.Position, read)
}

// markRead keeps how far the visitor has read. A mark never goes back, and one that is there already adds nothing.
func (s *Service) markRead(w http.ResponseWriter, r *http.Request, v session) error {
	var in readRequest
	if err := decode(r, map[string]*string{"message_id": &in.MessageID, "conversation_id": &in.ConversationID}); err != nil {
		return err
	}
	if !events.ValidID(in.MessageID) {
		return web.Invalid(fault.Field{Location: "body.message_id", Message: "is the id of a message of the conversation"})
	}
	if err := s.open(v); err != nil {
		return err
	}
	v, err := s.at(r.Context(), v, in.ConversationID)
	if err != nil {
		return err
	}
	a := v.conversation()
	state, _, err := s.conversations.State(r.Context(), a.Org, a.ID)
	if err != nil {
		return err
	}
	id := in.MessageID
	if !state.Messages.Has(id) {
		id = v.messageID(in.MessageID) // one of the visitor's own
	}
	reader := events.Actor{Type: events.ActorCustomer, ID: v.Visitor}
	m := command.Meta{Actor: events.Actor{Type: events.ActorCustomer}}
	result, err := s.conversations.Handle(r.Context(), a.Org, a.ID, m, conversation.MarkRead{Reader: reader, MessageID: id})
	if err != nil {
		return ofVisitor(err)
	}
	position := result.Position.String()
	w.Header().Set("Tidemark-Position", position)
	return web.WriteJSON(w, http.StatusOK, readAnswer{ConversationID: a.ID, Position: position})
}

// messageID is the id in the log of a message to which the visitor's client gave an id.
func (v session) messageID(id string) string {
	return intake.MessageID(v.conversation().ID, v.commandID(id), 0)
}

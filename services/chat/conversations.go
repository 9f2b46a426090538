package chat

import (
	"net/http"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/web"
)

// errConversations refuses another conversation to a visitor who has as many as are looked for.
var errConversations = fault.New(fault.Conflict, "conversations_full", "a visitor has at most 100 conversations at a channel").
	WithHint("go on in one of those that are there")

// conversationList is the visitor's conversations, the one first that a message goes to when none is named.
type conversationList struct {
	Items []Conversation `json:"items"`
}

// Conversation is one of the visitor's conversations as they see it.
type Conversation struct {
	ID        string    `json:"id"`
	Status    string    `json:"status"`       // open or closed
	StartedAt time.Time `json:"started_at"`   // when its first message was written
	Last      *Message  `json:"last_message"` // null: nothing was said yet
	Unread    int       `json:"unread"`       // messages of the desk behind the visitor's read mark
	ReadUpTo  string    `json:"read_up_to"`   // id of the last message that the visitor has read; empty: none
	SeenUpTo  string    `json:"seen_up_to"`   // id of the last message that somebody at the desk has read; empty: none
	Position  string    `json:"position"`     // behind which its stream goes on
}

// listConversations reads the visitor's conversations from the log: the ids follow from the visitor.
func (s *Service) listConversations(w http.ResponseWriter, r *http.Request, v session) error {
	if err := s.open(v); err != nil {
		return err
	}
	for name := range r.URL.Query() {
		return web.Invalid(fault.Field{Location: "query." + name, Message: "unknown query parameter"})
	}
	if s.erased(r.Context(), v) {
		return errErased
	}
	all, err := s.own(r.Context(), v)
	if err != nil {
		return err
	}
	out := conversationList{Items: make([]Conversation, 0, min(len(all), usualPage))}
	for _, o := range all[:min(len(all), usualPage)] {
		recorded, err := s.Log.Read(r.Context(), o.conversation(), 0)
		if err != nil {
			return err
		}
		out.Items = append(out.Items, s.summary(o.session, recorded))
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// summary folds what a visitor sees of a conversation at a glance.
func (s *Service) summary(v session, recorded []events.Recorded) Conversation {
	out := Conversation{ID: v.conversation().ID, Status: statusOpen}
	type said struct {
		id   string // as the visitor knows it
		desk int    // messages of the desk up to this one
	}
	known, desk, read := map[string]said{}, 0, 0 // by the id in the log
	for _, e := range recorded {
		out.Position = s.Log.Position(e.Aggregate, e.Sequence).String()
		switch body := e.Event.(type) {
		case events.ConversationOpened:
			out.StartedAt = e.Time
		case events.ConversationReopened:
			out.Status = statusOpen
		case events.ConversationClosed, events.ConversationMerged:
			out.Status = statusClosed
		case events.ConversationReadUpTo:
			switch body.Reader.Type {
			case events.ActorCustomer:
				out.ReadUpTo, read = known[body.MessageID].id, known[body.MessageID].desk
			case events.ActorAgent:
				out.SeenUpTo = known[body.MessageID].id
			default: // what no person has read
			}
		}
		m, ok := s.message(v, e)
		if !ok {
			continue
		}
		if m.From != fromVisitor {
			desk++
		}
		known[messageID(e.Event)] = said{id: m.ID, desk: desk}
		out.Last = &m
	}
	out.Unread = desk - read
	return out
}

// messageID is the id of a message in the log.
func messageID(e events.Event) string {
	switch e := e.(type) {
	case events.ConversationMessageReceived:
		return e.MessageID
	case events.ConversationMessageWritten:
		return e.MessageID
	default:
		return ""
	}
}

// startConversation begins a further conversation with its first message, beside those that are open. The same message
// again answers as the first time.
func (s *Service) startConversation(w http.ResponseWriter, r *http.Request, v session) error {
	var in messageRequest
	if err := s.limitMessage(r, v); err != nil {
		return err
	}
	var uploads []string
	if err := decode(r, map[string]*string{"id": &in.ID, "text": &in.Text}, map[string]*[]string{"attachments": &uploads}); err != nil {
		return err
	}
	if err := in.check(len(uploads) > 0); err != nil {
		return err
	}
	begun, err := s.begun(r.Context(), v, v.Visitor)
	if err != nil {
		return err
	}
	next := v
	next.nth = len(begun)
	all, err := s.own(r.Context(), v)
	if err != nil {
		return err
	}
	at, err := s.taken(r.Context(), all, in, next)
	switch {
	case err != nil:
		return err
	case at.nth >= maxConversations:
		return errConversations
	}
	if len(uploads) > 0 { // of a resend they may have been uploaded anew, for what would be begun next
		if _, in.Files, in.late, err = s.redeem(v, uploads, at, next); err != nil {
			return err
		}
	}
	return s.answerMessage(w, r, at, in)
}

// check tells what is wrong with a message, before anything is asked.
func (in messageRequest) check(files bool) error {
	if !events.ValidID(in.ID) {
		return web.Invalid(fault.Field{Location: "body.id", Message: "is 1 to 64 letters, digits, '-' or '_', made by the client"})
	}
	if in.Text == "" && files {
		return nil
	}
	return text.Body("body.text", in.Text)
}

package chat

import (
	"cmp"
	"context"
	"errors"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/domain/customer"
	"github.com/tidemark-desk/tidemark/internal/intake"
)

// Intake takes first messages.
type Intake interface {
	Open(ctx context.Context, org string, m command.Meta, r intake.Request) (intake.Opened, error)
	Identify(ctx context.Context, org string, m command.Meta, p intake.Proven) (string, error)
}

// receive writes a message to the visitor's conversation, which it opens when this is the first. The id of the
// command follows from the client's id of the message, so a resend answers as the first time, for ever.
func (s *Service) receive(ctx context.Context, v session, in messageRequest) (string, error) {
	a := v.conversation()
	m := command.Meta{
		ID: v.commandID(in.ID), Digest: in.digest(),
		Actor: events.Actor{Type: events.ActorCustomer},
	}
	if refusal := cmp.Or(s.open(v), in.late); refusal != nil {
		r, err := s.conversations.Refuse(ctx, a.Org, a.ID, m, refusal)
		return r.Position.String(), err
	}
	messageID := v.messageID(in.ID)
	r, err := s.conversations.Handle(ctx, a.Org, a.ID, m, conversation.ReceiveMessage{MessageID: messageID, Text: in.Text, Attachments: in.Files})
	if err == nil {
		return r.Position.String(), nil
	}
	if !errors.Is(err, conversation.ErrNotFound) {
		return "", ofVisitor(err)
	}
	o, err := s.Intake.Open(ctx, a.Org, m, intake.Request{
		ConversationID: a.ID, Channel: events.ChannelChat, ChannelID: v.Channel,
		Customer: intake.Customer{VisitorID: v.Visitor, Name: v.Profile.Name},
		Message:  intake.Message{ID: messageID, Text: in.Text, Attachments: in.Files},
	})
	if err != nil {
		return "", ofVisitor(err)
	}
	s.noteProfile(ctx, v)
	return o.Position.String(), nil
}

// ofVisitor is what a visitor is told of a refusal: not what became of whom, but that their session means nothing now.
func ofVisitor(err error) error {
	if errors.Is(err, conversation.ErrErased) || errors.Is(err, customer.ErrErased) {
		return errErased
	}
	return err
}

// noteProfile keeps with the conversation what the visitor said of themselves. It is not proven, so it must not lead
// to a customer: anybody could say it. The message has been accepted by then; failing here costs only the note.
func (s *Service) noteProfile(ctx context.Context, v session) {
	attributes := map[string]any{}
	if v.Profile.Email != "" {
		attributes["visitor_email"] = v.Profile.Email
	}
	if v.Profile.ExternalID != "" && !v.Identified { // whose it is stands with the customer
		attributes["visitor_external_id"] = v.Profile.ExternalID
	}
	if len(attributes) == 0 {
		return
	}
	a := v.conversation()
	m := command.Meta{ID: "chat:" + v.Visitor + ":profile", Actor: events.Actor{Type: events.ActorCustomer}}
	if _, err := s.conversations.Handle(ctx, a.Org, a.ID, m, conversation.SetAttributes{Attributes: attributes}); err != nil {
		s.Logger.WarnContext(ctx, "the visitor's profile was not noted", "subject", a.String(), "error", err)
	}
}

package api

import (
	"context"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/intake"
)

// customerCodes are those of whatever makes customers known, openCodes of what opens conversations.
var (
	customerCodes = []string{"identity_invalid", "text_invalid", "identity_taken", "customer_not_found", "customer_erased", "customer_merged"}
	openCodes     = append([]string{
		"channel_not_found", "channel_disabled", "channel_invalid", "event_too_large", "conversation_erased",
		"attachment_unknown", "attachment_expired", "attachments_invalid",
	}, customerCodes...)
)

// OpenConversation is the input of a new conversation.
type OpenConversation struct {
	Writing
	Body struct {
		Channel   events.Channel `json:"channel" enum:"chat,email,sms,x,facebook"`
		ChannelID string         `json:"channel_id,omitempty" maxLength:"64" doc:"Of one of the org's channels."`
		Subject   string         `json:"subject,omitempty" maxLength:"500"`
		Customer  CustomerRef    `json:"customer"`
		Message   struct {
			Text        string   `json:"text,omitempty" maxLength:"10000" doc:"May be empty when there are attachments."`
			Attachments []string `json:"attachments,omitempty" maxItems:"10" doc:"Ids of files that were uploaded for opening with this Idempotency-Key."`
		} `json:"message"`
	}
}

// CustomerRef names a customer by id, or says what is known about them.
type CustomerRef struct {
	ID         string `json:"id,omitempty" maxLength:"64" doc:"Of a customer who is known."`
	Name       string `json:"name,omitempty" maxLength:"200" doc:"For a customer who has none yet."`
	Email      string `json:"email,omitempty" maxLength:"254"`
	Phone      string `json:"phone,omitempty" maxLength:"32" doc:"With its country: +49…"`
	ExternalID string `json:"external_id,omitempty" maxLength:"200" doc:"The customer's id in your own system."`
}

// Opened answers a new conversation.
type Opened struct {
	ID         string                `json:"id"`
	CustomerID string                `json:"customer_id"`
	MessageID  string                `json:"message_id"`
	Status     events.Status         `json:"status" enum:"open,snoozed,closed"`
	Position   string                `json:"position"`
	Elsewhere  []events.IdentityType `json:"elsewhere,omitempty" doc:"Addresses that belong to another customer, and stay there."`
}

// openConversation takes the first message. The strongest address that is known decides who the customer is. What came with
// its files, if they can no longer be sent, is answered as the first time when it has happened.
func (s *Service) openConversation(ctx context.Context, in *OpenConversation) (*Written[Opened], error) {
	c := callerOf(ctx)
	m := in.meta(ctx, in.Body)
	id := intake.ConversationID(c.OrgID, m)
	if len(in.Body.Message.Attachments) > 0 && in.IdempotencyKey == "" {
		return nil, wrong("header.Idempotency-Key", "is that for which the attachments were uploaded")
	}
	files, err := s.redeem(c, id, in.Body.Message.Attachments)
	if err != nil {
		if _, err := s.conversations.Refuse(ctx, c.OrgID, id, m, err); err != nil {
			return nil, err
		}
	}
	o, err := s.Intake.Open(ctx, c.OrgID, m, intake.Request{
		ConversationID: id,
		Channel:        in.Body.Channel, ChannelID: in.Body.ChannelID, Subject: in.Body.Subject,
		Customer: in.Body.Customer.intake(), Message: intake.Message{Text: in.Body.Message.Text, Attachments: files},
	})
	if err != nil {
		return nil, err
	}
	position := o.Position.String()
	return written(position, Opened{
		ID: o.ConversationID, CustomerID: o.CustomerID, MessageID: o.MessageID, Status: o.Status,
		Position: position, Elsewhere: o.Elsewhere,
	}), nil
}

func (r CustomerRef) intake() intake.Customer {
	return intake.Customer{ID: r.ID, Name: r.Name, Email: r.Email, Phone: r.Phone, ExternalID: r.ExternalID}
}

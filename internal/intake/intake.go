// Package intake takes a customer's first message: it finds or makes the customer, opens the conversation and keeps
// the message, all in one atomic batch of the log, once.
//
// The API, chat and import share it. It asks no database: an address leads to its claim, a claim to its customer. Two
// who bring one new address at the same moment meet at the claim, and the second finds the customer of the first.
//
// A message is never refused because its addresses contradict each other. The strongest address that is known decides
// who the customer is (external id, email, phone, X, Facebook, in this order; an id before all), addresses that belong
// to somebody else stay with them and are reported, and new ones are added. The caller answers for the addresses: what
// an unknown visitor merely says must not be passed on as one.
package intake

import (
	"context"
	"strconv"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/aggregates"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/claim"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/domain/customer"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
)

// Directory is what intake needs of the directory.
type Directory interface {
	Org(id string) (directory.Org, bool)
	Channel(org, id string) (directory.Channel, bool)
}

// Request is a conversation to be opened.
type Request struct {
	ConversationID string // empty: derived from the command's id
	Channel        events.Channel
	ChannelID      string // may be empty
	Subject        string // may be empty
	Customer       Customer
	Message        Message
	More           []Message // after the first, in the same batch; an import brings whole conversations
}

// Customer says who writes: by id, or by addresses. Nothing at all makes a customer without a name.
type Customer struct {
	ID         string // of a customer who exists
	VisitorID  string // under which somebody becomes a customer with their first message; without ID and addresses
	Name       string // given to a customer who has none yet
	Email      string
	Phone      string
	ExternalID string
	X          string
	Facebook   string
}

// Message is one message.
type Message struct {
	ID     string       // empty: derived from the conversation and the command's id
	Author events.Actor // zero or a customer: the customer wrote; any other: the desk did
	Text   string       // may be empty when there are attachments
	At     time.Time    // when it was written, if not now

	Attachments []events.Attachment
}

// Opened is what came of a Request.
type Opened struct {
	ConversationID string
	CustomerID     string
	MessageID      string // of the first message
	Position       events.Position
	Status         events.Status
	Replayed       bool                  // it had been opened before this call
	Events         []events.Recorded     // that the command added, now or the first time
	Elsewhere      []events.IdentityType // addresses of the request that belong to another customer; not told on a replay
}

// Intake opens conversations.
type Intake struct {
	loop          *command.Loop
	directory     Directory
	conversations *command.Handler[conversation.State, conversation.Command]
	customers     *command.Handler[customer.State, customer.Command]
	claims        *command.Handler[claim.State, claim.Command]
}

// New makes an Intake.
func New(loop *command.Loop, d Directory) *Intake {
	return &Intake{
		loop: loop, directory: d,
		conversations: aggregates.Conversations(loop),
		customers:     aggregates.Customers(loop),
		claims:        aggregates.Claims(loop),
	}
}

// Open finds or makes the customer, opens the conversation and keeps its messages, all or nothing. The same command id
// answers with what came of it the first time; on a conversation that exists, the messages that are new are added.
// Position is of the conversation.
func (i *Intake) Open(ctx context.Context, org string, m command.Meta, r Request) (Opened, error) {
	tenant, ok := i.directory.Org(org)
	if !ok {
		return Opened{}, refusal.ErrOrgNotFound
	}
	who, err := addresses(tenant, r.Customer)
	if err != nil {
		return Opened{}, err
	}
	if m.ID == "" {
		m.ID = events.NewID()
	}
	if r.ConversationID == "" {
		r.ConversationID = ConversationID(org, m)
	}
	messages := append([]Message{r.Message}, r.More...)
	for n := range messages {
		if messages[n].ID == "" {
			messages[n].ID = MessageID(r.ConversationID, m.ID, n)
		}
	}

	var opened Opened
	result, err := i.loop.Atomic(ctx, m, func(tx *command.Tx) error {
		opened = Opened{ConversationID: r.ConversationID, MessageID: messages[0].ID}
		// The conversation comes first: when the command has happened, it is the one to answer, whatever became of the
		// channel since.
		state, _, err := command.Peek(tx, i.conversations, org, r.ConversationID)
		switch {
		case err != nil:
			return err
		case state.Erased:
			return conversation.ErrErased
		}
		if err := i.checkChannel(org, r); err != nil {
			return err
		}
		found, err := i.customer(tx, org, r, who)
		if err != nil {
			return err
		}
		opened.CustomerID, opened.Elsewhere = found.id, found.elsewhere
		return i.talk(tx, org, r, found.id, messages, &opened)
	})
	if err != nil {
		return Opened{}, err
	}
	opened.Position, opened.Replayed, opened.Events = result.Position, result.Replayed, result.Events
	if opened.Status == "" { // the command had happened: its events tell what came of it
		opened.Status = events.StatusOpen
		opened.read(result.Events)
	}
	return opened, nil
}

// ConversationID is the id of the conversation that a command opens which names none. It is known before there is one, so
// that files can be kept for it.
func ConversationID(org string, m command.Meta) string {
	return command.DeriveID("conversation", org, m.Actor.String(), m.ID)
}

// MessageID is the id of the nth message of a command that gave it none, counted from 0.
func MessageID(conversationID, commandID string, n int) string {
	return command.DeriveID("message", conversationID, commandID, strconv.Itoa(n))
}

func (i *Intake) checkChannel(org string, r Request) error {
	if r.ChannelID == "" {
		return nil
	}
	c, ok := i.directory.Channel(org, r.ChannelID)
	switch {
	case !ok, c.Type != r.Channel:
		return refusal.ErrChannelNotFound
	case c.Disabled:
		return refusal.ErrChannelDisabled
	}
	return nil
}

// talk stages the conversation and its messages.
func (i *Intake) talk(tx *command.Tx, org string, r Request, customerID string, messages []Message, opened *Opened) error {
	if err := i.open(tx, org, r, customerID); err != nil {
		return err
	}
	for _, m := range messages {
		var c conversation.Command = conversation.WriteMessage{MessageID: m.ID, Author: m.Author, Text: m.Text, At: m.At, Attachments: m.Attachments}
		if m.Author.Type == "" || m.Author.Type == events.ActorCustomer {
			c = conversation.ReceiveMessage{MessageID: m.ID, CustomerID: customerID, Text: m.Text, At: m.At, Attachments: m.Attachments}
		}
		if err := command.Stage(tx, i.conversations, org, r.ConversationID, c); err != nil {
			return err
		}
	}
	state, _, err := command.Peek(tx, i.conversations, org, r.ConversationID)
	opened.Status = state.Status
	return err
}

// open stages the conversation. One that exists must be this customer's, who may have taken over from another since.
func (i *Intake) open(tx *command.Tx, org string, r Request, customerID string) error {
	state, exists, err := command.Peek(tx, i.conversations, org, r.ConversationID)
	if err != nil {
		return err
	}
	if exists && state.CustomerID != customerID {
		now, _, err := i.follow(tx, org, state.CustomerID)
		if err != nil {
			return err
		}
		if now == customerID {
			customerID = state.CustomerID
		}
	}
	return command.Stage[conversation.State, conversation.Command](tx, i.conversations, org, r.ConversationID, conversation.Open{
		CustomerID: customerID, Channel: r.Channel, ChannelID: r.ChannelID, Subject: r.Subject,
	})
}

// read takes the answer from the events of the first time.
func (o *Opened) read(recorded []events.Recorded) {
	o.CustomerID, o.MessageID = "", ""
	for _, r := range recorded {
		switch e := r.Event.(type) {
		case events.ConversationOpened:
			o.CustomerID = e.CustomerID
		case events.ConversationMessageReceived:
			if o.CustomerID == "" {
				o.CustomerID = e.CustomerID
			}
			if o.MessageID == "" {
				o.MessageID = e.MessageID
			}
		case events.ConversationMessageWritten:
			if o.MessageID == "" {
				o.MessageID = e.MessageID
			}
		}
	}
}

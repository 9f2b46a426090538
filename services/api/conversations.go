package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/projections/inbox"
	"github.com/tidemark-desk/tidemark/projections/timeline"
)

// Conversation is a conversation as the list shows it.
type Conversation struct {
	ID           string           `json:"id"`
	CustomerID   string           `json:"customer_id"`
	Channel      events.Channel   `json:"channel" enum:"chat,email,sms,x,facebook"`
	ChannelID    *string          `json:"channel_id"`
	Subject      string           `json:"subject"`
	Status       events.Status    `json:"status" enum:"open,snoozed,closed"`
	QueueID      *string          `json:"queue_id"`
	AssigneeID   *string          `json:"assignee_id"`
	Priority     events.Priority  `json:"priority" enum:"low,normal,high,urgent"`
	Tags         []string         `json:"tags" nullable:"false"`
	Attributes   map[string]any   `json:"attributes"`
	CreatedAt    time.Time        `json:"created_at"`
	UpdatedAt    time.Time        `json:"updated_at" doc:"Of the last change; reading changes nothing, and neither do surveys."`
	SnoozedUntil *time.Time       `json:"snoozed_until"`
	WaitingSince *time.Time       `json:"waiting_since" doc:"When the customer wrote first since a person last answered."`
	LastMessage  *LastMessage     `json:"last_message"`
	Counts       ConversationSize `json:"counts"`
	MergedInto   *string          `json:"merged_into" doc:"The conversation in which this one goes on."`
}

// LastMessage is the beginning of the newest message.
type LastMessage struct {
	From    string    `json:"from" doc:"customer, agent or workflow."`
	Preview string    `json:"preview" doc:"Its first 200 characters."`
	At      time.Time `json:"at"`
}

// ConversationSize counts what a conversation holds.
type ConversationSize struct {
	Messages         int `json:"messages"`
	Notes            int `json:"notes"`
	UnreadByDesk     int `json:"unread_by_desk" doc:"Customer's messages since an agent answered or read."`
	UnreadByCustomer int `json:"unread_by_customer" doc:"Desk's messages since the customer wrote or read."`
}

// ConversationWithMessages is a conversation with its newest messages.
type ConversationWithMessages struct {
	Conversation
	Messages List[Message] `json:"messages" doc:"The newest messages, oldest first; links.next has those before."`
	AsOf     *AsOf         `json:"as_of"`
}

// ListConversations is what a list can be asked for.
type ListConversations struct {
	Reading
	Paging
	Status   string `query:"status" enum:"open,snoozed,closed,any" default:"open"`
	Queue    string `query:"queue" maxLength:"64" doc:"Id, or none."`
	Assignee string `query:"assignee" maxLength:"64" doc:"Id, me, or none."`
	Tag      string `query:"tag" maxLength:"64"`
	Channel  string `query:"channel" enum:"chat,email,sms,x,facebook"`
	Customer string `query:"customer" maxLength:"64" doc:"Id."`
	Priority string `query:"priority" enum:"low,normal,high,urgent"`
	Sort     string `query:"sort" enum:"updated_at,-updated_at,created_at,-created_at,waiting_since,-waiting_since,priority,-priority" default:"-updated_at" doc:"A minus sign reverses."`
}

func (s *Service) registerConversations() {
	const tag = "Conversations"
	add(s, operation{
		id: "list-conversations", method: http.MethodGet, path: "/v1/conversations", tag: tag,
		summary: "List conversations",
		codes:   []string{"not_yet", "position_unknown", "filter_invalid", "cursor_invalid", "cursor_mismatch"},
	}, s.listConversations)
	add(s, operation{
		id: "get-conversation", method: http.MethodGet, path: "/v1/conversations/{id}", tag: tag,
		summary: "Get a conversation with its newest messages",
		codes:   []string{"conversation_not_found", "not_yet", "position_unknown"},
	}, s.getConversation)
	add(s, operation{
		id: "open-conversation", method: http.MethodPost, path: "/v1/conversations", tag: tag, status: http.StatusCreated,
		summary: "Open a conversation with the customer's first message",
		doc:     "The customer is one that is known, by id or by an address, or becomes known. All of it is written at once or not at all.",
		codes:   openCodes,
	}, s.openConversation)
}

func (s *Service) listConversations(ctx context.Context, in *ListConversations) (*Answer[List[Conversation]], error) {
	c := callerOf(ctx)
	fresh, err := s.fresh(ctx, in.Reading, inboxModel)
	if err != nil {
		return nil, err
	}
	if in.Assignee == "me" {
		in.Assignee = c.AgentID
	}
	page, err := s.Reads.Inbox.List(ctx, c.OrgID, inbox.Query{
		Status: in.Status, Queue: in.Queue, Assignee: in.Assignee, Tag: in.Tag, Channel: in.Channel,
		Customer: in.Customer, Priority: in.Priority, Sort: in.Sort, Limit: in.Limit, Cursor: in.Cursor,
	})
	if err != nil {
		return nil, err
	}
	return &Answer[List[Conversation]]{List[Conversation]{
		Items: each(page.Items, conversationOf), Links: next(ctx, page.Next), AsOf: fresh,
	}}, nil
}

// GetConversation names a conversation.
type GetConversation struct {
	ByID
	Reading
}

// getConversation reads from the read models. One that they do not know yet although the log has it, such as the
// caller's own of a moment ago, is waited for like any min_position.
func (s *Service) getConversation(ctx context.Context, in *GetConversation) (*Answer[ConversationWithMessages], error) {
	org := callerOf(ctx).OrgID
	fresh, err := s.freshOf(ctx, in.ID, in.Reading, inboxModel, timelineModel)
	if err != nil {
		return nil, err
	}
	found, err := s.Reads.Inbox.Get(ctx, org, in.ID)
	if errors.Is(err, inbox.ErrNotFound) {
		fresh, err = s.freshConversation(ctx, org, in.ID, inboxModel, timelineModel)
		if err != nil {
			return nil, err
		}
		found, err = s.Reads.Inbox.Get(ctx, org, in.ID)
	}
	if err != nil {
		return nil, err
	}
	messages, err := s.Reads.Timeline.Messages(ctx, org, in.ID, timeline.Query{Limit: newestShown, NewestFirst: true})
	if err != nil {
		return nil, err
	}
	return &Answer[ConversationWithMessages]{ConversationWithMessages{
		Conversation: conversationOf(found), Messages: s.newestMessages(ctx, in.ID, messages), AsOf: fresh,
	}}, nil
}

// freshConversation waits for the read models to know a conversation that the log has.
func (s *Service) freshConversation(ctx context.Context, org, id string, models ...string) (*AsOf, error) {
	state, seq, err := s.conversations.State(ctx, org, id)
	if err != nil {
		return nil, err
	}
	if !state.Exists || state.Erased {
		return nil, inbox.ErrNotFound
	}
	p := s.Log.Position(events.Aggregate{Org: org, Kind: events.KindConversation, ID: id}, seq)
	return s.freshOf(ctx, id, Reading{MinPosition: p.String()}, models...)
}

// ChangeConversation is the part of the input that every change of a conversation has.
type ChangeConversation struct {
	ByID
	Writing
}

// change runs one command on a conversation.
func (s *Service) change(ctx context.Context, in ChangeConversation, body any, c conversation.Command) (*Written[Done], error) {
	r, err := s.conversations.Handle(ctx, callerOf(ctx).OrgID, in.ID, in.meta(ctx, body), c)
	if err != nil {
		return nil, err
	}
	return done(in.ID, r), nil
}

// refuse answers a change that names what is not there, or no longer: as the first time when it was made before that.
func (s *Service) refuse(ctx context.Context, in ChangeConversation, body any, refusal error) (*Written[Done], error) {
	r, err := s.conversations.Refuse(ctx, callerOf(ctx).OrgID, in.ID, in.meta(ctx, body), refusal)
	if err != nil {
		return nil, err
	}
	return done(in.ID, r), nil
}

func conversationOf(c inbox.Conversation) Conversation {
	out := Conversation{
		ID: c.ID, CustomerID: c.CustomerID, Channel: c.Channel, ChannelID: some(c.ChannelID), Subject: c.Subject,
		Status: c.Status, QueueID: some(c.QueueID), AssigneeID: some(c.AssigneeID), Priority: c.Priority, Tags: c.Tags,
		Attributes: c.Attributes, CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt, SnoozedUntil: c.SnoozedUntil,
		WaitingSince: c.WaitingSince, MergedInto: some(c.MergedInto),
		Counts: ConversationSize{
			Messages: c.MessageCount, Notes: c.NoteCount,
			UnreadByDesk: c.UnreadByDesk, UnreadByCustomer: c.UnreadByCustomer,
		},
	}
	if c.LastMessageAt != nil {
		out.LastMessage = &LastMessage{From: c.LastMessageFrom, Preview: c.LastMessagePreview, At: *c.LastMessageAt}
	}
	return out
}

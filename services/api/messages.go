package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/attachment"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/projections/timeline"
)

// Message is something that was written.
type Message struct {
	ID        string    `json:"id"`
	Author    Author    `json:"author"`
	Text      string    `json:"text"`
	CreatedAt time.Time `json:"created_at"`

	Attachments []attachment.Attachment `json:"attachments,omitempty" doc:"Files, with links that work for some hours."`
}

// Author is who wrote.
type Author struct {
	Type string `json:"type" doc:"customer, agent, workflow, import or system."`
	ID   string `json:"id,omitempty"`
}

func (s *Service) registerMessages() {
	const tag = "Conversations"
	add(s, operation{
		id: "list-messages", method: http.MethodGet, path: "/v1/conversations/{id}/messages", tag: tag,
		summary: "List a conversation's messages, oldest first",
		codes:   []string{"conversation_not_found", "not_yet", "position_unknown", "cursor_invalid", "cursor_mismatch"},
	}, s.listMessages)
	add(s, operation{
		id: "post-message", method: http.MethodPost, path: "/v1/conversations/{id}/messages", tag: tag, status: http.StatusCreated,
		summary: "Write a message",
		doc: "As the key's agent, or for the customer. A customer's message opens a closed or snoozed conversation again. It has a text, " +
			"attachments, or both.",
		codes: []string{
			"conversation_not_found", "conversation_erased", "conversation_merged", "text_invalid", "event_too_large",
			"attachment_unknown", "attachment_expired", "attachments_invalid",
		},
	}, s.postMessage)
	add(s, operation{
		id: "list-notes", method: http.MethodGet, path: "/v1/conversations/{id}/notes", tag: tag,
		summary: "List a conversation's notes, oldest first",
		codes:   []string{"conversation_not_found", "not_yet", "position_unknown", "cursor_invalid", "cursor_mismatch"},
	}, s.listNotes)
	add(s, operation{
		id: "post-note", method: http.MethodPost, path: "/v1/conversations/{id}/notes", tag: tag, status: http.StatusCreated,
		summary: "Leave a note that the customer never sees",
		doc:     "It has a text, attachments, or both. Nobody but agents gets to them.",
		codes: []string{
			"conversation_not_found", "conversation_erased", "conversation_merged", "text_invalid", "event_too_large",
			"attachment_unknown", "attachment_expired", "attachments_invalid",
		},
	}, s.postNote)
}

// PostMessage is the input of a message.
type PostMessage struct {
	ChangeConversation
	Body PostMessageBody
}

// PostMessageBody is a message.
type PostMessageBody struct {
	Text   string `json:"text,omitempty" maxLength:"10000" doc:"May be empty when there are attachments."`
	Author *struct {
		Type string `json:"type" enum:"agent,customer" doc:"agent is the key's agent."`
	} `json:"author,omitempty" doc:"Default: the key's agent."`
	Attachments []string `json:"attachments,omitempty" maxItems:"10" doc:"Ids of files that were uploaded for this conversation."`
}

func (s *Service) postMessage(ctx context.Context, in *PostMessage) (*Written[Done], error) {
	c := callerOf(ctx)
	m := in.meta(ctx, in.Body)
	id := command.DeriveID("message", in.ID, m.ID)
	files, err := s.redeem(c, in.ID, in.Body.Attachments)
	if err != nil {
		r, err := s.conversations.Refuse(ctx, c.OrgID, in.ID, m, err)
		if err != nil {
			return nil, err
		}
		return done(id, r), nil
	}
	var cmd conversation.Command = conversation.WriteMessage{MessageID: id, Author: c.actor(), Text: in.Body.Text, Attachments: files}
	if in.Body.Author != nil && in.Body.Author.Type == events.ActorCustomer {
		cmd = conversation.ReceiveMessage{MessageID: id, Text: in.Body.Text, Attachments: files}
	}
	r, err := s.conversations.Handle(ctx, c.OrgID, in.ID, m, cmd)
	if err != nil {
		return nil, err
	}
	return done(id, r), nil
}

// PostNote is the input of a note.
type PostNote struct {
	ChangeConversation
	Body PostNoteBody
}

// PostNoteBody is a note.
type PostNoteBody struct {
	Text        string   `json:"text,omitempty" maxLength:"10000" doc:"May be empty when there are attachments."`
	Attachments []string `json:"attachments,omitempty" maxItems:"10" doc:"Ids of files that were uploaded for this conversation."`
}

func (s *Service) postNote(ctx context.Context, in *PostNote) (*Written[Done], error) {
	c := callerOf(ctx)
	m := in.meta(ctx, in.Body)
	id := command.DeriveID("note", in.ID, m.ID)
	files, err := s.redeem(c, in.ID, in.Body.Attachments)
	if err != nil {
		r, err := s.conversations.Refuse(ctx, c.OrgID, in.ID, m, err)
		if err != nil {
			return nil, err
		}
		return done(id, r), nil
	}
	note := conversation.AddNote{NoteID: id, Author: c.actor(), Text: in.Body.Text, Attachments: files}
	r, err := s.conversations.Handle(ctx, c.OrgID, in.ID, m, note)
	if err != nil {
		return nil, err
	}
	return done(id, r), nil
}

// ListMessages is what the lists of messages and notes can be asked for.
type ListMessages struct {
	ByID
	Reading
	Paging
	Order string `query:"order" enum:"oldest,newest" default:"oldest" doc:"Which come first."`
}

func (s *Service) listMessages(ctx context.Context, in *ListMessages) (*Answer[List[Message]], error) {
	return s.listEntries(ctx, in, s.Reads.Timeline.Messages)
}

func (s *Service) listNotes(ctx context.Context, in *ListMessages) (*Answer[List[Message]], error) {
	return s.listEntries(ctx, in, s.Reads.Timeline.Notes)
}

// listEntries reads a page. When it is empty, it may be that the conversation is not there, or not yet.
func (s *Service) listEntries(ctx context.Context, in *ListMessages,
	read func(ctx context.Context, org, conversationID string, q timeline.Query) (timeline.Page, error),
) (*Answer[List[Message]], error) {
	org := callerOf(ctx).OrgID
	fresh, err := s.freshOf(ctx, in.ID, in.Reading, timelineModel)
	if err != nil {
		return nil, err
	}
	q := timeline.Query{Limit: in.Limit, Cursor: in.Cursor, NewestFirst: in.Order == "newest"}
	page, err := read(ctx, org, in.ID, q)
	if err == nil && len(page.Items) == 0 && in.Cursor == "" {
		if fresh, err = s.freshConversation(ctx, org, in.ID, timelineModel); err == nil {
			page, err = read(ctx, org, in.ID, q)
		}
	}
	if err != nil {
		return nil, err
	}
	return &Answer[List[Message]]{List[Message]{Items: s.messagesOf(ctx, page), Links: next(ctx, page.Next), AsOf: fresh}}, nil
}

// newestShown is how many messages come with a conversation.
const newestShown = 50

// newestMessages turns a page of the newest messages around, so that they read downwards.
func (s *Service) newestMessages(ctx context.Context, id string, page timeline.Page) List[Message] {
	out := List[Message]{Items: s.messagesOf(ctx, page)}
	slices.Reverse(out.Items)
	if page.Next != "" {
		q := url.Values{"order": {"newest"}, "cursor": {page.Next}}
		out.Links.Next = "/v1/conversations/" + id + "/messages?" + q.Encode()
	}
	return out
}

func (s *Service) messagesOf(ctx context.Context, page timeline.Page) []Message {
	return each(page.Items, func(e timeline.Entry) Message {
		return Message{
			ID: e.ID, Author: Author{Type: e.Author.Type, ID: e.Author.ID}, Text: e.Text, CreatedAt: e.At,
			Attachments: s.attachmentsOf(ctx, e),
		}
	})
}

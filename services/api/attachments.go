package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/attachment"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/intake"
	"github.com/tidemark-desk/tidemark/internal/web"
	"github.com/tidemark-desk/tidemark/projections/timeline"
)

// uploadPath takes files: the body is the file.
const uploadPath = "/v1/attachments"

// longestUpload is how long a file may take to arrive and be kept.
const longestUpload = 3 * time.Minute

// ownerDesk is who brought a file, where an agent did: a colleague may send it.
const ownerDesk = "desk"

// Files takes and shows attachments.
type Files interface {
	Receive(w http.ResponseWriter, r *http.Request, o attachment.Owner, name string, exists func(ctx context.Context) error) (attachment.Uploaded, error)
	Redeem(o attachment.Owner, ids []string) ([]events.Attachment, error)
	Show(org, conversationID string, list []events.Attachment) []attachment.Attachment
}

func (s *Service) registerAttachments() {
	add(s, operation{
		id: "upload-attachment", method: http.MethodPost, path: uploadPath, tag: "Conversations", status: http.StatusCreated,
		summary: "Upload a file for a message or a note",
		doc: "The body is the file, at most 10 MiB. List its id in the attachments of a message or a note of that conversation, within a day; until " +
			"then nobody sees it, and what is with a note no customer ever sees. For the first message of a conversation that is yet to be opened, name the " +
			"Idempotency-Key with which you will open it. What type it is, is found in the file: the Content-Type says nothing. Uploading again keeps nothing twice.",
		codes: []string{"conversation_not_found", "conversation_erased", "attachment_too_large", "files_unavailable", "log_unavailable"},
		file:  true, longest: longestUpload,
	}, s.uploadAttachment)
}

// UploadAttachment is a file that comes.
type UploadAttachment struct {
	Conversation string `query:"conversation" maxLength:"64" doc:"Id of the conversation whose message or note will have it."`
	Opening      string `query:"opening" maxLength:"255" doc:"Instead: the Idempotency-Key with which you will open a conversation."`
	Name         string `query:"name" maxLength:"1000" doc:"Of the file."`
	raw          huma.Context
}

// Resolve keeps the request, whose body the handler reads by itself.
func (in *UploadAttachment) Resolve(ctx huma.Context) []error {
	in.raw = ctx
	return nil
}

func (s *Service) uploadAttachment(ctx context.Context, in *UploadAttachment) (*Answer[attachment.Uploaded], error) {
	if s.Files == nil {
		return nil, web.ErrNoRoute
	}
	c := callerOf(ctx)
	id := in.Conversation
	switch {
	case (id == "") == (in.Opening == ""):
		return nil, wrong("query.conversation", "or opening is needed, and not both")
	case id == "":
		id = intake.ConversationID(c.OrgID, Writing{IdempotencyKey: in.Opening}.meta(ctx, nil))
	}
	kept := func(ctx context.Context) error {
		if err := s.kept(ctx, c.OrgID, id); in.Opening == "" || !errors.Is(err, conversation.ErrNotFound) {
			return err
		}
		return nil // it is yet to be opened
	}
	if err := kept(ctx); err != nil {
		return nil, err
	}
	r, w := humago.Unwrap(in.raw)
	u, err := s.Files.Receive(w, r.WithContext(ctx), attachment.Owner{Org: c.OrgID, Conversation: id, By: ownerDesk}, in.Name, kept)
	if err != nil {
		return nil, err
	}
	return &Answer[attachment.Uploaded]{u}, nil
}

// kept tells whether a conversation is there and may have files.
func (s *Service) kept(ctx context.Context, org, id string) error {
	state, _, err := s.conversations.State(ctx, org, id)
	switch {
	case err != nil:
		return err
	case state.Erased:
		return conversation.ErrErased
	case !state.Exists:
		return conversation.ErrNotFound
	}
	return nil
}

// redeem gives the files that a message or a note lists.
func (s *Service) redeem(c *caller, conversationID string, ids []string) ([]events.Attachment, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	if s.Files == nil {
		return nil, attachment.ErrUnknown
	}
	return s.Files.Redeem(attachment.Owner{Org: c.OrgID, Conversation: conversationID, By: ownerDesk}, ids)
}

// attachmentsOf are the files of an entry, which are in the folder of the conversation where it happened.
func (s *Service) attachmentsOf(ctx context.Context, e timeline.Entry) []attachment.Attachment {
	if s.Files == nil || len(e.Attachments) == 0 {
		return nil
	}
	return s.Files.Show(callerOf(ctx).OrgID, e.ConversationID, e.Attachments)
}

// filesOf are the files of an event.
func (s *Service) filesOf(e events.Recorded) []attachment.Attachment {
	var list []events.Attachment
	switch m := e.Event.(type) {
	case events.ConversationMessageReceived:
		list = m.Attachments
	case events.ConversationMessageWritten:
		list = m.Attachments
	case events.ConversationNoteAdded:
		list = m.Attachments
	}
	if s.Files == nil || len(list) == 0 {
		return nil
	}
	return s.Files.Show(e.Org, e.Aggregate.ID, list)
}

package chat

import (
	"context"
	"errors"
	"net/http"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/attachment"
	"github.com/tidemark-desk/tidemark/internal/web"
)

// uploadPath takes files: the body is the file.
const uploadPath = "/chat/v1/attachments"

// Files takes and shows attachments.
type Files interface {
	Receive(w http.ResponseWriter, r *http.Request, o attachment.Owner, name string, exists func(ctx context.Context) error) (attachment.Uploaded, error)
	Redeem(o attachment.Owner, ids []string) ([]events.Attachment, error)
	Show(org, conversationID string, list []events.Attachment) []attachment.Attachment
}

// conversationNew names the conversation that the visitor is about to begin beside those that they have.
const conversationNew = "new"

// upload keeps a file for one of the visitor's conversations: the named one, or the one that a message goes to now, also
// before it begins. A message must list it to be seen by anybody.
func (s *Service) upload(w http.ResponseWriter, r *http.Request, v session) error {
	if s.Files == nil {
		return web.ErrNoRoute
	}
	if err := s.open(v); err != nil {
		return err
	}
	if err := s.limitFile(w.Header(), r, v); err != nil {
		return err
	}
	at, err := s.uploadsTo(r, v)
	if err != nil {
		return err
	}
	kept := func(ctx context.Context) error { return s.kept(ctx, at) }
	if err := kept(r.Context()); err != nil {
		return err
	}
	u, err := s.Files.Receive(w, r, v.owner(at), r.URL.Query().Get("name"), kept)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusCreated, u)
}

// uploadsTo is the conversation that a file is for.
func (s *Service) uploadsTo(r *http.Request, v session) (session, error) {
	id := r.URL.Query().Get("conversation_id")
	if id != conversationNew {
		return s.at(r.Context(), v, id)
	}
	begun, err := s.begun(r.Context(), v, v.Visitor)
	v.nth = len(begun)
	return v, err
}

// kept tells whether what the visitor brings may be kept: not once they were erased.
func (s *Service) kept(ctx context.Context, v session) error {
	state, _, err := s.conversations.State(ctx, v.Org, v.conversation().ID)
	if err == nil && state.Erased {
		return errErased
	}
	return err
}

// Exists tells whether a conversation is there, and was not erased.
func (s *Service) Exists(ctx context.Context, org, conversationID string) (bool, error) {
	state, _, err := s.conversations.State(ctx, org, conversationID)
	return state.Exists && !state.Erased, err
}

// owner is whose the files are that the visitor has uploaded for a conversation.
func (s session) owner(at session) attachment.Owner {
	return attachment.Owner{Org: s.Org, Conversation: at.conversation().ID, By: "visitor:" + s.Visitor}
}

// redeem gives the files that a message lists, and the first of the conversations that they were uploaded for: what is kept
// in the folder of one is not in that of another. late says that they are not taken any more.
func (s *Service) redeem(v session, ids []string, where ...session) (at session, files []events.Attachment, late, err error) {
	err = attachment.ErrUnknown
	if s.Files == nil {
		return v, nil, nil, err
	}
	for _, at = range where {
		files, err = s.Files.Redeem(v.owner(at), ids)
		if errors.Is(err, attachment.ErrExpired) {
			return at, files, err, nil
		}
		if err == nil {
			return at, files, nil, nil
		}
	}
	return v, nil, nil, err
}

// show gives the files of a message to whoever reads it.
func (s *Service) show(a events.Aggregate, list []events.Attachment) []attachment.Attachment {
	if s.Files == nil || len(list) == 0 {
		return nil
	}
	return s.Files.Show(a.Org, a.ID, list)
}

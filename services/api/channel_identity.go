package api

import (
	"context"
	"net/http"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/channel"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
)

func (s *Service) registerChannelIdentity(tag string) {
	add(s, operation{
		id: "rotate-identity-secret", method: http.MethodPost, path: "/v1/channels/{id}/identity-secret", tag: tag,
		status: http.StatusCreated, admin: true, summary: "Make a new identity secret",
		doc: "With it the channel's site proves to the chat who a visitor is: `user_hash` is the hexadecimal HMAC-SHA256 of `external_id`. " +
			"The secret before holds as well until the next rotation, so that the site can change over. Keep it on the site's server.",
		codes: []string{"channel_not_found", "channel_not_chat", "text_invalid"},
	}, s.rotateIdentitySecret)
	add(s, operation{
		id: "require-identity", method: http.MethodPut, path: "/v1/channels/{id}/identity", tag: tag, admin: true,
		summary: "Take only visitors whose site has proven who they are, or anybody",
		codes:   []string{"channel_not_found", "channel_not_chat", "identity_secret_missing", "text_invalid"},
	}, s.requireIdentity)
	add(s, operation{
		id: "revoke-sessions", method: http.MethodDelete, path: "/v1/channels/{id}/sessions", tag: tag, admin: true,
		summary: "End all chat sessions of a channel",
		doc: "Their tokens are refused with `session_revoked` and their streams end, in every process. Who comes back is somebody new, unless the site proves who they are. " +
			"Sessions that are opened from then on are not concerned.",
		codes: []string{"channel_not_found", "channel_not_chat", "text_invalid"},
	}, s.revokeSessions)
}

// RotateIdentitySecret is the input of a rotation.
type RotateIdentitySecret struct {
	ByID
	Writing
	Body *struct {
		Reason string `json:"reason,omitempty" maxLength:"200"`
	}
}

// IdentitySecret answers a rotation.
type IdentitySecret struct {
	Done
	Version int    `json:"version"`
	Secret  string `json:"secret,omitempty" doc:"It is shown in this answer alone; a repeated request shows it again while it is the newest."`
}

func (s *Service) rotateIdentitySecret(ctx context.Context, in *RotateIdentitySecret) (*Written[IdentitySecret], error) {
	orgID := callerOf(ctx).OrgID
	before, _, err := s.channels.State(ctx, orgID, in.ID)
	if err != nil {
		return nil, err
	}
	rotate := channel.RotateIdentitySecret{After: before.IdentityVersion}
	if in.Body != nil {
		rotate.Reason = in.Body.Reason
	}
	r, err := s.channels.Handle(ctx, orgID, in.ID, in.meta(ctx, in.Body), rotate)
	if err != nil {
		return nil, err
	}
	s.seen(ctx, r.Position)
	position := r.Position.String()
	out := IdentitySecret{Done: Done{ID: in.ID, Position: position}, Version: before.IdentityVersion + 1}
	for _, e := range r.Events {
		if rotated, ok := e.Event.(events.ChannelIdentitySecretRotated); ok {
			out.Version = rotated.Version
		}
	}
	state, _, err := s.channels.State(ctx, orgID, in.ID)
	if err != nil {
		return nil, err
	}
	org, known := s.Directory.Org(orgID)
	if !known {
		return nil, refusal.ErrOrgNotFound
	}
	if state.IdentityVersion == out.Version {
		out.Secret = org.IdentitySecret(in.ID, out.Version)
	}
	return written(position, out), nil
}

// RequireIdentity is the input of what a channel asks of its visitors.
type RequireIdentity struct {
	ByID
	Writing
	Body struct {
		Required bool   `json:"required"`
		Reason   string `json:"reason,omitempty" maxLength:"200"`
	}
}

func (s *Service) requireIdentity(ctx context.Context, in *RequireIdentity) (*Written[Done], error) {
	var c channel.Command = channel.AllowAnonymous{Reason: in.Body.Reason}
	if in.Body.Required {
		c = channel.RequireIdentity{Reason: in.Body.Reason}
	}
	r, err := s.channels.Handle(ctx, callerOf(ctx).OrgID, in.ID, in.meta(ctx, in.Body), c)
	return s.configured(ctx, in.ID, r, err)
}

// RevokeSessions names a channel whose sessions end.
type RevokeSessions struct {
	ByID
	Writing
	Reason string `query:"reason" maxLength:"200"`
}

func (s *Service) revokeSessions(ctx context.Context, in *RevokeSessions) (*Written[Done], error) {
	orgID := callerOf(ctx).OrgID
	before, _, err := s.channels.State(ctx, orgID, in.ID)
	if err != nil {
		return nil, err
	}
	revoke := channel.RevokeSessions{After: before.SessionEpoch, Reason: in.Reason}
	r, err := s.channels.Handle(ctx, orgID, in.ID, in.meta(ctx, in.Reason), revoke)
	return s.configured(ctx, in.ID, r, err)
}

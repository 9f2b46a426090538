package chat

import (
	"context"
	"net/http"
	"slices"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/intake"
)

var (
	errIdentityRefused = fault.New(fault.Forbidden, "identity_refused", "the site has not proven who the visitor is").
				WithHint("send user_hash, the hexadecimal HMAC-SHA256 of external_id under the channel's identity secret")
	errIdentityRequired = fault.New(fault.Forbidden, "identity_required", "the channel takes only visitors whose site has proven who they are").
				WithHint("open the session with external_id and user_hash")
)

// begin is who a new session is of: the customer whom the site has proven, the visitor of the valid token that was sent
// along, or somebody new, who is not known. An external id without proof leads to nobody.
func (s *Service) begin(r *http.Request, c directory.Channel, in sessionRequest, p profile) (next session, known bool, err error) {
	next = session{Org: c.OrgID, Channel: c.ID, Visitor: events.NewID(), Profile: p}
	old, renews, err := s.previous(r, c)
	if err != nil {
		return session{}, false, err
	}
	if in.UserHash != "" {
		org, ok := s.Directory.Org(c.OrgID)
		if !ok || in.ExternalID == "" || !org.ProvesIdentity(c, in.ExternalID, in.UserHash) {
			return session{}, false, errIdentityRefused
		}
		next.Identified = true
		next.Visitor, err = s.identify(r.Context(), next, old, renews)
		return next, true, err
	}
	if renews && old.Identified && p.ExternalID != "" && p.ExternalID != old.Profile.ExternalID {
		renews = false // the page is somebody else's by now, and has not proven whose
	}
	if renews {
		next.Visitor, next.Identified = old.Visitor, old.Identified
		if p == (profile{}) || old.Identified {
			next.Profile = old.Profile
		}
	}
	if c.IdentityRequired && !next.Identified {
		return session{}, false, errIdentityRequired
	}
	return next, renews, nil
}

// previous is the session whose token was sent along, if it still means anything at this channel.
func (s *Service) previous(r *http.Request, c directory.Channel) (session, bool, error) {
	old, ok := verify(bearer(r), s.key, s.Clock())
	if !ok || old.Org != c.OrgID || old.Channel != c.ID || s.erased(r.Context(), old) {
		return session{}, false, nil
	}
	ended, err := s.ended(r.Context(), old)
	return old, !ended, err
}

// identify finds or makes the customer of a session that has proof. Whoever was anonymous before turns out to be them, with
// all that they said. Nothing is asked but the log, and nothing is written when nothing is new.
func (s *Service) identify(ctx context.Context, next, old session, was bool) (string, error) {
	proven := intake.Proven{ExternalID: next.Profile.ExternalID, Name: next.Profile.Name}
	if was && !old.Identified {
		proven.VisitorID = old.Visitor
	}
	m := command.Meta{Actor: events.Actor{Type: events.ActorCustomer}}
	return s.Intake.Identify(ctx, next.Org, m, proven)
}

// ended tells whether a session that proves nothing is of a visitor who has proven who they are since: then only proof
// leads to their conversations, for everybody who holds the old token.
func (s *Service) ended(ctx context.Context, v session) (bool, error) {
	if v.Identified {
		return false, nil
	}
	state, _, err := s.customers.State(ctx, v.Org, v.Visitor)
	if err != nil {
		return false, err
	}
	proven := slices.ContainsFunc(state.Identities, func(i events.Identity) bool { return i.Type == events.IdentityExternalID })
	return state.MergedInto != "" || proven, nil
}

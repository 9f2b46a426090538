package chat

import (
	"context"
	"errors"
	"net/http"

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
	next = session{Org: c.OrgID, Channel: c.ID, Visitor: events.NewID(), Profile: p, ChannelEpoch: c.SessionEpoch}
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
		if next.Visitor, err = s.identify(r.Context(), next, old, renews); err != nil {
			return session{}, false, err
		}
		state, _, err := s.visitors.State(r.Context(), next.Org, next.Visitor)
		next.VisitorEpoch = state.Epoch
		return next, true, err
	}
	if renews && old.Identified && p.ExternalID != "" && p.ExternalID != old.Profile.ExternalID {
		renews = false // the page is somebody else's by now, and has not proven whose
	}
	if renews {
		next.Visitor, next.Identified = old.Visitor, old.Identified
		next.VisitorEpoch, next.ChannelEpoch = old.VisitorEpoch, old.ChannelEpoch // what is revoked meanwhile stays so
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
	err := s.live(r.Context(), old)
	if errors.Is(err, errSession) || errors.Is(err, errRevoked) {
		return session{}, false, nil
	}
	return old, err == nil, err
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

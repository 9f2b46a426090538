package chat

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/visitor"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/web"
)

// eventRevoked is the last event of a stream whose session was revoked.
const eventRevoked = "revoked"

// reasonEnded is why a visitor's sessions were revoked: they said so.
const reasonEnded = "ended_by_visitor"

var errRevoked = fault.New(fault.Unauthenticated, "session_revoked", "the session was ended").
	WithHint("open a new one with POST /chat/v1/sessions, without the old token")

// revokedEvent tells that the session has ended, by the code that its requests are refused with. It has no id: whoever comes
// next is somebody else, and resumes nothing.
type revokedEvent struct {
	Code string    `json:"code"`
	At   time.Time `json:"at"`
}

// endSessions ends all sessions of the visitor, this one and those that it was renewed from or that are open elsewhere: an
// anonymous visitor has one browser, and of who is proven each page can prove it again. A token that has to be renewed may
// still be used for it.
func (s *Service) endSessions(w http.ResponseWriter, r *http.Request, v session) error {
	m := command.Meta{Actor: events.Actor{Type: events.ActorCustomer}}
	result, err := s.visitors.Handle(r.Context(), v.Org, v.Visitor, m, visitor.RevokeSessions{After: v.VisitorEpoch, Reason: reasonEnded})
	if err != nil {
		return err
	}
	w.Header().Set("Tidemark-Position", result.Position.String())
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// heldKey is where the context of a request has its held session.
type heldKey struct{}

// revocable holds a session before what it wraps asks whether the session goes on, and so misses nothing. Whoever takes what
// is held out of the context releases it.
func (s *Service) revocable(next func(w http.ResponseWriter, r *http.Request) error) func(w http.ResponseWriter, r *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := s.ready(r.Context()); err != nil {
			return err
		}
		v, ok := verify(bearer(r), s.key, s.Clock())
		if !ok {
			return errSession
		}
		h := s.revocations.hold(&v)
		defer func() {
			if !h.taken {
				h.release()
			}
		}()
		return next(w, r.WithContext(context.WithValue(r.Context(), heldKey{}, h)))
	}
}

// heldOf is the held session of a request; nil when it is not for a stream.
func heldOf(ctx context.Context) *held {
	h, _ := ctx.Value(heldKey{}).(*held)
	return h
}

// takeHeld gives the held session of a request to whoever goes on behind its end.
func takeHeld(r *http.Request) *held {
	h := heldOf(r.Context())
	h.taken = true
	return h
}

// tellRevoked says that the session has ended.
func tellRevoked(out *web.Stream, at time.Time) error {
	return send(out, eventRevoked, "", revokedEvent{Code: errRevoked.Code, At: at.UTC()})
}

// live tells whether a session goes on: nobody has revoked it, and it is not one that proves nothing of a visitor who has
// proven who they are since. Of the visitor the log itself is asked; of the channel, what this process has heard of it.
func (s *Service) live(ctx context.Context, v session) error {
	if channel, ok := s.Directory.Channel(v.Org, v.Channel); ok && v.ChannelEpoch < channel.SessionEpoch {
		return errRevoked
	}
	if err := s.ended(ctx, v); err != nil {
		return err
	}
	superseded, err := s.superseded(ctx, v)
	if err == nil && superseded {
		return errSession
	}
	return err
}

// ended tells whether the visitor has ended their sessions. Whoever is held is told what this process has heard: after a
// restart all come back at once, and would read the log in as many places.
func (s *Service) ended(ctx context.Context, v session) error {
	if heldOf(ctx) != nil {
		if revoked, known := s.revocations.revoked(v); revoked {
			return errRevoked
		} else if known {
			return nil
		}
	}
	state, _, err := s.visitors.State(ctx, v.Org, v.Visitor)
	if err == nil && v.VisitorEpoch < state.Epoch {
		return errRevoked
	}
	return err
}

// superseded tells whether a session that proves nothing is of a visitor who has proven who they are since: then only proof
// leads to their conversations, for everybody who holds the old token.
func (s *Service) superseded(ctx context.Context, v session) (bool, error) {
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

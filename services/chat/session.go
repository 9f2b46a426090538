package chat

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/identity"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/web"
)

// purpose of the key under which the org's session tokens are signed.
const purpose = "chat-session"

var (
	errSession = fault.New(fault.Unauthenticated, "unauthenticated", "there is no session that is valid in the request").
			WithHint("open one with POST /chat/v1/sessions, and send its token as Authorization: Bearer")
	errExpired = fault.New(fault.Unauthenticated, "session_expired", "the session's token has expired").
			WithHint("send it with POST /chat/v1/sessions: the session goes on with another one")
	errErased = fault.New(fault.Unauthenticated, "session_erased", "everything about this visitor was erased").
			WithHint("open a new session with POST /chat/v1/sessions")
	errChannel = refusal.ErrChannelNotFound.WithHint("the site key is shown with the channel")
	errOrigin  = fault.New(fault.Forbidden, "origin_not_allowed", "this site may not use the channel").
			WithHint("add the origin to the channel's list")
	errStarting = fault.New(fault.Unavailable, "starting", "the server has not read its configuration yet").
			WithHint("try again in a moment")
)

// sessionRequest opens a session, or renews the one whose token is sent along.
type sessionRequest struct{ SiteKey, Name, Email, ExternalID, UserHash string }

// sessionAnswer is a session.
type sessionAnswer struct {
	Token          string    `json:"token"`
	ExpiresAt      time.Time `json:"expires_at"`
	RenewableUntil time.Time `json:"renewable_until"` // by this token
	ConversationID string    `json:"conversation_id"` // it may not have begun yet
}

// openSession makes a new visitor, or goes on with the one whose valid token is sent.
func (s *Service) openSession(w http.ResponseWriter, r *http.Request) error {
	if err := s.ready(r.Context()); err != nil {
		return err
	}
	var in sessionRequest
	malformed := decode(r, map[string]*string{
		"site_key": &in.SiteKey, "name": &in.Name, "email": &in.Email, "external_id": &in.ExternalID,
		"user_hash": &in.UserHash,
	})
	channel, ok := s.Directory.ChannelBySiteKey(in.SiteKey)
	if err := s.limitSession(w.Header(), r, channel.OrgID, channel.ID); err != nil {
		return err
	}
	if malformed != nil {
		return malformed
	}
	p, err := checkProfile(in)
	if err != nil {
		return err
	}
	if !ok || channel.Type != events.ChannelChat {
		return errChannel
	}
	if channel.Disabled {
		return refusal.ErrChannelDisabled
	}
	if !allowed(channel, r.Header.Get("Origin")) {
		return errOrigin
	}
	next, known, err := s.begin(r, channel, in, p)
	if err != nil {
		return err
	}
	current := next
	if known {
		if current, err = s.at(r.Context(), next, ""); err != nil {
			return err
		}
	}
	now := s.Clock().UTC().Truncate(time.Second)
	expires, until := now.Add(s.Lifetime), now.Add(max(s.Lifetime, s.Renewable))
	next.Expires, next.Until = expires.Unix(), until.Unix()
	key, ok := s.key(next.Org)
	if !ok {
		return errChannel
	}
	token, err := next.sign(key)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusCreated, sessionAnswer{
		Token: token, ExpiresAt: expires, RenewableUntil: until, ConversationID: current.conversation().ID,
	})
}

// visitor lets only requests with a valid session through, as many as a session may make.
func (s *Service) visitor(next func(w http.ResponseWriter, r *http.Request, v session) error) func(w http.ResponseWriter, r *http.Request) error {
	return s.holder(func(w http.ResponseWriter, r *http.Request, v session) error {
		if err := s.admits(v, r.Header.Get("Origin")); err != nil {
			return err
		}
		return next(w, r, v)
	})
}

// of is the session of a request.
func (s *Service) of(r *http.Request) (session, bool) {
	if h := heldOf(r.Context()); h != nil {
		return *h.session, true
	}
	return verify(bearer(r), s.key, s.Clock())
}

// holder lets only requests through whose token is of a session that goes on, also when it has to be renewed first.
func (s *Service) holder(next func(w http.ResponseWriter, r *http.Request, v session) error) func(w http.ResponseWriter, r *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := s.ready(r.Context()); err != nil {
			return err
		}
		v, ok := s.of(r)
		if !ok {
			return errSession
		}
		if err := s.limits.requests.check(w.Header(), v.site()+" "+v.Visitor, s.Clock()); err != nil {
			return err
		}
		if channel, ok := s.Directory.Channel(v.Org, v.Channel); ok && !allowed(channel, r.Header.Get("Origin")) {
			return errOrigin
		}
		if err := s.live(r.Context(), v); err != nil {
			return err
		}
		return next(w, r, v)
	}
}

// admits tells whether a session is still one: its time is not over, and its channel serves the page that it is used on.
func (s *Service) admits(v session, origin string) error {
	channel, ok := s.Directory.Channel(v.Org, v.Channel)
	switch {
	case !ok:
		return errSession
	case s.Clock().Unix() >= v.Expires:
		return errExpired
	case !allowed(channel, origin):
		return errOrigin
	case channel.IdentityRequired && !v.Identified:
		return errIdentityRequired
	}
	return nil
}

// open tells whether the channel of a session is turned on. It is not asked of a message that was taken before.
func (s *Service) open(v session) error {
	if channel, ok := s.Directory.Channel(v.Org, v.Channel); !ok || channel.Disabled {
		return refusal.ErrChannelDisabled
	}
	return nil
}

// erased tells whether the visitor was: whoever comes back with such a session is somebody new. While the log cannot tell,
// nobody is.
func (s *Service) erased(ctx context.Context, v session) bool {
	_, erased := s.tombstone(ctx, v)
	return erased
}

// tombstone is the event that erased the visitor: nothing happens to what was erased.
func (s *Service) tombstone(ctx context.Context, v session) (events.Recorded, bool) {
	for _, a := range []events.Aggregate{v.first(), v.customer()} {
		if e, _, err := s.Log.Last(ctx, a); err == nil && v.erasedBy(e) {
			return e, true
		}
	}
	return events.Recorded{}, false
}

// erasedBy tells whether an event erased the visitor.
func (v session) erasedBy(e events.Recorded) bool {
	switch e.Event.(type) {
	case events.ConversationErased:
		return e.Aggregate == v.first()
	case events.CustomerErased:
		return e.Aggregate == v.customer()
	default:
		return false
	}
}

func (v session) customer() events.Aggregate {
	return events.Aggregate{Org: v.Org, Kind: events.KindCustomer, ID: v.Visitor}
}

// first is the conversation that the visitor began with.
func (v session) first() events.Aggregate {
	v.nth = 0
	return v.conversation()
}

func (s *Service) key(org string) ([]byte, bool) {
	o, ok := s.Directory.Org(org)
	if !ok {
		return nil, false
	}
	return o.DerivedKey(purpose), true
}

func (s *Service) ready(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, s.Starting)
	defer cancel()
	if err := s.Directory.Wait(bounded); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return errStarting.WithCause(err)
	}
	return nil
}

func checkProfile(in sessionRequest) (profile, error) {
	name, err := text.Line("name", in.Name, text.MaxName)
	if err != nil {
		return profile{}, err
	}
	p := profile{Name: name}
	if in.Email != "" {
		i, err := identity.Normalise(events.IdentityEmail, in.Email)
		if err != nil {
			return profile{}, err
		}
		p.Email = i.Value
	}
	if in.ExternalID != "" {
		i, err := identity.Normalise(events.IdentityExternalID, in.ExternalID)
		if err != nil {
			return profile{}, err
		}
		p.ExternalID = i.Value
	}
	return p, nil
}

// bearer is the token of a request. A browser's EventSource cannot set headers: for streams it may stand in the query.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return token
	}
	if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/stream") {
		return r.URL.Query().Get("token")
	}
	return ""
}

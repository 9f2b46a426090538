package api

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/web"
)

// keyPrefix begins every API key, so that a leaked one is recognised by scanners.
const keyPrefix = "tdm_"

var (
	errUnauthenticated = fault.New(fault.Unauthenticated, "unauthenticated", "there is no key that works in the request").
				WithHint("send Authorization: Bearer %s…", keyPrefix)
	errForbidden = fault.New(fault.Forbidden, "forbidden", "this needs a key with the role admin")
	errStarting  = fault.New(fault.Unavailable, "starting", "the server has not read its configuration yet").
			WithHint("try again in a moment")
)

// caller is who asks, and how: what handlers need of the request besides their input.
type caller struct {
	directory.Key
	hash   [sha256.Size]byte // of the key
	method string
	url    *url.URL
}

// actor is the caller as events name it.
func (c *caller) actor() events.Actor { return events.Actor{Type: events.ActorAgent, ID: c.AgentID} }

type callerKey struct{}

// callerOf is who asks; every handler under /v1 has one.
func callerOf(ctx context.Context) *caller {
	c, ok := ctx.Value(callerKey{}).(*caller)
	if !ok {
		panic("api: a handler runs without a caller")
	}
	return c
}

// authenticate lets only requests with a working key through, as many as the key may make.
func (s *Service) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, hash, err := s.identify(r)
		if err == nil {
			err = s.limiter.Check(w.Header(), key.ID, s.Clock())
		}
		if err != nil {
			web.WriteError(w, r, s.Logger, err)
			return
		}
		ctx := context.WithValue(r.Context(), callerKey{}, &caller{Key: key, hash: hash, method: r.Method, url: r.URL})
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// identify finds the key of a request. A key that is not known is looked for again once the directory has caught up.
func (s *Service) identify(r *http.Request) (key directory.Key, hash [sha256.Size]byte, err error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || !strings.HasPrefix(token, keyPrefix) {
		return key, hash, errUnauthenticated
	}
	hash = sha256.Sum256([]byte(token))
	key, ok := s.Directory.Key(hash)
	if ok {
		return key, hash, nil
	}
	if err := s.ready(r.Context()); err != nil {
		return key, hash, err
	}
	if key, ok = s.Directory.Key(hash); !ok {
		err = errUnauthenticated
	}
	return key, hash, err
}

// ready waits, not for long, until the directory has caught up once.
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

// onlyAdmin refuses other roles before anything of the request is looked at.
func onlyAdmin(ctx huma.Context, next func(huma.Context)) {
	if callerOf(ctx.Context()).Role != events.RoleAdmin {
		r, w := humago.Unwrap(ctx)
		web.WriteError(w, r, nil, errForbidden)
		return
	}
	next(ctx)
}

// checkID answers that nothing is there when the id in the path cannot be one.
func (*Service) checkID(ctx huma.Context, next func(huma.Context)) {
	if id := ctx.Param("id"); id != "" && !events.ValidID(id) {
		r, w := humago.Unwrap(ctx)
		web.WriteError(w, r, nil, web.ErrNoRoute.WithHint("an id is 1 to 64 letters, digits, '-' or '_'"))
		return
	}
	next(ctx)
}

package chat

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-desk/tidemark/internal/web"
)

// limits are who may have how much of what. Each budget is of one site, or of somebody at one site: what one site is flooded
// with takes nothing from another, and who floods one still has their own at others.
type limits struct {
	requests limit // of one visitor
	sessions shared
	messages shared
	files    struct{ visitor, address limit }
}

// shared is a budget of each address at a site, and one of the whole site. What an address is refused takes nothing from
// the site.
type shared struct{ address, site limit }

// limit counts what it refuses.
type limit struct {
	*web.Limiter

	refused prometheus.Counter
}

func newLimits(d Deps) limits {
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tidemark_chat_limited_total",
		Help: "What visitors were refused because there was too much of it, by whose limit it was.",
	}, []string{"what", "of"})
	if d.Registerer != nil {
		d.Registerer.MustRegister(refused)
	}
	of := func(l web.Limit, what, whose string) limit {
		return limit{web.NewLimiter(l), refused.WithLabelValues(what, whose)}
	}
	l := limits{
		requests: of(d.Requests, "requests", "visitor"),
		sessions: shared{of(d.Sessions, "sessions", "address"), of(d.Sites, "sessions", "channel")},
		messages: shared{of(d.Senders, "messages", "address"), of(d.Messages, "messages", "channel")},
	}
	l.files.visitor, l.files.address = of(d.Uploads, "files", "visitor"), of(d.Uploaders, "files", "address")
	return l
}

// check takes one from a budget and tells in the headers what is left of it.
func (l limit) check(h http.Header, whose string, now time.Time) error {
	err := l.Check(h, whose, now)
	if err != nil {
		l.refused.Inc()
	}
	return err
}

// take takes one from a budget that is not the caller's alone, and tells nothing of it.
func (l limit) take(whose string, now time.Time) error {
	q := l.Take(whose, now)
	if q.RetryAfter == 0 {
		return nil
	}
	l.refused.Inc()
	return web.ErrRateLimited.WithRetryAfter(q.RetryAfter)
}

// limitSession takes one session from what an address may open at a site, and one from what the site may have. What names
// no site is a site of its own, of which only the address is limited: there is nothing behind it that a limit would spare.
func (s *Service) limitSession(h http.Header, r *http.Request, org, channel string) error {
	site, now := org+"/"+channel, s.Clock()
	if err := s.limits.sessions.address.check(h, site+" "+s.Proxies.Caller(r), now); err != nil || channel == "" {
		return err
	}
	return s.limits.sessions.site.take(site, now)
}

// limitMessage takes one message from what an address may send to a site, and one from what the site may get. A resend is
// one too. What a visitor may ask at all was taken before.
func (s *Service) limitMessage(r *http.Request, v session) error {
	now := s.Clock()
	if err := s.limits.messages.address.take(v.site()+" "+s.Proxies.Caller(r), now); err != nil {
		return err
	}
	return s.limits.messages.site.take(v.site(), now)
}

// limitFile takes one file from what a visitor may send, and one from what an address may send to a site.
func (s *Service) limitFile(h http.Header, r *http.Request, v session) error {
	now := s.Clock()
	if err := s.limits.files.visitor.check(h, v.site()+" "+v.Visitor, now); err != nil {
		return err
	}
	return s.limits.files.address.take(v.site()+" "+s.Proxies.Caller(r), now)
}

// site is the channel of the session, as budgets know it.
func (s session) site() string { return s.Org + "/" + s.Channel }

package elastic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

const (
	tripAfter    = 3                      // requests in a row that the engine did not answer
	firstPause   = 250 * time.Millisecond // before the first probe
	longestPause = 15 * time.Second       // between two of them
	probeTimeout = 5 * time.Second
)

// guard is a breaker between the client and the engine. When some requests in a row get no answer, or the answer of
// somebody who speaks for an engine that is away, it is open: requests are refused at once, and nothing reaches the engine
// but one probe at a time, with growing pauses. A probe that is answered closes it; the pauses start small again once a
// request has been.
//
// Probes are made when somebody asks for something and a pause is over, so an engine that nobody asks is left alone.
type guard struct {
	next    http.RoundTripper
	metrics *Metrics
	logger  *slog.Logger

	mu      sync.Mutex
	failed  int   // in a row
	cause   error // of the last of them
	open    bool
	pause   time.Duration // the next one
	until   time.Time     // no probe before
	probing context.CancelFunc
	closed  bool
	probes  sync.WaitGroup
}

func newGuard(next http.RoundTripper, m *Metrics, logger *slog.Logger) *guard {
	if next == nil {
		next = http.DefaultTransport
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &guard{next: next, metrics: m, logger: logger, pause: firstPause}
}

// awayError says that the engine does not answer, and after how long it is worth asking again.
type awayError struct {
	cause error
	after time.Duration
	open  bool // it was not even asked
}

func (e *awayError) Error() string             { return fmt.Sprintf("the search engine is away: %v", e.cause) }
func (e *awayError) RetryAfter() time.Duration { return e.after }

// Unwrap gives what became of this request. What became of an earlier one, such as that its time was over, is none of it.
func (e *awayError) Unwrap() error {
	if e.open {
		return nil
	}
	return e.cause
}

// Temporary keeps the client from holding it against the address, which is the only one that it has.
func (e *awayError) Temporary() bool { return true }

// RoundTrip passes a request on, or refuses it.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := g.refuse(req); err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	res, err := g.next.RoundTrip(req)
	switch {
	case err == nil && !speaksForNobody(res.StatusCode):
		g.answered()
	case err == nil:
		g.unanswered(fmt.Errorf("it answers %s", res.Status))
	case errors.Is(err, context.Canceled): // who asked does not want to know any more
	default:
		return nil, &awayError{cause: err, after: g.unanswered(err)}
	}
	return res, err
}

// speaksForNobody tells the answers that a proxy gives, or an engine that has no place for a request, for one that is away.
func speaksForNobody(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// refuse answers for an engine that is away; nil when the request may pass.
func (g *guard) refuse(req *http.Request) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.open {
		return nil
	}
	now := time.Now()
	if g.probing == nil && !g.closed && !now.Before(g.until) {
		g.probe(req)
	}
	return &awayError{cause: g.cause, after: max(0, g.until.Sub(now)), open: true}
}

// away is why requests are refused now; nil when they are not.
func (g *guard) away() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.open {
		return nil
	}
	return &awayError{cause: g.cause, after: max(0, time.Until(g.until)), open: true}
}

func (g *guard) answered() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open {
		return // it was under way for long; the probe tells
	}
	g.failed, g.pause = 0, firstPause
}

// unanswered notes it, and tells after how long to ask again.
func (g *guard) unanswered(cause error) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failed++
	g.cause = cause
	if g.failed >= tripAfter && !g.open {
		g.open = true
		g.metrics.away(true)
		g.logger.Warn("the search engine is away: it is probed until it answers", "error", cause)
		g.rest()
	}
	return max(0, time.Until(g.until))
}

// rest sets when the next probe may be made.
func (g *guard) rest() {
	jittered := g.pause/2 + rand.N(g.pause) //nolint:gosec // jitter
	g.until = time.Now().Add(jittered)
	g.pause = min(2*g.pause, longestPause)
}

// probe asks the engine how it is, with the rights of a request.
func (g *guard) probe(of *http.Request) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(of.Context()), probeTimeout)
	g.probing = cancel
	root := *of.URL
	root.Path, root.RawPath, root.RawQuery = "/", "", ""
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, root.String(), http.NoBody) //nolint:gosec // where the request goes
	if err == nil {
		if rights := of.Header.Get("Authorization"); rights != "" {
			req.Header.Set("Authorization", rights)
		}
	}
	g.metrics.probed()
	g.probes.Go(func() {
		defer cancel()
		if err == nil {
			err = g.ask(req)
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.probing = nil
		if err != nil {
			g.cause = err
			g.rest()
			return
		}
		g.open, g.failed = false, tripAfter-1 // half open: the next failure opens it again
		g.metrics.away(false)
		g.logger.InfoContext(ctx, "the search engine answers again")
	})
}

func (g *guard) ask(req *http.Request) error {
	res, err := g.next.RoundTrip(req)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
	_ = res.Body.Close()
	if speaksForNobody(res.StatusCode) {
		return fmt.Errorf("it answers %s", res.Status)
	}
	return nil
}

// close ends a probe that is under way, and lets no other begin.
func (g *guard) close() {
	g.mu.Lock()
	g.closed = true
	if g.probing != nil {
		g.probing()
	}
	g.mu.Unlock()
	g.probes.Wait()
	if c, ok := g.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

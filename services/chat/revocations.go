package chat

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/web"
)

// revocations ends what is open of sessions that are revoked. One reader of the log does it for all streams of a process:
// a revocation is heard wherever it was written.
//
// It is for streams alone. Any other request asks the log for itself, so that what is not heard yet is not let in either;
// a stream that is let in too early ends when it is heard.
type revocations struct {
	log   Log
	clock func() time.Time
	keep  time.Duration // for which the token of a revoked session might be sent again
	heard uint64        // touched by follow alone

	mu     sync.Mutex
	open   map[visitorKey]*held // the first of a visitor's, which leads to the others
	epochs map[visitorKey]epoch // of visitors who ended their sessions
	ready  bool                 // all that was there at the beginning is heard
	swept  int                  // how many epochs were left when they were looked through last
}

type visitorKey struct{ org, id string }

type epoch struct {
	number int
	at     time.Time
}

// held is a stream of a session, also while it is only asked for.
type held struct {
	of            *revocations
	session       *session
	before, after *held // of the same visitor
	taken         bool  // by whoever releases it; touched by its request alone

	mu      sync.Mutex
	stream  *web.Stream // nil: there is nothing to end yet
	revoked bool
}

// bind has the stream end when the session is revoked, at once if it was already.
func (h *held) bind(stream *web.Stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stream = stream; h.revoked {
		stream.End(errRevoked)
	}
}

func (h *held) revoke() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.revoked = true; h.stream != nil {
		h.stream.End(errRevoked)
	}
}

func newRevocations(log Log, clock func() time.Time, keep time.Duration) *revocations {
	return &revocations{log: log, clock: clock, keep: keep, open: map[visitorKey]*held{}, epochs: map[visitorKey]epoch{}}
}

// hold hears of it when the session is revoked, until release is called. Who asks only then whether the session goes on
// misses nothing.
func (r *revocations) hold(v *session) *held {
	h := &held{of: r, session: v}
	key := visitorKey{v.Org, v.Visitor}
	r.mu.Lock()
	defer r.mu.Unlock()
	if h.after = r.open[key]; h.after != nil {
		h.after.before = h
	}
	r.open[key] = h
	return h
}

func (h *held) release() {
	r, key := h.of, visitorKey{h.session.Org, h.session.Visitor}
	r.mu.Lock()
	defer r.mu.Unlock()
	if h.after != nil {
		h.after.before = h.before
	}
	switch {
	case h.before != nil:
		h.before.after = h.after
	case h.after != nil:
		r.open[key] = h.after
	default:
		delete(r.open, key)
	}
}

// revoked tells whether the visitor has ended the session, as far as this process has heard. known is false before it has
// heard what there was at its beginning.
func (r *revocations) revoked(v session) (revoked, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return v.VisitorEpoch < r.epochs[visitorKey{v.Org, v.Visitor}].number, r.ready
}

// follow ends streams until ctx ends. After an error it goes on where it was.
func (r *revocations) follow(ctx context.Context) error {
	filter := eventlog.Filter{Kinds: []events.Kind{events.KindVisitor, events.KindChannel}}
	err := r.log.Tail(ctx, filter, r.heard, r.caughtUp, func(e events.Recorded) error {
		switch body := e.Event.(type) {
		case events.VisitorSessionsRevoked:
			r.endVisitor(visitorKey{e.Org, e.Aggregate.ID}, epoch{number: body.Epoch, at: e.Time})
		case events.ChannelSessionsRevoked:
			r.endChannel(e.Aggregate, body.Epoch)
		}
		r.heard = e.Sequence
		return nil
	})
	return fmt.Errorf("follow revocations: %w", err)
}

func (r *revocations) caughtUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ready = true
}

func (r *revocations) endVisitor(key visitorKey, now epoch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epochs[key] = now
	for h := r.open[key]; h != nil; h = h.after {
		if h.session.VisitorEpoch < now.number {
			h.revoke()
		}
	}
	if len(r.epochs) < 2*r.swept+1000 {
		return
	}
	for key, e := range r.epochs {
		if r.clock().Sub(e.at) > r.keep {
			delete(r.epochs, key)
		}
	}
	r.swept = len(r.epochs)
}

// endChannel looks at every stream: channels end all sessions once in a blue moon.
func (r *revocations) endChannel(a events.Aggregate, epoch int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.open {
		for ; h != nil; h = h.after {
			if h.session.Org == a.Org && h.session.Channel == a.ID && h.session.ChannelEpoch < epoch {
				h.revoke()
			}
		}
	}
}

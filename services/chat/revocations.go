package chat

import (
	"context"
	"fmt"
	"sync"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
)

// revocations ends what is open of sessions that are revoked. One reader of the log does it for all streams of a process:
// a revocation is heard wherever it was written.
//
// It is for streams alone. A request asks for itself, so that what is not heard yet is not let in either.
type revocations struct {
	log   Log
	heard uint64 // touched by follow alone

	mu   sync.Mutex
	open map[events.Aggregate]map[*held]struct{} // by the visitor, and by the channel
}

// held is a stream of a session, also while it is only asked for.
type held struct {
	session
	release func()
	taken   bool // by whoever releases it; touched by its request alone

	mu      sync.Mutex
	end     context.CancelCauseFunc // nil: there is nothing to end yet
	revoked bool
}

// bind has end called when the session is revoked, at once if it was already.
func (h *held) bind(end context.CancelCauseFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.end = end; h.revoked {
		end(errRevoked)
	}
}

func (h *held) revoke() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.revoked = true; h.end != nil {
		h.end(errRevoked)
	}
}

func newRevocations(log Log) *revocations {
	return &revocations{log: log, heard: log.Head(), open: map[events.Aggregate]map[*held]struct{}{}}
}

// hold hears of it when the session is revoked, until release is called. Who asks the log only then whether the session goes
// on misses nothing.
func (r *revocations) hold(v session) *held {
	h := &held{session: v}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range h.of() {
		if r.open[a] == nil {
			r.open[a] = map[*held]struct{}{}
		}
		r.open[a][h] = struct{}{}
	}
	h.release = func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, a := range h.of() {
			if delete(r.open[a], h); len(r.open[a]) == 0 {
				delete(r.open, a)
			}
		}
	}
	return h
}

// of are the aggregates that can end the session.
func (h *held) of() [2]events.Aggregate {
	return [2]events.Aggregate{
		{Org: h.Org, Kind: events.KindVisitor, ID: h.Visitor},
		{Org: h.Org, Kind: events.KindChannel, ID: h.Channel},
	}
}

// follow ends streams until ctx ends. After an error it goes on where it was.
func (r *revocations) follow(ctx context.Context) error {
	filter := eventlog.Filter{Kinds: []events.Kind{events.KindVisitor, events.KindChannel}}
	err := r.log.Tail(ctx, filter, r.heard, nil, func(e events.Recorded) error {
		switch body := e.Event.(type) {
		case events.VisitorSessionsRevoked:
			r.end(e.Aggregate, func(v session) bool { return v.VisitorEpoch < body.Epoch })
		case events.ChannelSessionsRevoked:
			r.end(e.Aggregate, func(v session) bool { return v.ChannelEpoch < body.Epoch })
		}
		r.heard = e.Sequence
		return nil
	})
	return fmt.Errorf("follow revocations: %w", err)
}

func (r *revocations) end(a events.Aggregate, revoked func(v session) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for h := range r.open[a] {
		if revoked(h.session) {
			h.revoke()
		}
	}
}

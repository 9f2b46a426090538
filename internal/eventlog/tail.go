package eventlog

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/run"
)

const (
	readerBuffer  = 512 // live events that a reader may be behind before it reads them from the log instead
	missedByTrail = 512 // events of one aggregate that a reader is given along their trail; see trailEvents
)

// Filter chooses events; an empty part chooses any.
type Filter struct {
	Org   string
	Kinds []events.Kind
	ID    string
}

func (f Filter) matches(e *events.Recorded) bool {
	return (f.Org == "" || f.Org == e.Org) && (f.ID == "" || f.ID == e.Aggregate.ID) &&
		(len(f.Kinds) == 0 || slices.Contains(f.Kinds, e.Kind))
}

func (f Filter) valid() bool {
	ok := (f.Org == "" || events.ValidID(f.Org)) && (f.ID == "" || events.ValidID(f.ID))
	for _, k := range f.Kinds {
		ok = ok && events.ValidID(string(k))
	}
	return ok
}

// subjects are the filters that the server understands, none of which overlap; none at all for everything.
func (f Filter) subjects(partitions int) []string {
	if f.Org == "" && f.ID == "" && len(f.Kinds) == 0 {
		return nil
	}
	orAny := func(s string) string {
		if s == "" {
			return "*"
		}
		return s
	}
	partition := "*"
	if f.Org != "" && f.ID != "" {
		partition = strconv.Itoa(events.Aggregate{Org: f.Org, ID: f.ID}.Partition(partitions))
	}
	kinds := slices.Compact(slices.Sorted(slices.Values(f.Kinds)))
	if len(kinds) == 0 {
		kinds = []events.Kind{"*"}
	}
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = "ev." + partition + "." + orAny(f.Org) + "." + string(k) + "." + orAny(f.ID)
	}
	return out
}

// Tail calls fn with every event of the filter with a sequence beyond after: first the history, then what happens, in order,
// none twice and none left out. It returns when ctx ends (with its error) or with the error of fn. caughtUp, which may be nil,
// is called once, when the history that was there at the beginning has been given.
//
// A reader that is slower than the log does not hold up others: it reads from the log what it was too slow for.
func (l *Log) Tail(ctx context.Context, f Filter, after uint64, caughtUp func(), fn func(events.Recorded) error) error {
	if !f.valid() {
		return fmt.Errorf("tail: %w", events.ErrSubject)
	}
	for {
		if err := l.usable(); err != nil {
			return err
		}
		r, head := l.hub.join(f)
		if err := l.history(ctx, f, after, head, func(e events.Recorded) error {
			after = e.Sequence
			return fn(e)
		}); err != nil {
			l.hub.leave(r)
			return err
		}
		after = max(after, head)
		if caughtUp != nil {
			caughtUp()
			caughtUp = nil
		}
		err := r.follow(ctx, &after, fn)
		l.hub.leave(r)
		if err != nil {
			return err
		}
		if l.hub.closed(r) {
			return ErrUnavailable.WithHint("the log was closed")
		}
	}
}

// follow gives live events until the reader has become too slow, which is no error.
func (r *reader) follow(ctx context.Context, after *uint64, fn func(events.Recorded) error) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.more:
		}
		waiting, end := r.take()
		for _, e := range waiting {
			if e.Sequence <= *after {
				continue
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			*after = e.Sequence
			if err := fn(*e); err != nil {
				return err
			}
		}
		if end {
			return nil
		}
	}
}

// history gives the events of the filter with after < sequence ≤ upTo.
func (l *Log) history(ctx context.Context, f Filter, after, upTo uint64, fn func(events.Recorded) error) error {
	if f.Org != "" && f.ID != "" && len(f.Kinds) == 1 {
		return l.missed(ctx, events.Aggregate{Org: f.Org, Kind: f.Kinds[0], ID: f.ID}, after, upTo, fn)
	}
	filters := f.subjects(l.partitions)
	if filters == nil {
		return l.scan(ctx, after, upTo, fn)
	}
	if len(f.Kinds) > 0 && f.Org == "" && f.ID == "" {
		all, few, err := l.few(ctx, filters, after, upTo)
		if err != nil {
			return fmt.Errorf("read %v: %w", f.Kinds, err)
		}
		if few {
			for _, e := range all {
				if err := fn(e); err != nil {
					return err
				}
			}
			return nil
		}
	}
	sources := make([]*source, 0, len(filters))
	for _, filter := range filters {
		sources = append(sources, &source{log: l, filter: filter, from: after + 1})
	}
	for {
		var first *source
		for _, s := range sources {
			e, err := s.peek(ctx, upTo)
			if err != nil {
				return fmt.Errorf("read %s: %w", s.filter, err)
			}
			if e != nil && (first == nil || e.Sequence < first.events[0].Sequence) {
				first = s
			}
		}
		if first == nil {
			return nil
		}
		e := first.pop()
		if !f.matches(&e) {
			continue // the server's filter cannot tell what is not ours
		}
		if err := fn(e); err != nil {
			return err
		}
	}
}

// scan is history without a filter; it shares blocks with everybody.
func (l *Log) scan(ctx context.Context, after, upTo uint64, fn func(events.Recorded) error) error {
	for from := after + 1; from <= upTo; {
		b, err := l.Block(ctx, from)
		if err != nil {
			return err
		}
		for _, e := range b.Events {
			if e.Sequence > upTo {
				return nil
			}
			if err := fn(e); err != nil {
				return err
			}
		}
		if b.Next == from {
			if err := run.Pause(ctx, retryWait); err != nil { // a replica lags behind the head
				return err
			}
		}
		from = b.Next
	}
	return nil
}

// source is the history of one server-side filter.
type source struct {
	log    *Log
	filter string
	from   uint64
	events []events.Recorded
	done   bool
}

// peek is the next event up to upTo, or nil.
func (s *source) peek(ctx context.Context, upTo uint64) (*events.Recorded, error) {
	for len(s.events) == 0 && !s.done {
		if s.from > upTo {
			s.done = true
			break
		}
		p, err := s.log.page(ctx, s.filter, s.from, pageEvents, pageBytes)
		if err != nil {
			return nil, err
		}
		s.events, s.done = p.events, p.complete
		if n := len(p.events); n > 0 {
			s.from = p.events[n-1].Sequence + 1
		}
	}
	if len(s.events) == 0 || s.events[0].Sequence > upTo {
		return nil, nil //nolint:nilnil // nothing left is no error
	}
	return &s.events[0], nil
}

func (s *source) pop() events.Recorded {
	e := s.events[0]
	s.events = s.events[1:]
	return e
}

// reader is one Tail's place in the hub. What waits for it takes memory only while it waits: most readers are idle.
type reader struct {
	filter Filter
	more   chan struct{} // something waits, or nothing more will
	gone   bool          // no longer delivered to; guarded by hub.mu

	mu      sync.Mutex
	waiting []*events.Recorded
	end     bool // nothing more will come: the reader was too slow, or the hub ends
}

func newReader(f Filter) *reader { return &reader{filter: f, more: make(chan struct{}, 1)} }

// add lets an event wait, and tells whether there was room for it.
func (r *reader) add(e *events.Recorded) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) == readerBuffer {
		return false
	}
	r.waiting = append(r.waiting, e)
	run.Signal(r.more)
	return true
}

// stop says that nothing more will come.
func (r *reader) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end = true
	run.Signal(r.more)
}

// take gives what waits, and tells whether nothing more will come.
func (r *reader) take() ([]*events.Recorded, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	waiting := r.waiting
	r.waiting = nil
	return waiting, r.end
}

// readers are found by id where they have one, so that ten thousand open chats cost nothing to each other.
type readers struct {
	byID   map[string]map[*reader]struct{}
	others map[*reader]struct{}
	closed bool
}

func newReaders() readers {
	return readers{byID: map[string]map[*reader]struct{}{}, others: map[*reader]struct{}{}}
}

// join adds a reader. Every event after the returned head reaches it, or its channel is closed.
func (h *hub) join(f Filter) (*reader, uint64) {
	r := newReader(f)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.readers.closed {
		r.stop()
		r.gone = true
		return r, h.head.Load()
	}
	set := h.readers.others
	if f.ID != "" {
		if set = h.readers.byID[f.ID]; set == nil {
			set = map[*reader]struct{}{}
			h.readers.byID[f.ID] = set
		}
	}
	set[r] = struct{}{}
	return r, h.head.Load()
}

func (h *hub) leave(r *reader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.readers.remove(r)
}

func (h *hub) closed(*reader) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.readers.closed
}

func (s *readers) remove(r *reader) {
	r.gone = true
	if r.filter.ID == "" {
		delete(s.others, r)
		return
	}
	delete(s.byID[r.filter.ID], r)
	if len(s.byID[r.filter.ID]) == 0 {
		delete(s.byID, r.filter.ID)
	}
}

func (s *readers) deliver(e *events.Recorded) {
	for r := range s.others {
		s.give(r, e)
	}
	for r := range s.byID[e.Aggregate.ID] {
		s.give(r, e)
	}
}

func (s *readers) give(r *reader, e *events.Recorded) {
	if !r.filter.matches(e) {
		return
	}
	if !r.add(e) {
		r.stop()
		s.remove(r)
	}
}

func (s *readers) closeAll() {
	s.closed = true
	s.interrupt()
}

func (s *readers) interrupt() {
	for r := range s.others {
		r.stop()
		s.remove(r)
	}
	for _, set := range s.byID {
		for r := range set {
			r.stop()
			s.remove(r)
		}
	}
}

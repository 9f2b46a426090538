package eventlog

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/run"
)

const (
	trailReaders = 8                      // histories that are read along their trails at a time; more would keep writers waiting
	sweepEach    = 256                    // events of a sweep that are worth a reader who needs no trail
	sweepLittle  = 16                     // events of a sweep for each reader that are not worth waiting for more of them
	sweepFewest  = 16                     // readers that others are waited for with
	sweepMost    = 2 << 20                // events of a sweep
	sweepQuiet   = 50 * time.Millisecond  // without another reader, until a sweep begins
	sweepLatest  = 2 * time.Second        // from the first reader until it begins anyway
	sweepBlocks  = 4                      // that are on their way at a time
	sweepAhead   = 8192                   // events that wait for all readers of a sweep together
	riderBuffer  = 128                    // and for one of them
	sweepStall   = 250 * time.Millisecond // how long a sweep waits for readers that take nothing
)

// sweeps let readers of single aggregates who come back all at once share one walk over what they missed. After a restart
// thousands of open chats want their own hundred events each. Along the trail each event is a question of its own, to any
// place of the log: the server unpacks a whole block of its store for each, time and again, and nothing else is read or
// written meanwhile. A walk unpacks each block once, and hands every event to its reader. Who comes alone, or was away for
// much longer than others, goes along the trail.
type sweeps struct {
	log  *Log
	came chan struct{} // somebody waits, or a trail is free
	room chan struct{} // somebody has taken what waited

	mu     sync.Mutex
	queue  []*rider // in the order in which they came
	trails int      // who go along one
	riding map[events.Aggregate][]*rider
	given  int    // events that wait for riders
	swept  uint64 // how many riders there were, ever
	closed bool
}

// rider is a reader of one aggregate's events with after < sequence ≤ upTo.
type rider struct {
	aggregate   events.Aggregate
	after, upTo uint64
	alone       bool          // they are for no sweep
	more        chan struct{} // signalled with each change of what follows

	// guarded by sweeps.mu
	trail   bool // they go along the trail, and say when that is over
	rides   bool // and after is up to where they have been given all
	over    bool // nothing more will come
	waiting []events.Recorded
}

func newSweeps(l *Log) *sweeps {
	return &sweeps{log: l, came: make(chan struct{}, 1), room: make(chan struct{}, 1), riding: map[events.Aggregate][]*rider{}}
}

// missed is the history of one aggregate. It costs by what happened to it, not by what happened to others meanwhile, unless
// many ask for theirs at once.
func (l *Log) missed(ctx context.Context, a events.Aggregate, after, upTo uint64, fn func(events.Recorded) error) error {
	alone := after == 0 // who was never there has missed nothing, or all
	for after < upTo {
		r := &rider{aggregate: a, after: after, upTo: upTo, alone: alone, more: make(chan struct{}, 1)}
		trail, err := l.sweeps.wait(ctx, r)
		if err != nil {
			return err
		}
		if trail {
			return l.sweeps.alongTrail(ctx, r, fn)
		}
		if after, err = l.sweeps.ride(ctx, r, after, fn); err != nil {
			return err
		}
		alone = true // if they were too slow
	}
	return nil
}

// wait waits for a trail, or for a sweep that the reader rides with.
func (s *sweeps) wait(ctx context.Context, r *rider) (trail bool, err error) {
	s.mu.Lock()
	if s.queue = append(s.queue, r); s.closed {
		run.Signal(r.more)
	}
	s.mu.Unlock()
	run.Signal(s.came)
	for {
		select {
		case <-ctx.Done():
			s.leave(r)
			return false, ctx.Err()
		case <-r.more:
		}
		s.mu.Lock()
		trail, rides, closed := r.trail, r.rides, s.closed
		s.mu.Unlock()
		switch {
		case trail, rides:
			run.Signal(r.more)
			return trail, nil
		case closed:
			return false, ErrUnavailable.WithHint("the log was closed")
		}
	}
}

// leave takes a reader from wherever they are.
func (s *sweeps) leave(r *rider) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.trail:
		r.trail = false
		s.trails--
		run.Signal(s.came)
	case r.rides:
		s.end(r)
	default:
		s.queue = slices.DeleteFunc(s.queue, func(o *rider) bool { return o == r })
	}
}

// alongTrail gives what is read for one reader alone.
func (s *sweeps) alongTrail(ctx context.Context, r *rider, fn func(events.Recorded) error) error {
	all, err := s.log.since(ctx, r.aggregate, r.after, missedByTrail)
	s.leave(r)
	if err != nil {
		return err
	}
	for _, e := range all {
		if e.Sequence > r.upTo {
			return nil
		}
		if err := fn(e); err != nil {
			return err
		}
	}
	return nil
}

// ride gives what a sweep brings, and answers up to where that is all.
func (s *sweeps) ride(ctx context.Context, r *rider, after uint64, fn func(events.Recorded) error) (uint64, error) {
	defer s.leave(r)
	for {
		waiting, through := s.take(r)
		for _, e := range waiting {
			if ctx.Err() != nil {
				return after, ctx.Err()
			}
			if err := fn(e); err != nil {
				return after, err
			}
			after = e.Sequence
		}
		if through != 0 {
			return max(after, through), nil
		}
		select {
		case <-ctx.Done():
			return after, ctx.Err()
		case <-r.more:
		}
	}
}

// take gives what waits for a rider. through is up to where that is all, once nothing more will come.
func (s *sweeps) take(r *rider) (waiting []events.Recorded, through uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting, r.waiting = r.waiting, nil
	if r.over {
		return waiting, r.after
	}
	s.given -= len(waiting)
	run.Signal(s.room)
	return waiting, 0
}

// end says that nothing more comes for a rider than what waits, which is no longer counted. r.after is up to where they
// have been given all.
func (s *sweeps) end(r *rider) {
	if r.over {
		return
	}
	r.over = true
	s.given -= len(r.waiting)
	riders := slices.DeleteFunc(s.riding[r.aggregate], func(o *rider) bool { return o == r })
	if s.riding[r.aggregate] = riders; len(riders) == 0 {
		delete(s.riding, r.aggregate)
	}
	run.Signal(r.more)
}

func (s *sweeps) endWhere(which func(r *rider) bool) {
	for _, riders := range s.riding {
		for _, r := range slices.Clone(riders) {
			if which(r) {
				s.end(r)
			}
		}
	}
}

package eventlog

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/run"
)

// run lets readers go along their trails, and sweeps when that is better, until ctx ends.
func (s *sweeps) run(ctx context.Context) {
	defer s.close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.came:
		}
		s.gather(ctx)
		if from, upTo := s.board(); from < upTo {
			err := s.walk(ctx, from, upTo, s.hand(ctx))
			if err != nil && ctx.Err() == nil {
				s.log.logger.WarnContext(ctx, "share a walk over what readers missed", "error", err)
			}
			s.unboard(upTo, err == nil)
		}
		s.letGo()
	}
}

// close tells everybody that nothing more will come.
func (s *sweeps) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, r := range s.queue {
		run.Signal(r.more)
	}
	s.endWhere(func(*rider) bool { return true })
}

// gather waits while many come, until nobody does for a moment, but not for long.
func (s *sweeps) gather(ctx context.Context) {
	latest := time.NewTimer(sweepLatest)
	defer latest.Stop()
	quiet := time.NewTimer(sweepQuiet)
	defer quiet.Stop()
	for s.mayPay() {
		select {
		case <-s.came:
			quiet.Reset(sweepQuiet)
		case <-ctx.Done():
			return
		case <-quiet.C:
			return
		case <-latest.C:
			return
		}
	}
}

// mayPay tells whether a sweep might pay if more came.
func (s *sweeps) mayPay() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	var upTo, n uint64
	first := ^uint64(0)
	for _, r := range s.queue {
		if !r.alone && r.upTo-r.after <= sweepMost {
			upTo, first = max(upTo, r.upTo), min(first, r.after)
			n++
		}
	}
	return n >= sweepFewest && upTo-first > sweepLittle*n
}

// board takes those from the queue for whom a sweep pays, and gives what it has to read: the events with from < sequence
// ≤ upTo, none when there is nobody.
func (s *sweeps) board() (from, upTo uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*rider
	for _, r := range s.queue {
		if !r.alone {
			all = append(all, r)
			upTo = max(upTo, r.upTo)
		}
	}
	slices.SortFunc(all, func(a, b *rider) int { return cmp.Compare(b.after, a.after) })
	worth := 0
	for i, r := range all { // who was away for longest makes it longer for all
		if n := i + 1; n >= sweepFewest && upTo-r.after <= min(sweepMost, sweepEach*uint64(n)) {
			worth = n
		}
	}
	if worth == 0 {
		return 0, 0
	}
	for _, r := range all[:worth] {
		r.rides = true
		s.riding[r.aggregate] = append(s.riding[r.aggregate], r)
		run.Signal(r.more)
	}
	s.queue = slices.DeleteFunc(s.queue, func(r *rider) bool { return r.rides })
	s.swept += uint64(worth)
	return all[worth-1].after, upTo
}

// hand gives events to their riders. Nobody else waits for a rider who is too slow: they go on along the trail.
func (s *sweeps) hand(ctx context.Context) func(e events.Recorded) error {
	stalled := time.NewTimer(sweepStall)
	stalled.Stop()
	return func(e events.Recorded) error {
		for !s.give(e) {
			stalled.Reset(sweepStall)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-s.room:
			case <-stalled.C:
				s.endSlow()
			}
		}
		return nil
	}
}

// walk is scan, with the next blocks on their way while one is handed out: between two writes the store answers only for a
// moment.
func (s *sweeps) walk(ctx context.Context, after, upTo uint64, fn func(e events.Recorded) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel() // before it is waited for
	ahead := make(chan chan struct{}, sweepBlocks)
	reading.Go(func() {
		defer close(ahead)
		for from := after + 1; from <= upTo; from = ((from-1)/windowEvents+1)*windowEvents + 1 {
			read := make(chan struct{})
			select {
			case ahead <- read:
			case <-ctx.Done():
				return
			}
			reading.Go(func() {
				defer close(read)
				_, _ = s.log.Block(ctx, from) // it is kept for scan, which hears of what is wrong
			})
		}
	})
	for from := after; from < upTo; from = min(upTo, (from/windowEvents+1)*windowEvents) {
		if read, ok := <-ahead; ok {
			<-read
		}
		if err := s.log.scan(ctx, from, min(upTo, (from/windowEvents+1)*windowEvents), fn); err != nil {
			return err
		}
	}
	return nil
}

// give hands an event to those who ride for it, if there is room.
func (s *sweeps) give(e events.Recorded) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	riders := s.riding[e.Aggregate]
	if len(riders) == 0 {
		return true
	}
	if s.given >= sweepAhead {
		return false
	}
	for _, r := range slices.Clone(riders) { // end changes them
		switch {
		case e.Sequence <= r.after || e.Sequence > r.upTo:
		case len(r.waiting) == riderBuffer:
			s.end(r)
		default:
			r.waiting = append(r.waiting, e)
			r.after = e.Sequence
			s.given++
			run.Signal(r.more)
		}
	}
	return true
}

func (s *sweeps) endSlow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endWhere(func(r *rider) bool { return len(r.waiting) > 0 })
}

// unboard ends a sweep. Those who are left have been given all that there is for them, if it was whole.
func (s *sweeps) unboard(upTo uint64, whole bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endWhere(func(r *rider) bool {
		if whole {
			r.after = min(upTo, r.upTo)
		}
		return true
	})
}

// letGo lets those in the queue go along their trails, so many at a time.
func (s *sweeps) letGo() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) > 0 && s.trails < trailReaders {
		r := s.queue[0]
		s.queue = s.queue[1:]
		r.trail = true
		s.trails++
		run.Signal(r.more)
	}
}

package projections

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark-desk/tidemark/events"
)

const (
	beat         = time.Second           // how often operators' requests are looked for, and the store is known to be there
	smallest     = 128                   // events that a commit may always hold: most of a small commit's cost is the commit
	windowBytes  = 4 << 20               // of events read ahead in one lane
	flushPause   = 20 * time.Millisecond // between two records of progress alone
	idleTarget   = 250 * time.Millisecond
	liveTarget   = 20 * time.Millisecond // a live event waits for the commit before its own, and that must be short
	liveSilence  = 2 * time.Second       // without a live event, after which commits are sized for throughput alone
	recallers    = 8                     // keys whose past is read at a time
	headPatience = 5 * time.Second
)

// partition drives one partition of a projection through one session. It is one goroutine: read, take, commit, again.
type partition struct {
	cfg     *RunnerConfig
	id      int
	kinds   map[events.Kind]bool
	session Session
	gauge   *gauge
	hold    *atomic.Uint64 // no event from this sequence on is read; open: none is held

	committed Progress
	ahead     map[string]uint64
	parked    map[string]Parked
	pruneAt   int
	seen      uint64 // newest sequence of this partition that was read, of whatever kind

	low    *lane // the backlog; the only lane when it is closed up
	live   *lane
	from   uint64 // where live began
	line   uint64 // what hold says, for this step
	budget int
	asked  time.Time

	recorded time.Time // when progress was committed last
	lively   time.Time // when the live lane had work last
}

// resume takes up what the session's last owner left.
func (p *partition) resume(ctx context.Context) error {
	s := p.session.State()
	p.committed, p.ahead, p.parked = s.Progress, s.Ahead, s.Parked
	if p.ahead == nil {
		p.ahead = map[string]uint64{}
	}
	if p.parked == nil {
		p.parked = map[string]Parked{}
	}
	p.pruneAt, p.line = 1024, p.hold.Load()
	p.budget = 64
	p.low = newLane(s.Progress.Checkpoint+1, open)
	if s.Progress.LiveFrom != 0 {
		p.from = s.Progress.LiveFrom
		p.low.end = p.from
		p.live = newLane(s.Progress.LiveThrough+1, open)
	}
	return p.checkHead(ctx, max(s.Progress.Checkpoint, s.Progress.LiveThrough))
}

// checkHead refuses to work on tables that are ahead of the log. What another process has committed may be a moment
// newer than the head this process knows of.
func (p *partition) checkHead(ctx context.Context, at uint64) error {
	if at <= p.cfg.Log.Head() {
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, headPatience)
	defer cancel()
	if err := p.cfg.Log.Wait(waiting, at-1); err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %s has applied position %d of partition %d, and the log ends at %d: the log was restored from an older copy, "+
		"or the checkpoint is corrupt; restore the newer log, or rebuild the projection from this one", ErrForeign, p.cfg.Name, at, p.id, p.cfg.Log.Head())
}

// drive works until the session is lost or ctx ends; it returns why.
func (p *partition) drive(ctx context.Context) error {
	if err := p.resume(ctx); err != nil {
		return err
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.answer(ctx); err != nil {
			return err
		}
		if len(p.parked) >= p.cfg.Limits.Parked {
			p.report(PhaseStopped)
			if err := pause(ctx, beat); err != nil {
				return err
			}
			continue
		}
		if err := p.step(ctx); err != nil {
			return err
		}
	}
}

// step is one turn: read on, take a batch, commit it; or wait when there is nothing to do.
func (p *partition) step(ctx context.Context) error {
	p.line = p.hold.Load()
	p.arrange()
	if err := p.read(ctx); err != nil {
		return err
	}
	units, taken, err := p.gather(ctx)
	if err != nil {
		return err
	}
	p.report(PhaseRunning)
	if len(units) == 0 {
		p.settle()
		if taken > 0 || p.behind() {
			if time.Since(p.recorded) < beat || !p.worthRecording() {
				return nil
			} // a long stretch of what others want is progress too, and readers are told of it
		} else if wait := p.untilRecord(); wait > 0 {
			return p.idle(ctx, wait)
		}
	}
	took, err := p.inTurn(ctx, func() error { return p.apply(ctx, units) })
	if err != nil {
		return err
	}
	p.adapt(taken, took)
	p.report(PhaseRunning)
	return nil
}

// inTurn does the work of a commit and says how long it took: without the wait for a turn, and without the reading
// before it, which no smaller batch would shorten much.
func (p *partition) inTurn(ctx context.Context, work func() error) (time.Duration, error) {
	if p.cfg.Turns != nil && p.live != nil && time.Since(p.lively) >= liveSilence {
		select {
		case p.cfg.Turns <- struct{}{}:
			defer func() { <-p.cfg.Turns }()
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	began := time.Now()
	err := work()
	return time.Since(began), err
}

// arrange opens the live lane when the lag is large, opens it anew when it has itself fallen behind, and closes the
// lanes up when the backlog has reached the place where the live lane began.
func (p *partition) arrange() {
	if p.live != nil && p.low.finished() {
		p.low, p.live, p.from = p.live, nil, 0
	}
	after := p.cfg.Limits.LiveAfter
	if after == NoLive || p.held() {
		return
	}
	last := p.low
	if p.live != nil {
		last = p.live
	}
	head := max(p.cfg.Log.Head(), p.low.next-1)
	low, _ := last.low()
	lag := head - min(low, head)
	old := last.oldest()
	tooOld := lag > after/16 && !old.IsZero() && time.Since(old) > p.cfg.Limits.LiveAge
	if lag <= after && (p.live != nil || !tooOld) {
		return
	}
	// An older live lane is forgotten, and what it had not done is backlog. What it had is in p.ahead.
	p.from = head + 1
	p.live = newLane(p.from, open)
	p.low.end = p.from
}

func (p *partition) held() bool { return p.line != open }

// read brings the lanes up: the live lane to the head, the backlog by a block or more.
func (p *partition) read(ctx context.Context) error {
	if p.live != nil {
		if err := p.fill(ctx, p.live, p.cfg.Limits.Window); err != nil {
			return err
		}
	}
	return p.fill(ctx, p.low, min(p.cfg.Limits.Window, 4*p.budget))
}

// fill reads at least one block when there is room, and goes on until the lane has wanted items.
func (p *partition) fill(ctx context.Context, l *lane, wanted int) error {
	for first := true; first || l.waiting < wanted; first = false {
		end := min(l.end, p.line)
		if l.next >= end || l.next > p.cfg.Log.Head() || len(l.window) >= p.cfg.Limits.Window || l.bytes >= windowBytes {
			return nil
		}
		b, err := p.cfg.Log.Block(ctx, l.next)
		if err != nil {
			return fmt.Errorf("read the log from %d: %w", l.next, err)
		}
		if b.Next == l.next {
			return nil
		}
		l.add(b, end, p.wants)
	}
	return nil
}

func (p *partition) wants(r *events.Recorded) bool {
	if r.Partition != p.id {
		return false
	}
	p.seen = max(p.seen, r.Sequence)
	return p.kinds[r.Kind]
}

// gather takes a batch: live work first, but at most half of it, then backlog. taken counts events, with those that
// turned out to be covered already.
func (p *partition) gather(ctx context.Context) (units []*unit, taken int, err error) {
	byKey := map[string]*unit{}
	place := func(i *item) *unit {
		u := byKey[i.key]
		if u == nil {
			u = &unit{aggregate: i.event.Aggregate, through: p.appliedOf(i.key)}
			byKey[i.key] = u
			units = append(units, u)
		}
		u.items = append(u.items, i)
		return u
	}
	budget := p.budget
	if p.live != nil {
		items := p.live.take(max(1, budget/2))
		taken += len(items)
		if len(items) > 0 {
			p.lively = time.Now()
		}
		pasts, err := p.pasts(ctx, items)
		if err != nil {
			return nil, taken, err
		}
		for _, i := range items {
			if p.covered(byKey, i) {
				continue
			}
			u := place(i)
			if past, ok := pasts[i.key]; ok && u.park == nil && i.event.Sequence > u.through {
				taken += u.recall(past, i.event)
				delete(pasts, i.key)
				continue
			}
			u.add(i.event)
		}
	}
	items := p.low.take(max(1, budget-taken))
	taken += len(items)
	for _, i := range items {
		if !p.covered(byKey, i) {
			place(i).add(i.event)
		}
	}
	return units, taken, nil
}

// appliedOf tells up to where a key was applied, as far as one number can.
func (p *partition) appliedOf(key string) uint64 { return max(p.committed.Checkpoint, p.ahead[key]) }

// covered marks an item that needs no work: applied ahead, applied by this batch's live work, or of a parked key.
func (p *partition) covered(batch map[string]*unit, i *item) bool {
	if _, parked := p.parked[i.key]; parked || i.event.Sequence <= p.ahead[i.key] {
		i.done = true
		return true
	}
	u := batch[i.key]
	if u == nil || i.event.Sequence > u.through {
		return false
	}
	u.items = append(u.items, i) // done when the unit is, and not before
	return true
}

// pasts reads what live events rest on that the backlog has not reached yet: for each key its own events, beyond what
// was applied. Several keys at a time, for each waits for the log and not for a processor.
func (p *partition) pasts(ctx context.Context, items []*item) (map[string][]events.Recorded, error) {
	out := map[string][]events.Recorded{}
	seen := map[string]bool{}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(recallers)
	for _, i := range items {
		through := p.appliedOf(i.key)
		_, parked := p.parked[i.key]
		if seen[i.key] || parked || i.event.Sequence <= through {
			continue
		}
		seen[i.key] = true
		if i.event.Revision == 1 || through >= p.from-1 {
			continue
		}
		group.Go(func() error {
			past, err := p.cfg.Log.Read(ctx, i.event.Aggregate, through)
			if err != nil {
				return fmt.Errorf("read %s: %w", i.event.Aggregate, err)
			}
			mu.Lock()
			defer mu.Unlock()
			out[i.key] = past
			return nil
		})
	}
	return out, group.Wait()
}

// recall adds what a key's live event rests on, through that event.
func (u *unit) recall(past []events.Recorded, live *events.Recorded) int {
	n := 0
	for i := range past {
		if past[i].Sequence > live.Sequence {
			break
		}
		u.add(&past[i])
		n++
	}
	if u.park == nil {
		u.through = live.Sequence // also when it was purged in between
	}
	return n
}

// current is the progress that the lanes' marks make.
func (p *partition) current() (Progress, time.Time) {
	low, at := p.low.low()
	c := Progress{Checkpoint: low}
	if p.live != nil {
		through, _ := p.live.low()
		c.LiveFrom, c.LiveThrough = p.from, through
	}
	return c, at
}

// untilRecord is how long to wait before progress without events is written; zero when it is to be written now.
func (p *partition) untilRecord() time.Duration {
	if !p.worthRecording() {
		return beat
	}
	return max(0, flushPause-time.Since(p.recorded))
}

// worthRecording tells whether progress without events is to be written: when readers wait for an event of this
// partition that is of no interest here, when the lanes changed, and once a second so that a restart reads little.
func (p *partition) worthRecording() bool {
	c, _ := p.current()
	if c == p.committed {
		return false
	}
	newest := max(c.Checkpoint, c.LiveThrough)
	before := max(p.committed.Checkpoint, p.committed.LiveThrough)
	return (c.LiveFrom != 0) != (p.committed.LiveFrom != 0) || before < p.seen && p.seen <= newest || time.Since(p.recorded) >= beat
}

func (p *partition) settle() {
	p.low.settle()
	if p.live != nil {
		p.live.settle()
	}
}

// behind tells whether there is more to do at once.
func (p *partition) behind() bool {
	more := func(l *lane) bool {
		return l.waiting > 0 || l.next <= min(p.cfg.Log.Head(), min(l.end, p.line)-1)
	}
	if p.live != nil && (p.low.finished() || more(p.live)) {
		return true
	}
	return more(p.low)
}

// idle waits for the log to grow, but not for longer than a while.
func (p *partition) idle(ctx context.Context, longest time.Duration) error {
	if p.held() {
		p.gauge.rest(p.line, p.low.next-1)
		return pause(ctx, min(longest, beat/20))
	}
	waiting, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	err := p.cfg.Log.Wait(waiting, p.low.next-1)
	if err == nil || waiting.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("wait for the log: %w", err)
}

// adapt sizes the next batch so that a commit takes about its target: large when only throughput counts, short when
// live work waits behind it.
func (p *partition) adapt(taken int, took time.Duration) {
	target := idleTarget
	if p.live != nil && time.Since(p.lively) < liveSilence {
		target = liveTarget
	}
	if taken < p.budget && took < target {
		return // nothing was learned
	}
	fits := math.MaxInt32
	if took > 0 {
		fits = int(min(int64(taken)*int64(target)/int64(took), math.MaxInt32))
	}
	p.budget = min(max(min(fits, 2*p.budget), smallest), p.cfg.Limits.Batch)
}

func (p *partition) report(phase Phase) {
	c, at := p.current()
	s := snapshot{phase: phase, progress: c, parked: len(p.parked), budget: p.budget, oldest: p.low.oldest()}
	if p.live != nil {
		s.liveOldest = p.live.oldest()
	}
	s.at = at
	p.gauge.set(s)
}

// pause waits, and fails when ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// blameless tells errors that say nothing about the events.
func blameless(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, ErrFenced) || errors.Is(err, ErrTransient) || errors.Is(err, ErrForeign)
}

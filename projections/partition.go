package projections

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/run"
)

const (
	beat         = time.Second           // how often operators' requests are looked for, and the store is known to be there
	smallest     = 128                   // events that a commit may always hold: most of a small commit's cost is the commit
	flushPause   = 20 * time.Millisecond // between two records of progress alone
	headPatience = 5 * time.Second
	unread       = 16 // times the lag that opens the live lane: so much may wait to be read in it
)

// partition drives one partition of a projection through one session. It is one goroutine: read, take, commit, again
// (step.go), from one lane or two (gather.go).
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
	from   uint64        // where live began
	line   uint64        // what hold says, for this step
	budget budget        // of a commit of backlog
	now    budget        // of one of live work
	target time.Duration // of the last commit of backlog
	turn   *turn         // that was asked for, or that is had; nil: neither
	aside  *reading      // for the turn; nil: none

	asked    time.Time // when operators' requests were looked for last
	recorded time.Time // when progress was committed last
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
	p.budget, p.now = smallest, smallest
	p.low = newLane(s.Progress.Checkpoint+1, open)
	if s.Progress.LiveFrom != 0 {
		p.from = s.Progress.LiveFrom
		p.low.end = p.from
		p.live = newLiveLane(s.Progress.LiveThrough + 1)
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
	defer p.endTurn()
	defer p.endReading()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.answer(ctx); err != nil {
			return err
		}
		if len(p.parked) >= p.cfg.Limits.Parked {
			p.endTurn()
			p.report(PhaseStopped)
			if err := run.Pause(ctx, beat); err != nil {
				return err
			}
			continue
		}
		if err := p.step(ctx); err != nil {
			return err
		}
	}
}

// arrange opens the live lane when the lag is large, opens it anew when it has itself fallen behind or is full of what
// must wait, and closes the lanes up when the backlog has reached the place where the live lane began.
func (p *partition) arrange() {
	if p.live != nil && p.low.finished() {
		p.low, p.live, p.from = p.live.plain(), nil, 0
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
	full := p.live != nil && p.live.urgent.waiting == 0 && p.full(p.live)
	if lag <= after && !full && (p.live != nil || !tooOld) {
		return
	}
	// An older live lane is forgotten, and what it had not done is backlog. What it had is in p.ahead. The new one goes on
	// where that one had read to: whoever was not part of a flood has had their turn by then, and misses nothing. Only
	// when even reading falls behind, it is the head.
	p.from = head + 1
	if p.live != nil && head-min(p.live.next-1, head) <= unread*after {
		p.from = p.live.next
	}
	p.live = newLiveLane(p.from)
	p.low.end = p.from
}

func (p *partition) held() bool { return p.line != open }

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

func (p *partition) report(phase Phase) {
	c, at := p.current()
	s := snapshot{phase: phase, progress: c, parked: len(p.parked), budget: int(p.budget), oldest: p.low.oldest()}
	if p.live != nil {
		s.liveOldest = p.live.oldest()
	}
	s.at = at
	p.gauge.set(s)
}

// blameless tells errors that say nothing about the events.
func blameless(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, ErrFenced) || errors.Is(err, ErrTransient) || errors.Is(err, ErrForeign)
}

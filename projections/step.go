package projections

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/tidemark-desk/tidemark/internal/run"
)

// step is one round: live work, or a piece of the backlog when it is its turn, or waiting for either.
func (p *partition) step(ctx context.Context) error {
	p.line = p.hold.Load()
	p.arrange()
	if p.turn != nil && p.turn.mine() && (p.live == nil || p.prepared(ctx)) {
		return p.backlog(ctx) // live work waits for one commit, and a short one; so the backlog always moves
	}
	l, wanted := p.low, smallest
	if p.live != nil {
		l, wanted = p.live, p.cfg.Limits.Window // up to the head: who is behind a flood is to be seen
	}
	if err := p.fill(ctx, l, wanted, liveTarget/2); err != nil {
		return err
	}
	switch {
	case p.live != nil && p.live.urgent.waiting > 0:
		return p.present(ctx, p.live.takeUrgent(int(p.now)), nil)
	case p.live == nil && p.low.waiting > 0 && !p.bulk():
		return p.present(ctx, nil, p.low.take(smallest))
	}
	p.report(PhaseRunning)
	p.settle()
	if p.more(p.low) || p.promoted() {
		return p.await(ctx)
	}
	p.endTurn()
	if p.live != nil && p.low.finished() {
		return nil // the lanes close up
	}
	return p.idle(ctx)
}

// bulk tells whether the only lane has more to do than what happens now.
func (p *partition) bulk() bool {
	return p.cfg.Limits.LiveAfter == NoLive || p.held() || p.low.waiting > smallest
}

// present applies what happens now.
func (p *partition) present(ctx context.Context, live, low []*item) error {
	p.cfg.Pace.live()
	units, taken, err := p.gather(ctx, live, low)
	if err != nil {
		return err
	}
	return p.record(ctx, units, &p.now, taken, liveTarget)
}

// backlog applies the next piece of the backlog, and ends the turn. What is ready in the live lane and not urgent goes
// first, but has at most half of it.
func (p *partition) backlog(ctx context.Context) error {
	defer p.endTurn()
	target := p.cfg.Pace.target(p.cfg.Group)
	if target < p.target { // the next commit must not be the long one that the last would have been
		p.budget = max(smallest, p.budget*budget(target)/budget(p.target))
	}
	p.target = target
	if err := p.prepare(ctx); err != nil {
		return err
	}
	var live []*item
	room := int(p.budget)
	if p.promoted() {
		live = p.live.take(room / 2)
	}
	units, taken, err := p.gather(ctx, live, p.low.take(room-len(live)))
	if err != nil {
		return err
	}
	return p.record(ctx, units, &p.budget, taken, target)
}

// record commits what was gathered. A long stretch of what others want is progress too, and readers are told of it.
func (p *partition) record(ctx context.Context, units []*unit, b *budget, taken int, target time.Duration) error {
	p.report(PhaseRunning)
	if len(units) == 0 {
		p.settle()
		if time.Since(p.recorded) < beat || !p.worthRecording() {
			return nil
		}
	}
	began := time.Now()
	if err := p.apply(ctx, units); err != nil {
		return err
	}
	b.adapt(taken, time.Since(began), target, smallest, p.cfg.Limits.Batch)
	p.report(PhaseRunning)
	return nil
}

// await waits for the backlog's turn, and then for its piece, or for something to happen.
func (p *partition) await(ctx context.Context) error {
	if p.turn == nil {
		low, _ := p.low.low()
		p.turn = p.cfg.Pace.ask(p.cfg.Group, low)
	}
	next := p.turn.granted
	if p.turn.mine() {
		if p.aside == nil {
			return nil
		}
		next = p.aside.done
	}
	wait := p.untilRecord()
	if wait == 0 {
		return p.apply(ctx, nil)
	}
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	grown := make(chan error, 1)
	if p.live != nil {
		after := p.live.next - 1
		go func() { grown <- p.cfg.Log.Wait(waiting, after) }()
	}
	var err error
	select {
	case <-next:
	case <-waiting.Done():
	case err = <-grown:
	}
	if err == nil || waiting.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("wait for the log: %w", err)
}

func (p *partition) endTurn() {
	if p.turn != nil {
		p.cfg.Pace.end(p.turn)
		p.turn = nil
	}
}

// more tells whether a lane has something to do at once.
func (p *partition) more(l *lane) bool {
	return l.waiting > 0 || l.next <= min(p.cfg.Log.Head(), min(l.end, p.line)-1)
}

// idle waits for the log to grow, and writes progress down that readers want to know of.
func (p *partition) idle(ctx context.Context) error {
	longest := p.untilRecord()
	if longest == 0 {
		return p.apply(ctx, nil)
	}
	if p.held() {
		p.gauge.rest(p.line, p.low.next-1)
		return run.Pause(ctx, min(longest, beat/20))
	}
	after := p.low.next - 1
	if p.live != nil {
		after = p.live.next - 1
	}
	waiting, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	err := p.cfg.Log.Wait(waiting, after)
	if err == nil || waiting.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("wait for the log: %w", err)
}

// budget is how many events a commit may hold.
type budget int

// adapt sizes the next piece of work so that it takes about its target.
func (b *budget) adapt(taken int, took, target time.Duration, least, most int) {
	if taken < int(*b) && took < target {
		return // nothing was learned
	}
	fits := math.MaxInt32
	if took > 0 {
		fits = int(min(int64(taken)*int64(target)/int64(took), math.MaxInt32))
	}
	*b = budget(min(max(min(fits, 2*int(*b)), least), most))
}

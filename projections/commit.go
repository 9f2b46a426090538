package projections

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/run"
)

// apply commits units. When a commit fails for the events' sake, it finds the key at fault by halving, and parks that
// key alone.
func (p *partition) apply(ctx context.Context, units []*unit) error {
	err := p.commit(ctx, units)
	switch {
	case err == nil:
		return nil
	case blameless(ctx, err):
		return err
	case len(units) > 1:
		half := len(units) / 2
		if err := p.apply(ctx, units[:half]); err != nil {
			return err
		}
		return p.apply(ctx, units[half:])
	case len(units) == 1 && len(units[0].events) > 0:
		return p.isolate(ctx, units[0], p.cfg.Limits.Attempts)
	default:
		return fmt.Errorf("record progress: %w", err)
	}
}

// errTooManyParked ends the session in the middle of a batch: what was taken and not applied is read again when the
// partition goes on, which it does only when somebody has freed a key.
var errTooManyParked = errors.New("too many keys are parked")

// isolate applies the events of one key one by one, each up to so many times, and parks the key at the one that fails.
func (p *partition) isolate(ctx context.Context, u *unit, attempts int) error {
	parts := u.split()
	for i, part := range parts {
		err := p.persist(ctx, part, attempts)
		if err == nil {
			continue
		}
		if blameless(ctx, err) {
			return err
		}
		if len(p.parked) >= p.cfg.Limits.Parked && !u.unpark {
			return fmt.Errorf("%w: the next is %s: %w", errTooManyParked, u.key(), err)
		}
		stop := stopAt(parts[i:], err, attempts)
		p.remember(stop.park)
		p.cfg.Logger.WarnContext(ctx, "event failed and its key is parked", "projection", p.cfg.Name, "subject", u.key(),
			"position", stop.park.Sequence, "event_type", stop.park.Type, "attempts", stop.park.Attempts, "error", err)
		if err := p.commit(ctx, []*unit{stop}); err != nil {
			return fmt.Errorf("park %s: %w", u.key(), err)
		}
		return nil
	}
	return nil
}

// persist tries one event with a short backoff: long enough for what passes by itself, short enough to keep the
// partition going.
func (p *partition) persist(ctx context.Context, u *unit, attempts int) error {
	wait := 10 * time.Millisecond
	for attempt := 1; ; attempt++ {
		err := p.commit(ctx, []*unit{u})
		if err == nil || blameless(ctx, err) || attempt >= attempts {
			return err
		}
		if run.Pause(ctx, wait/2+rand.N(wait)) != nil { //nolint:gosec // jitter
			return err
		}
		wait *= 5
	}
}

// remember carries attempts and time over when it is the same event that fails again.
func (p *partition) remember(now *Parked) {
	before, again := p.parked[now.Key()]
	now.Projection = p.cfg.Name
	if again && before.Sequence == now.Sequence {
		now.Attempts += before.Attempts
		now.Since = before.Since
	}
}

// commit writes units and the progress that they make in one step, and then believes it.
func (p *partition) commit(ctx context.Context, units []*unit) error {
	total := 0
	for _, u := range units {
		total += len(u.events)
	}
	c := Commit{Events: make([]events.Recorded, 0, total), Ahead: map[string]uint64{}}
	for _, u := range units {
		c.Events = append(c.Events, u.events...)
		for _, i := range u.items {
			i.done = true
		}
		switch {
		case u.park != nil:
			u.park.Projection = p.cfg.Name
			c.Park = append(c.Park, *u.park)
		case u.unpark:
			c.Unpark = append(c.Unpark, u.key())
		}
	}
	c.Progress, c.Time = p.current()
	for _, u := range units {
		if u.through > c.Progress.Checkpoint {
			c.Ahead[u.key()] = u.through
		}
	}
	alone := p.live == nil && c.Progress.Checkpoint == p.low.next-1
	c.Prune = len(p.ahead) > 0 && (alone || len(p.ahead) >= p.pruneAt)
	if err := p.session.Commit(ctx, c); err != nil {
		for _, u := range units {
			for _, i := range u.items {
				i.done = false
			}
		}
		return err
	}
	p.believe(c)
	p.gauge.count(len(c.Events))
	return nil
}

// believe makes what was committed the state to go on from.
func (p *partition) believe(c Commit) {
	p.committed, p.recorded = c.Progress, time.Now()
	maps.Copy(p.ahead, c.Ahead)
	if c.Prune {
		maps.DeleteFunc(p.ahead, func(_ string, through uint64) bool { return through <= c.Progress.Checkpoint })
		p.pruneAt = max(1024, 2*len(p.ahead))
	}
	for _, k := range c.Unpark {
		delete(p.parked, k)
	}
	for _, k := range c.Park {
		p.parked[k.Key()] = k
	}
	p.settle()
}

// answer does what operators asked for since the last beat.
func (p *partition) answer(ctx context.Context) error {
	if time.Since(p.asked) < beat {
		return nil
	}
	requests, err := p.session.Requests(ctx)
	if err != nil {
		return err
	}
	p.asked = time.Now()
	for _, r := range requests {
		parked, ok := p.parked[r.Key]
		if !ok || parked.Sequence != r.Sequence {
			continue // it was freed meanwhile
		}
		// Where a retry was interrupted nothing has failed yet, and nothing is to be dropped.
		if err := p.free(ctx, parked, r.Ask == AskDrop && parked.Attempts > 0); err != nil {
			return err
		}
	}
	return nil
}

// free applies what waits behind a parked key, from the failed event on or from the one after it.
func (p *partition) free(ctx context.Context, parked Parked, drop bool) error {
	after := parked.Sequence
	if !drop {
		after--
	}
	history, err := p.cfg.Log.Read(ctx, parked.Aggregate, after)
	if err != nil {
		return fmt.Errorf("read %s: %w", parked.Aggregate, err)
	}
	u := &unit{aggregate: parked.Aggregate, through: after, unpark: true}
	for i := range history {
		u.add(&history[i])
	}
	if u.park == nil {
		u.through = max(u.through, parked.Sequence) // also when it was purged
	} else {
		p.remember(u.park)
	}
	err = p.commit(ctx, []*unit{u})
	if err == nil || blameless(ctx, err) || len(u.events) == 0 {
		return err
	}
	return p.isolate(ctx, u, 1)
}

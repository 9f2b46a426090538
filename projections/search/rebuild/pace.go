package rebuild

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/tidemark-desk/tidemark/internal/run"
	"github.com/tidemark-desk/tidemark/projections"
)

const (
	smallest   = 8 // documents of one portion
	largest    = 192
	behindMost = 1.0 // seconds that live work may be behind, and twice the interval of refreshes, before the rebuild slows itself
	restMost   = 2 * time.Second
	restTimes  = 4 // at most so many times as long as the work was
)

// pacer shares the machine with live work. Portions are taken in turns, as those of every backlog, and are as large as fits
// the time of one; beyond that it rests while live work is behind, the longer the longer that lasts; and it keeps to what
// an operator allows.
type pacer struct {
	turns *projections.Pace
	lag   func() float64
	most  float64 // seconds of lag

	mu      sync.Mutex
	limiter *rate.Limiter // nil: no limit
	changed chan struct{} // closed when another limit is set
	portion int
	resting time.Duration // after each portion, while live work is behind
	why     string
}

func newPacer(turns *projections.Pace, lag func() float64, refresh time.Duration) *pacer {
	return &pacer{turns: turns, lag: lag, most: behindMost + 2*refresh.Seconds(), changed: make(chan struct{}), portion: 64}
}

// limit sets how many documents a second are allowed; zero: any number.
func (p *pacer) limit(perSecond float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.changed)
	p.changed = make(chan struct{})
	if perSecond <= 0 {
		p.limiter = nil
		return
	}
	p.limiter = rate.NewLimiter(rate.Limit(perSecond), largest)
	p.limiter.AllowN(time.Now(), largest) // nothing was saved up
}

// slowed tells why the rebuild is slower than it could be; empty: it is not.
func (p *pacer) slowed() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.why
}

func (p *pacer) turn(ctx context.Context) (target time.Duration, end func(), err error) {
	return p.turns.Turn(ctx, projections.Index, 0)
}

// size is how many documents the next portion may have.
func (p *pacer) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.portion
}

// adapt makes the next portion fit the time of a turn.
func (p *pacer) adapt(n int, took, target time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case took > target:
		p.portion = max(smallest, min(p.portion, n/2)) // of those who write at a time, each halves it once
	case took < target/2 && n >= p.portion:
		p.portion = min(largest, 2*p.portion)
	}
}

// rest waits after a portion for as long as live work and operators want.
func (p *pacer) rest(ctx context.Context, n int, took time.Duration) error {
	behind := p.lag()
	p.mu.Lock()
	limiter, changed := p.limiter, p.changed
	switch {
	case behind > p.most:
		p.resting = min(restMost, restTimes*took, max(took, 2*p.resting))
		p.why = fmt.Sprintf("live work is %.1f seconds behind", behind)
	case p.resting > took/8:
		p.resting /= 2
	default:
		p.resting, p.why = 0, ""
	}
	resting := p.resting
	p.mu.Unlock()
	if limiter != nil {
		timer := time.NewTimer(limiter.ReserveN(time.Now(), n).Delay())
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return run.Pause(ctx, resting)
}

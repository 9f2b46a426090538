package projections

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

const (
	idleTarget  = 250 * time.Millisecond // of a backlog commit, when only throughput counts
	indexTarget = time.Second            // of the index, which writes what was touched often once for each commit
	liveTarget  = 20 * time.Millisecond  // and while there is live work: that waits for the commit before its own
	liveSilence = 2 * time.Second        // without live work, after which only throughput counts
	longestRest = 5 * liveTarget         // between two turns while there is live work
)

// Pace shares the processors of a process between the backlogs of its projections. A backlog is worked on in turns, for
// more of them at a time than there are processors only make each slower, its commits smaller, and its rows be written
// more often. While any projection of the process has live work there is one turn at a time, a short one, and after it
// a rest as long, so that what happens now finds a free processor. Live work itself waits for no turn.
//
// Who works on the same store is a group, and within it whoever is furthest behind is next. So all stay close together:
// the log is read and decoded once for all of them, and what a reactor does about the past meets read models that have
// that past. Between groups time is shared by weight, so that a slow store delays no other by more than its share.
type Pace struct {
	mu      sync.Mutex
	slots   int
	busy    int
	waiting []*turn
	spent   map[Group]time.Duration
	lively  time.Time // when there was live work last
	rested  time.Time // when the next turn may begin
}

// Group is projections that take their turns in common.
type Group string

// The groups. Tables are what people look at, and what reactors decide by; the index may be later.
const (
	Tables Group = "tables"
	Index  Group = "index"
)

// shares are how many times the time of the index others get, when all have work.
var shares = map[Group]time.Duration{Tables: 3, Index: 1}

// NewPace makes a pace for so many processors.
func NewPace(processors int) *Pace {
	return &Pace{slots: processors, spent: map[Group]time.Duration{}}
}

// turn is a partition's wish to work on its backlog, and then its right to.
type turn struct {
	group   Group
	at      uint64 // where its backlog is
	granted chan struct{}
	began   time.Time
}

// ask gets in line. The turn must be ended, whether it was granted or not.
func (p *Pace) ask(group Group, at uint64) *turn {
	t := &turn{group: group, at: at, granted: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = append(p.waiting, t)
	p.grant()
	return t
}

// end gives the turn to whoever is next.
func (p *Pace) end(t *turn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.waiting, t); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		return
	}
	p.busy--
	took := time.Since(t.began)
	p.spend(t.group, took)
	if p.isLively() {
		p.rest(min(took, longestRest))
	}
	p.grant()
}

// rest lets no turn begin for a while.
func (p *Pace) rest(d time.Duration) {
	p.rested = time.Now().Add(d)
	time.AfterFunc(d, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.grant()
	})
}

// spend books a turn. A group that had no work for a while has saved up nothing for later.
func (p *Pace) spend(group Group, took time.Duration) {
	const most = time.Second
	newest := p.spent[group] + took/max(1, shares[group])
	for g, spent := range p.spent {
		newest = max(newest, p.spent[g]-most)
		if g != group && spent < newest-most {
			p.spent[g] = newest - most
		}
	}
	p.spent[group] = newest
}

// grant lets as many begin as there is room for.
func (p *Pace) grant() {
	for len(p.waiting) > 0 && p.busy < p.width() && !time.Now().Before(p.rested) {
		next := slices.MinFunc(p.waiting, func(a, b *turn) int {
			return cmp.Or(cmp.Compare(p.spent[a.group], p.spent[b.group]), cmp.Compare(a.at, b.at))
		})
		p.waiting = slices.DeleteFunc(p.waiting, func(t *turn) bool { return t == next })
		p.busy++
		next.began = time.Now()
		close(next.granted)
	}
}

func (p *Pace) width() int {
	if p.isLively() {
		return 1
	}
	return p.slots
}

// isLively tells whether any projection has live work.
func (p *Pace) isLively() bool { return time.Since(p.lively) < liveSilence }

// live notes that there is live work now.
func (p *Pace) live() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lively = time.Now()
}

// target is how long a backlog commit of a group should take. The index pays for small commits twice, when it merges
// what they wrote, and what happens now may be found a moment later.
func (p *Pace) target(group Group) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.isLively() && group == Index:
		return indexTarget
	case !p.isLively():
		return idleTarget
	case group == Index:
		return 2 * liveTarget
	}
	return liveTarget
}

// mine tells whether a turn has been granted.
func (t *turn) mine() bool {
	select {
	case <-t.granted:
		return true
	default:
		return false
	}
}

// Turn waits for a turn of work that is no projection's backlog, such as building an index anew; at orders those of its
// group, the lower first. What is done in it should take as long as target says.
func (p *Pace) Turn(ctx context.Context, group Group, at uint64) (target time.Duration, end func(), err error) {
	t := p.ask(group, at)
	select {
	case <-t.granted:
		return p.target(group), func() { p.end(t) }, nil
	case <-ctx.Done():
		p.end(t)
		return 0, nil, ctx.Err()
	}
}

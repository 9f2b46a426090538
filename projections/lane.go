package projections

import (
	"math"
	"slices"
	"time"

	"github.com/tidemark-desk/tidemark/events"
)

const (
	open = math.MaxUint64 // the end of a lane that follows the log

	// Tenants take turns. In one turn a tenant may spend its quantum; an event costs its bytes and a constant for the
	// work that any event makes. What it cannot spend, because its next event costs more, it keeps for its next turn.
	quantum   = 8 << 10
	eventCost = 512
)

// item is an event in a lane's window.
type item struct {
	event *events.Recorded
	key   string
	taken bool // from its queue
	done  bool // applied, parked, or covered by what was applied ahead
}

func (i *item) cost() int { return i.event.Size + eventCost }

// urgent tells whether somebody waits for the event now: a person did it. What automations and imports write may be
// thousands of events about the past.
func urgent(r *events.Recorded) bool { return r.Depth == 0 && r.Actor.Type != events.ActorImport }

// queue is waiting items of a lane, tenant by tenant.
type queue struct {
	tenants map[string]*tenant
	turns   []string // tenants with waiting items, the next one first
	waiting int
}

// tenant is the items of one org in a queue, in the log's order.
type tenant struct {
	items   []*item
	deficit int
}

// lane is a stretch of the log that is worked on: [.., end), read up to next, done up to low. Work is taken from a
// bounded window, tenant by tenant, so that within the window nobody waits for somebody else's flood. Each
// aggregate belongs to one tenant, and so keeps its order.
type lane struct {
	next    uint64 // first sequence that was not read yet
	end     uint64 // first sequence that is not the lane's
	window  []*item
	urgent  queue     // of a live lane: what goes first; an event before it in its key is applied with it
	later   []*item   // of a live lane: what is not urgent and waits until what it rests on was applied
	rest    queue     // everything else
	sorts   bool      // urgent from the rest
	waiting int       // items nobody has taken
	bytes   int       // of the events in the window
	read    time.Time // when the log took the last event that was read
}

func newLane(from, end uint64) *lane {
	return &lane{next: from, end: end, urgent: queue{tenants: map[string]*tenant{}}, rest: queue{tenants: map[string]*tenant{}}}
}

// newLiveLane makes a lane at the head, where urgent events go before others.
func newLiveLane(from uint64) *lane {
	l := newLane(from, open)
	l.sorts = true
	return l
}

// add puts a block into the window. Events that want refuses are passed over.
func (l *lane) add(b Block, end uint64, want func(*events.Recorded) bool) {
	end = min(end, l.end)
	for i := range b.Events {
		r := &b.Events[i]
		if r.Sequence < l.next {
			continue
		}
		if r.Sequence >= end {
			break
		}
		l.read = r.Stored
		if want(r) {
			l.push(r)
		}
	}
	l.next = max(l.next, min(b.Next, end))
}

func (l *lane) push(r *events.Recorded) {
	own := *r // the window must not keep the whole block alive
	i := &item{event: &own, key: r.String()}
	l.window = append(l.window, i)
	l.bytes += r.Size + eventBytes
	l.waiting++
	switch {
	case !l.sorts:
		l.rest.push(i)
	case urgent(r):
		l.urgent.push(i)
	default:
		l.later = append(l.later, i)
	}
}

// promote lets those take their turn that need wait no longer.
func (l *lane) promote(ready func(*item) bool) {
	l.later = slices.DeleteFunc(l.later, func(i *item) bool {
		if !ready(i) {
			return false
		}
		l.rest.push(i)
		return true
	})
}

// plain is the lane without an order of its own: all in the log's.
func (l *lane) plain() *lane {
	p := newLane(l.next, l.end)
	p.window, p.bytes, p.read = l.window, l.bytes, l.read
	for _, i := range l.window {
		if !i.taken {
			p.waiting++
			p.rest.push(i)
		}
	}
	return p
}

// takeUrgent removes up to n items that go first.
func (l *lane) takeUrgent(n int) []*item {
	out := l.urgent.take(n)
	l.waiting -= len(out)
	return out
}

// take removes up to n items that are not urgent.
func (l *lane) take(n int) []*item {
	out := l.rest.take(n)
	l.waiting -= len(out)
	return out
}

func (q *queue) push(i *item) {
	q.waiting++
	org := i.event.Org
	t := q.tenants[org]
	if t == nil {
		t = &tenant{}
		q.tenants[org] = t
	}
	if len(t.items) == 0 {
		q.turns = append(q.turns, org)
	}
	t.items = append(t.items, i)
}

// take removes up to n items: deficit round robin by tenant.
func (q *queue) take(n int) []*item {
	var out []*item
	for len(out) < n && len(q.turns) > 0 {
		org := q.turns[0]
		t := q.tenants[org]
		t.deficit += quantum
		for len(t.items) > 0 && len(out) < n && t.items[0].cost() <= t.deficit {
			t.deficit -= t.items[0].cost()
			t.items[0].taken = true
			out = append(out, t.items[0])
			t.items = t.items[1:]
		}
		q.turns = q.turns[1:]
		if len(t.items) > 0 {
			q.turns = append(q.turns, org)
			t.deficit = min(t.deficit, max(quantum, t.items[0].cost()))
		} else {
			delete(q.tenants, org)
		}
	}
	q.waiting -= len(out)
	return out
}

// low is the sequence up to which the lane is done, and when the log took the event there.
func (l *lane) low() (uint64, time.Time) {
	var at time.Time
	for _, i := range l.window {
		if !i.done {
			return i.event.Sequence - 1, at
		}
		at = i.event.Stored
	}
	return l.next - 1, l.read
}

// oldest is when the log took the oldest event that is not done; zero when all that was read is.
func (l *lane) oldest() time.Time {
	for _, i := range l.window {
		if !i.done {
			return i.event.Stored
		}
	}
	return time.Time{}
}

// settle forgets what is done at the beginning of the window.
func (l *lane) settle() {
	n := 0
	for n < len(l.window) && l.window[n].done {
		l.bytes -= l.window[n].event.Size + eventBytes
		l.window[n] = nil
		n++
	}
	l.window = l.window[n:]
}

// finished tells whether a lane with an end has come to it.
func (l *lane) finished() bool { return l.next >= l.end && len(l.window) == 0 }

package eventlog

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tidemark-desk/tidemark/internal/run"
)

const (
	answerTimeout = 10 * time.Second // after that the outcome is unknown
	drainTimeout  = 5 * time.Second  // for what is under way when the log closes
	queueLimit    = 4096             // units that may wait; who comes later waits to wait
	groupEvents   = 512              // events of a batch that joins several units
	groupBytes    = 4 << 20          // and their bytes
	gatherShare   = 0.9              // a batch leaves when this part of the last round's callers has come back, or in time
)

// appender is the group commit. One goroutine owns all of its state.
//
// Alone, a write is a plain publish at once, one fsync. While the load stays below the measured line, writes are plain
// publishes in a pipeline. Above it, what waits goes together as one atomic batch with one fsync; the next batch gathers
// meanwhile. If one expectation in a batch is stale the server refuses it whole: the stale members are found and told, the
// others go again.
type appender struct {
	log    *Log
	prefix string // of reply subjects
	sub    *nats.Subscription
	submit chan *unit
	acks   chan *nats.Msg
	looked chan *look
	lost   chan struct{}
	ending chan struct{}
	ended  chan struct{}
	end    sync.Once

	// owned by run
	queue    []*unit
	flight   map[uint64]*group
	token    uint64
	plains   int    // groups in flight that are plain publishes
	batch    *group // the batch in flight, or being looked into
	cross    crossover
	load     float64   // callers at once, its recent peak
	deadline time.Time // of gathering; zero when not gathering
}

// group is what one answer of the server decides.
type group struct {
	units []*unit
	token uint64
	batch bool
	msgs  int
	sent  time.Time
}

// look is the answer to which expectations of a refused batch are stale.
type look struct {
	group *group
	last  map[string]uint64
	err   error
}

func newAppender(l *Log) (*appender, error) {
	a := &appender{
		log: l, prefix: nats.NewInbox() + ".",
		submit: make(chan *unit, 256), acks: make(chan *nats.Msg, 2*queueLimit), looked: make(chan *look, 1),
		lost: make(chan struct{}, 1), ending: make(chan struct{}), ended: make(chan struct{}),
		flight: map[uint64]*group{},
	}
	var err error
	if a.sub, err = l.conn.ChanSubscribe(a.prefix+"*", a.acks); err != nil {
		return nil, fmt.Errorf("subscribe to acknowledgements: %w", err)
	}
	return a, nil
}

// append waits for its turn and for the outcome.
func (a *appender) append(ctx context.Context, u *unit) (uint64, error) {
	select {
	case a.submit <- u:
	case <-ctx.Done():
		return 0, ErrUnavailable.WithCause(ctx.Err())
	case <-a.ending:
		return 0, ErrUnavailable.WithHint("the log was closed")
	}
	select {
	case o := <-u.outcome:
		return o.first, o.err
	case <-ctx.Done():
		if u.state.CompareAndSwap(waiting, givenUp) {
			return 0, ErrUnavailable.WithCause(ctx.Err())
		}
		return 0, ErrUnknownOutcome.WithCause(ctx.Err())
	case <-a.ended:
		select {
		case o := <-u.outcome:
			return o.first, o.err
		default:
			return 0, ErrUnavailable.WithHint("the log was closed") // it came too late to be seen
		}
	}
}

// connectionLost makes the outcome of everything in flight unknown.
func (a *appender) connectionLost() { run.Signal(a.lost) }

// drain finishes what was accepted, and returns when the appender has ended.
func (a *appender) drain() {
	a.end.Do(func() { close(a.ending) })
	<-a.ended
}

func (a *appender) run(ctx context.Context) {
	defer close(a.ended)
	defer func() { _ = a.sub.Unsubscribe() }()
	wake := time.NewTimer(time.Hour)
	defer wake.Stop()
	ending := a.ending
	var closeBy time.Time
	for {
		submit := a.submit
		if len(a.queue) >= queueLimit {
			submit = nil
		}
		select {
		case u := <-submit:
			a.accept(u)
		case m := <-a.acks:
			a.settle(ctx, m, time.Now())
		case l := <-a.looked:
			a.regroup(l)
		case <-a.lost:
			a.failFlight(nats.ErrDisconnected)
		case <-wake.C:
		case <-ending:
			ending = nil
			closeBy = time.Now().Add(drainTimeout)
		}
		a.takeWhatIsThere(ctx, submit)
		now := time.Now()
		a.expire(now)
		a.pump(now)
		if !closeBy.IsZero() {
			if len(a.queue)+len(a.flight) == 0 && a.batch == nil {
				return
			}
			if now.After(closeBy) {
				a.failFlight(nats.ErrConnectionClosed)
				a.failQueue()
				return
			}
		}
		wake.Reset(a.nextWake(now, closeBy))
	}
}

// takeWhatIsThere saves a turn of the loop for each of many writes or answers that come together.
func (a *appender) takeWhatIsThere(ctx context.Context, submit chan *unit) {
	for len(a.queue) < queueLimit {
		select {
		case u := <-submit:
			a.accept(u)
			continue
		case m := <-a.acks:
			a.settle(ctx, m, time.Now())
			continue
		default:
		}
		return
	}
}

func (a *appender) accept(u *unit) {
	a.queue = append(a.queue, u)
	a.load = max(a.load, a.outstanding())
}

// outstanding is how many callers wait for something.
func (a *appender) outstanding() float64 {
	n := len(a.queue) + a.plains
	if a.batch != nil {
		n += len(a.batch.units)
	}
	return float64(n)
}

// pump sends what is to be sent now.
func (a *appender) pump(now time.Time) {
	for a.batch == nil && len(a.queue) > 0 {
		first := a.queue[0]
		switch {
		case first.alone:
			a.sendNext(now, 1)
		case a.mustBatch():
			a.sendNext(now, groupEvents)
		case !a.cross.pays(a.load):
			a.sendPlain(now)
		case a.plains > 0:
			return // the server is busy: gather
		case !a.gathered(now):
			return
		case float64(len(a.queue)) < a.cross.line()/2:
			a.sendPlain(now)
		default:
			a.sendNext(now, groupEvents)
		}
	}
}

// mustBatch tells whether something waits that only a batch can write.
func (a *appender) mustBatch() bool {
	for _, u := range a.queue {
		if len(u.msgs) > 1 {
			return true
		}
	}
	return false
}

// gathered tells whether the callers of the last round have come back, or had their time to.
func (a *appender) gathered(now time.Time) bool {
	if float64(len(a.queue)) >= gatherShare*a.load {
		a.deadline = time.Time{}
		return true
	}
	if a.deadline.IsZero() {
		a.deadline = now.Add(a.cross.gather())
		return false
	}
	if now.Before(a.deadline) {
		return false
	}
	a.deadline = time.Time{}
	return true
}

// sendPlain publishes everything that waits, each by itself.
func (a *appender) sendPlain(now time.Time) {
	queue := a.queue
	a.queue = a.queue[:0:0]
	for _, u := range queue {
		if u.take() {
			a.send(&group{units: []*unit{u}, msgs: 1}, now)
		}
	}
}

// sendNext sends the first units that go together, up to so many events, at least one unit.
func (a *appender) sendNext(now time.Time, limit int) {
	g := &group{batch: true}
	subjects := map[string]struct{}{}
	bytes := 0
	rest := a.queue[:0:0]
	for i, u := range a.queue {
		if len(g.units) > 0 && (g.units[0].alone || g.msgs+len(u.msgs) > limit || bytes+u.bytes > groupBytes) {
			rest = append(rest, a.queue[i:]...)
			break
		}
		if len(g.units) > 0 && (u.alone || occupied(subjects, u)) {
			rest = append(rest, u) // a subject may be written once in a batch; the later write waits for the next
			for _, e := range u.expect {
				subjects[e.subject] = struct{}{}
			}
			continue
		}
		if !u.take() {
			continue
		}
		g.units = append(g.units, u)
		g.msgs += len(u.msgs)
		bytes += u.bytes
		for _, e := range u.expect {
			subjects[e.subject] = struct{}{}
		}
	}
	a.queue = rest
	if len(g.units) == 0 {
		return
	}
	g.batch = g.msgs > 1
	a.send(g, now)
}

func occupied(subjects map[string]struct{}, u *unit) bool {
	for _, e := range u.expect {
		if _, taken := subjects[e.subject]; taken {
			return true
		}
	}
	return false
}

// send publishes a group. Only its last message asks for an answer.
func (a *appender) send(g *group, now time.Time) {
	a.token++
	g.token, g.sent = a.token, now
	token := strconv.FormatUint(g.token, 36)
	id := a.prefix[len(nats.InboxPrefix):] + token // unique: the inbox is
	n := 0
	for _, u := range g.units {
		for _, m := range u.msgs {
			n++
			m.Reply = ""
			if g.batch {
				m.Header["Nats-Batch-Id"] = []string{id}
				m.Header["Nats-Batch-Sequence"] = []string{strconv.Itoa(n)}
				delete(m.Header, "Nats-Batch-Commit")
			} else {
				delete(m.Header, "Nats-Batch-Id")
				delete(m.Header, "Nats-Batch-Sequence")
				delete(m.Header, "Nats-Batch-Commit")
			}
			if n == g.msgs {
				m.Reply = a.prefix + token
				if g.batch {
					m.Header["Nats-Batch-Commit"] = []string{"1"}
				}
			}
			if err := a.log.conn.PublishMsg(m); err != nil {
				if n < g.msgs || definitelyUnsent(err) { // a batch without its last message is nothing
					g.fail(ErrUnavailable.WithCause(err))
				} else {
					g.fail(ErrUnknownOutcome.WithCause(err))
				}
				return
			}
		}
	}
	a.flight[g.token] = g
	if g.batch {
		a.batch = g
		a.log.metrics.batches.Inc()
		a.log.metrics.batchEvents.Observe(float64(g.msgs))
	} else {
		a.plains++
		a.log.metrics.plains.Inc()
	}
}

func (a *appender) nextWake(now, closeBy time.Time) time.Duration {
	next := time.Hour
	sooner := func(at time.Time) {
		if !at.IsZero() {
			next = min(next, max(0, at.Sub(now)))
		}
	}
	if len(a.flight) > 0 {
		sooner(now.Add(answerTimeout / 10))
	}
	sooner(a.deadline)
	sooner(closeBy)
	return next
}

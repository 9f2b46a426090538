package eventlog

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// inProcessTries is how often a write is given to the log that says another one of the subject is in process. When that
// one is done the log says whether the expectation holds.
const inProcessTries = 8

// settle acts on an answer.
func (a *appender) settle(ctx context.Context, m *nats.Msg, now time.Time) {
	token, err := strconv.ParseUint(strings.TrimPrefix(m.Subject, a.prefix), 36, 64)
	g := a.flight[token]
	if err != nil || g == nil {
		return // its outcome was given as unknown before
	}
	answer, err := parseAck(m)
	outstanding := a.outstanding()
	a.land(g)
	switch {
	case err != nil && m.Header.Get(headerStatus) == statusNoResponders:
		g.fail(ErrUnavailable.WithCause(err))
	case err != nil:
		g.fail(ErrUnknownOutcome.WithCause(err))
	case answer.Error != nil:
		a.refused(ctx, g, answer.Error)
	default:
		if g.batch {
			a.cross.batchDone(g.sent, now, a.load)
		} else {
			a.cross.plainDone(g.sent, now, a.load)
		}
		first := answer.Seq - uint64(g.msgs) + 1 //nolint:gosec // a count is positive
		for _, u := range g.units {
			u.finish(first, nil)
			first += uint64(len(u.msgs))
		}
	}
	if outstanding < a.load {
		weight := 1.0 / 16
		if g.batch {
			weight = 1.0 / 4
		}
		a.load += (outstanding - a.load) * weight
	}
}

// refused finds out whose fault it was.
func (a *appender) refused(ctx context.Context, g *group, e *apiError) {
	a.log.metrics.refused.WithLabelValues(strconv.Itoa(e.ErrCode)).Inc()
	tries := 0
	for _, u := range g.units {
		u.refused++
		tries = max(tries, u.refused)
	}
	switch {
	case g.batch && len(g.units) == 1 && e.batchOnly() && tries < 4:
		a.retry(g.units, false)
	case len(g.units) == 1 && e.ErrCode == codeWrongLastConstant && tries < inProcessTries:
		a.retry(g.units, true) // a cluster may still be busy with the write before, which was acknowledged
	case len(g.units) == 1 || !e.conflict() && !e.batchOnly():
		g.fail(e.refusal())
	case e.batchOnly() || tries > 1:
		a.retry(g.units, true)
	default:
		a.batch = g // nothing else is sent while the stale ones are looked for
		a.log.tasks.Go(func() { a.look(ctx, g) })
	}
}

// retry puts units in front of the queue. They count as sent: their callers wait for the outcome.
func (a *appender) retry(units []*unit, alone bool) {
	for _, u := range units {
		u.alone = u.alone || alone
	}
	a.queue = append(append(make([]*unit, 0, len(units)+len(a.queue)), units...), a.queue...)
}

// look asks where the subjects of a refused batch stand.
func (a *appender) look(ctx context.Context, g *group) {
	l := &look{group: g}
	var subjects []string
	for _, u := range g.units {
		for _, e := range u.expect {
			subjects = append(subjects, e.subject)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	l.last, l.err = a.log.lastOf(ctx, subjects)
	a.looked <- l
}

// regroup tells the stale members of a refused batch and sends the others again: together once, then each by itself.
func (a *appender) regroup(l *look) {
	a.batch = nil
	var fresh []*unit
	for _, u := range l.group.units {
		stale := false
		for _, e := range u.expect {
			stale = stale || l.last[e.subject] > e.sequence // a replica that lags shows less, never more
		}
		if stale && l.err == nil {
			u.finish(0, ErrConflict)
			continue
		}
		fresh = append(fresh, u)
	}
	if len(fresh) == 0 {
		return
	}
	alone := l.err != nil || len(fresh) == len(l.group.units) // the read did not show whose it was
	if alone {
		a.retry(fresh, true)
		return
	}
	a.send(&group{units: fresh, batch: unitsEvents(fresh) > 1, msgs: unitsEvents(fresh)}, time.Now())
}

func unitsEvents(units []*unit) (n int) {
	for _, u := range units {
		n += len(u.msgs)
	}
	return n
}

// expire gives up on answers that do not come.
func (a *appender) expire(now time.Time) {
	for _, g := range a.flight {
		if now.Sub(g.sent) > answerTimeout {
			a.land(g)
			g.fail(ErrUnknownOutcome.WithCause(nats.ErrTimeout))
		}
	}
}

func (a *appender) failFlight(err error) {
	for _, g := range a.flight {
		a.land(g)
		g.fail(ErrUnknownOutcome.WithCause(err))
	}
}

func (a *appender) failQueue() {
	for _, u := range a.queue {
		u.finish(0, ErrUnavailable.WithHint("the log was closed"))
	}
	a.queue = nil
}

// land takes a group out of flight.
func (a *appender) land(g *group) {
	delete(a.flight, g.token)
	if g.batch {
		a.batch = nil
	} else {
		a.plains--
	}
}

func (g *group) fail(err error) {
	for _, u := range g.units {
		u.finish(0, err)
	}
}

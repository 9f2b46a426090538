package eventlog

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
)

const (
	batchLimit  = 1000 // events of one atomic batch, the server's limit
	headerLimit = 60 << 10
	headerSlack = 1 << 10 // what the appender and the server add to an event's headers, generously
)

// Write is events for one aggregate.
type Write struct {
	Aggregate events.Aggregate
	Expected  uint64       // sequence of the aggregate's last event; 0: it has none yet
	Before    events.Trail // that ends with Expected, where the writer knows it
	Drafts    []events.Draft
}

// Append writes the events of all writes, together or not at all, and returns the sequence of the last event of each write.
// The events of one Append are contiguous and in the order given. Every aggregate may occur once. When it returns, they are
// durable.
//
// Errors: ErrConflict and ErrUnknownOutcome as they say; a fault of kind Invalid when the events can never be written;
// anything else says that nothing was written. When ctx ends while the write is under way the outcome is unknown.
func (l *Log) Append(ctx context.Context, writes ...Write) ([]uint64, error) {
	began := time.Now()
	if err := l.usable(); err != nil {
		return nil, err
	}
	u, err := l.encode(writes)
	if err != nil {
		return nil, err
	}
	first, err := l.appender.append(ctx, u)
	if err != nil {
		l.metrics.failed.WithLabelValues(fault.CodeOf(err)).Inc()
		return nil, err
	}
	l.metrics.latency.Observe(time.Since(began).Seconds())
	out := make([]uint64, len(writes))
	for i, w := range writes {
		first += uint64(len(w.Drafts))
		out[i] = first - 1
	}
	return out, nil
}

// unit is what one Append writes: it is there whole or not at all.
type unit struct {
	msgs    []*nats.Msg
	expect  []expectation
	bytes   int
	alone   bool // was refused in company: it is tried by itself
	refused int  // how often
	state   atomic.Int32
	outcome chan outcome
}

type expectation struct {
	subject  string
	sequence uint64
}

type outcome struct {
	first uint64 // sequence of the first event
	err   error
}

// A unit is waiting until the appender sends it or its caller gives it up, whichever is first.
const (
	waiting int32 = iota
	sent
	givenUp
)

// take makes the unit the appender's; false when its caller has given it up.
func (u *unit) take() bool { return u.state.CompareAndSwap(waiting, sent) || u.state.Load() == sent }

func (u *unit) finish(first uint64, err error) { u.outcome <- outcome{first: first, err: err} }

func (l *Log) encode(writes []Write) (*unit, error) {
	u := &unit{outcome: make(chan outcome, 1)}
	limit := l.conn.MaxPayload() - headerSlack
	for i, w := range writes {
		if !w.Aggregate.Valid() {
			return nil, fmt.Errorf("append to %s: %w", w.Aggregate, events.ErrSubject)
		}
		if len(w.Drafts) == 0 {
			return nil, fmt.Errorf("append to %s: no events", w.Aggregate)
		}
		for _, other := range writes[:i] {
			if other.Aggregate == w.Aggregate {
				return nil, fmt.Errorf("append to %s: it is there twice", w.Aggregate)
			}
		}
		subject := w.Aggregate.Subject(l.partitions)
		u.expect = append(u.expect, expectation{subject: subject, sequence: w.Expected})
		before := w.Before
		if before[0] != w.Expected {
			before = events.Trail{w.Expected}
		}
		for n, d := range w.Drafts {
			header, body, err := events.Encode(w.Aggregate, d)
			if err != nil {
				return nil, fmt.Errorf("append to %s: %w", w.Aggregate, err)
			}
			before.SetTrail(header, n)
			headers := 0
			for k, v := range header {
				headers += len(k) + len(v[0]) + 4
			}
			size := len(subject) + headers + len(body)
			if int64(size) > limit || headers > headerLimit {
				return nil, tooLarge(limit)
			}
			if n == 0 { // on a later message of the same subject the server would refuse it
				header[headerExpectedSequence] = []string{strconv.FormatUint(w.Expected, 10)}
			}
			u.bytes += size
			u.msgs = append(u.msgs, &nats.Msg{Subject: subject, Header: nats.Header(header), Data: body})
		}
	}
	switch {
	case len(u.msgs) == 0:
		return nil, fault.New(fault.Invalid, "no_events", "nothing to append")
	case len(u.msgs) > batchLimit:
		return nil, fault.Newf(fault.Invalid, "too_many_events", "one append takes at most %d events", batchLimit)
	}
	return u, nil
}

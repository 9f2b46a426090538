package command_test

import (
	"context"
	"slices"
	"sync"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
)

// fakeLog is a log in memory that keeps every promise of the real one, and can be told to fail.
type fakeLog struct {
	mu      sync.Mutex
	all     []events.Recorded
	reads   int
	appends int
	heard   map[events.Aggregate]uint64
	before  func(n int, writes []eventlog.Write) error // called without the lock, before the nth append, from 1; an error is the answer and nothing is written
	after   func(n int) error                          // called after the nth append was written; an error is the answer although it was
}

func (l *fakeLog) Append(_ context.Context, writes ...eventlog.Write) ([]uint64, error) {
	l.mu.Lock()
	l.appends++
	n, before, after := l.appends, l.before, l.after
	l.mu.Unlock()
	if before != nil {
		if err := before(n, writes); err != nil {
			return nil, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range writes {
		if l.last(w.Aggregate) != w.Expected {
			return nil, eventlog.ErrConflict
		}
	}
	out := make([]uint64, len(writes))
	for i, w := range writes {
		for _, d := range w.Drafts {
			out[i] = l.put(w.Aggregate, d)
		}
	}
	if after != nil {
		if err := after(n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (l *fakeLog) put(a events.Aggregate, d events.Draft) uint64 {
	seq := uint64(len(l.all)) + 1
	l.all = append(l.all, events.Recorded{
		Metadata: d.Metadata, Aggregate: a, Partition: a.Partition(4), Sequence: seq, Stored: d.Time, Event: d.Event,
	})
	return seq
}

// foreign writes as another process would.
func (l *fakeLog) foreign(a events.Aggregate, commandID string, all ...events.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	revision := uint64(len(l.of(a, 0)))
	for _, e := range all {
		revision++
		l.put(a, events.Draft{Metadata: events.Metadata{ID: events.NewID(), Command: commandID, Revision: revision}, Event: e})
	}
}

// purge erases what an aggregate has before a sequence, as an erasure in another process would.
func (l *fakeLog) purge(a events.Aggregate, before uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.all {
		if l.all[i].Aggregate == a && l.all[i].Sequence < before {
			l.all[i] = events.Recorded{} // of nobody; sequences stay
		}
	}
}

func (l *fakeLog) Read(ctx context.Context, a events.Aggregate, after uint64) ([]events.Recorded, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	return l.of(a, after), nil
}

func (l *fakeLog) ReadCommand(ctx context.Context, a events.Aggregate, first uint64, command string) ([]events.Recorded, error) {
	all, err := l.Read(ctx, a, first-1)
	if n := slices.IndexFunc(all, func(r events.Recorded) bool { return r.Command != command }); n >= 0 {
		all = all[:n]
	}
	return all, err
}

func (l *fakeLog) LastHeard(a events.Aggregate) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard[a]
}

func (l *fakeLog) Position(a events.Aggregate, sequence uint64) events.Position {
	return events.Position{Incarnation: "test", Partition: a.Partition(4), Sequence: sequence}
}

func (l *fakeLog) of(a events.Aggregate, after uint64) []events.Recorded {
	var out []events.Recorded
	for _, r := range l.all[min(int(after), len(l.all)):] {
		if r.Aggregate == a {
			out = append(out, r)
		}
	}
	return out
}

func (l *fakeLog) last(a events.Aggregate) uint64 {
	for _, r := range slices.Backward(l.all) {
		if r.Aggregate == a {
			return r.Sequence
		}
	}
	return 0
}

func (l *fakeLog) counts() (reads, appends int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reads, l.appends
}

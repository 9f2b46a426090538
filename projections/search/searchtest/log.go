// Package searchtest is what every search engine must pass, and a log in memory to drive it with.
package searchtest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// Partitions of the log.
const Partitions = 4

// Incarnation of the log.
const Incarnation = "testlog1"

// Log is a log in memory. The zero value is empty.
type Log struct {
	mu   sync.Mutex
	all  []events.Recorded
	last map[events.Aggregate]uint64 // revision
	head uint64                      // sequence
}

// Append writes events of one aggregate, a second apart.
func (l *Log) Append(a events.Aggregate, list ...events.Event) []events.Recorded {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.last = map[events.Aggregate]uint64{}
	}
	revision := l.last[a]
	from := len(l.all)
	for _, e := range list {
		revision++
		l.head++
		sequence := l.head
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(sequence) * time.Second) //nolint:gosec // a test is short
		l.all = append(l.all, events.Recorded{
			Metadata:  events.Metadata{ID: events.NewID(), Time: at, Revision: revision},
			Aggregate: a, Partition: a.Partition(Partitions), Sequence: sequence, Stored: at, Event: e,
		})
	}
	l.last[a] = revision
	return slices.Clone(l.all[from:])
}

// Read is the history of one aggregate.
func (l *Log) Read(_ context.Context, a events.Aggregate, after uint64) ([]events.Recorded, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []events.Recorded
	for _, e := range l.all {
		if e.Aggregate == a && e.Sequence > after {
			out = append(out, e)
		}
	}
	return out, nil
}

// Past is what an aggregate had before an event.
func (l *Log) Past(ctx context.Context, r events.Recorded, after uint64) ([]events.Recorded, error) {
	list, err := l.Read(ctx, r.Aggregate, after)
	return slices.DeleteFunc(list, func(e events.Recorded) bool { return e.Sequence >= r.Sequence }), err
}

// Head is the sequence of the newest event.
func (l *Log) Head() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

// Partitions is how many there are.
func (l *Log) Partitions() int { return Partitions }

// Block is some of the log.
func (l *Log) Block(_ context.Context, from uint64) (projections.Block, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	const most = 7
	b := projections.Block{Next: max(from, min(from+most, l.head+1))}
	for _, e := range l.all {
		if e.Sequence >= from && e.Sequence < b.Next {
			b.Events = append(b.Events, e)
		}
	}
	return b, nil
}

// Purge forgets an aggregate.
func (l *Log) Purge(a events.Aggregate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = slices.DeleteFunc(slices.Clone(l.all), func(e events.Recorded) bool { return e.Aggregate == a })
}

// PurgeBefore forgets what an aggregate has before a sequence.
func (l *Log) PurgeBefore(a events.Aggregate, sequence uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = slices.DeleteFunc(slices.Clone(l.all), func(e events.Recorded) bool { return e.Aggregate == a && e.Sequence < sequence })
}

// Of is every event of a partition after a sequence.
func (l *Log) Of(partition int, after uint64) []events.Recorded {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []events.Recorded
	for _, e := range l.all {
		if e.Partition == partition && e.Sequence > after {
			out = append(out, e)
		}
	}
	return out
}

// Fold is every conversation's document, folded from scratch.
func (l *Log) Fold(tb testing.TB) map[events.Aggregate]*search.Document {
	tb.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[events.Aggregate]*search.Document{}
	for _, e := range l.all {
		if e.Kind != events.KindConversation {
			continue
		}
		if out[e.Aggregate] == nil {
			out[e.Aggregate] = search.NewDocument(e.Aggregate)
		}
		if err := out[e.Aggregate].Fold(e); err != nil {
			tb.Fatalf("fold: %v", err)
		}
		if out[e.Aggregate].Erased {
			delete(out, e.Aggregate)
		}
	}
	return out
}

// Drive commits everything that the engine does not have yet, in batches of size.
func (l *Log) Drive(ctx context.Context, tb testing.TB, engine search.Engine, size int) {
	tb.Helper()
	for partition := range Partitions {
		if err := l.drive(ctx, engine, partition, size); err != nil {
			tb.Fatalf("drive partition %d: %v", partition, err)
		}
	}
	if err := engine.Refresh(ctx); err != nil {
		tb.Fatalf("refresh: %v", err)
	}
}

func (l *Log) drive(ctx context.Context, engine search.Engine, partition, size int) error {
	session, err := engine.Open(ctx, partition)
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(l.Of(partition, session.State().Progress.Checkpoint), size) {
		last := batch[len(batch)-1]
		c := projections.Commit{Events: batch, Progress: projections.Progress{Checkpoint: last.Sequence}, Time: last.Stored}
		if err := session.Commit(ctx, c); err != nil {
			return err
		}
	}
	return session.Close(ctx)
}

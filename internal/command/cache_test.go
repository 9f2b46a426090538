package command

import (
	"context"
	"strconv"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
)

// counter is the smallest aggregate: it counts.
func counter(l *Loop) *Handler[int, struct{}] {
	return For(l, Decider[int, struct{}]{
		Kind:   events.KindQueue,
		Evolve: func(n int, _ events.Event) int { return n + 1 },
		Decide: func(int, struct{}) ([]events.Event, error) { return []events.Event{events.QueueCreated{}}, nil },
	})
}

// endless is a log that takes everything and holds nothing.
type endless struct{ seq uint64 }

func (l *endless) Append(_ context.Context, writes ...eventlog.Write) ([]uint64, error) {
	l.seq += uint64(len(writes[0].Drafts))
	return []uint64{l.seq}, nil
}

func (l *endless) Read(context.Context, events.Aggregate, uint64) ([]events.Recorded, error) {
	return nil, nil
}

func (l *endless) ReadCommand(context.Context, events.Aggregate, uint64, string) ([]events.Recorded, error) {
	return nil, nil
}

func (l *endless) LastHeard(events.Aggregate) uint64 { return 0 }

func (l *endless) Position(_ events.Aggregate, sequence uint64) events.Position {
	return events.Position{Incarnation: "test", Sequence: sequence}
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	const limit = 256 << 10
	loop := NewLoop(&endless{}, Options{CacheBytes: limit})
	h := counter(loop)
	for i := range 5_000 {
		if _, err := h.Handle(t.Context(), "acme", strconv.Itoa(i), Meta{}, struct{}{}); err != nil {
			t.Fatal(err)
		}
	}
	loop.cache.CleanUp()
	if got := loop.cache.WeightedSize(); got > limit || got < limit/2 {
		t.Errorf("the cache weighs %d, want close to %d", got, limit)
	}
	if len(loop.locks.held) != 0 {
		t.Errorf("%d locks are left", len(loop.locks.held))
	}
}

// One aggregate that grows is weighed again, or a few long conversations would be the whole memory.
func TestCacheWeighsGrowth(t *testing.T) {
	t.Parallel()
	loop := NewLoop(&endless{}, Options{})
	h := counter(loop)
	for range 10_000 {
		if _, err := h.Handle(t.Context(), "acme", "long", Meta{}, struct{}{}); err != nil {
			t.Fatal(err)
		}
	}
	loop.cache.CleanUp()
	if got := loop.cache.WeightedSize(); got < 10_000*100 {
		t.Errorf("an aggregate of 10,000 events and commands weighs %d", got)
	}
}

func BenchmarkHandleWarm(b *testing.B) {
	loop := NewLoop(&endless{}, Options{})
	h := counter(loop)
	ids := make([]string, 1_000)
	for i := range ids {
		ids[i] = "conversation-" + strconv.Itoa(i)
	}
	m := Meta{Digest: "digest", Actor: events.Actor{Type: events.ActorAgent, ID: "ann"}}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := h.Handle(b.Context(), "acme", ids[i%len(ids)], m, struct{}{}); err != nil {
			b.Fatal(err)
		}
	}
}

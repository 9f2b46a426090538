package projections

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

var _ Log = (*eventlog.Log)(nil)

// write appends one tag to a conversation whose last sequence and revision the caller keeps.
func write(t *testing.T, l *eventlog.Log, a events.Aggregate, last *uint64, revision uint64) {
	t.Helper()
	ends, err := l.Append(t.Context(), eventlog.Write{Aggregate: a, Expected: *last, Drafts: []events.Draft{{
		Metadata: events.Metadata{ID: events.NewID(), Time: time.Now(), Command: events.NewID(), Revision: revision, Actor: events.Actor{Type: events.ActorSystem}},
		Event:    tagged,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	*last = ends[0]
}

func TestTheRealLogEndsUpInTheRealDatabase(t *testing.T) {
	t.Parallel()
	pool, l := database(t), testkit.Log(t)
	h := tally{name: "tally"}
	want := map[string][]uint64{}
	last := map[string]*uint64{}
	n := 0
	more := func(count int) {
		for range count {
			a := conversation("o"+strconv.Itoa(n%3), fmt.Sprintf("c%d", n%10))
			if last[a.String()] == nil {
				last[a.String()] = new(uint64)
			}
			write(t, l, a, last[a.String()], uint64(len(want[a.String()])+1))
			want[a.String()] = append(want[a.String()], *last[a.String()])
			n++
		}
	}
	more(200)
	start(t, runnerOf(pool, l, h, Limits{Batch: 16, LiveAfter: 50})) // both lanes are used
	more(200)
	await(t, pool, l, "tally")
	got := tallied(t, pool, "tally")
	for key, sequences := range want {
		if !slices.Equal(got[key], sequences) {
			t.Fatalf("%s: rows %v, the log has %v", key, got[key], sequences)
		}
	}

	f := NewFreshness(pool, l)
	eventually(t, "it is as fresh as the log", func() bool {
		as, err := f.AsOf(t.Context(), "tally")
		return err == nil && as.Position.Sequence == l.Head() && as.LagEvents == 0 && as.LagSeconds == 0
	})
	beyond := l.Position(conversation("o0", "c0"), l.Head()+1000)
	if err := f.Await(t.Context(), "tally", beyond, time.Millisecond); !errors.Is(err, ErrNotYet) || fault.KindOf(err) != fault.Unavailable {
		t.Fatalf("got %v", err)
	}
	beyond.Incarnation = "another1"
	if err := f.Await(t.Context(), "tally", beyond, time.Millisecond); !errors.Is(err, ErrPositionUnknown) {
		t.Fatalf("got %v", err)
	}
	if as, err := f.AsOf(t.Context(), "unknown"); err != nil || as.Position.Sequence != 0 || as.LagEvents != l.Head() {
		t.Fatalf("a projection that never ran is as of %+v, %v", as, err)
	}
}

// BenchmarkCatchUp is the engine with a sink that costs nothing: events a second that it can hand over at most.
func BenchmarkCatchUp(b *testing.B) {
	l, s := newMemoryLog(1), newMemorySink()
	for i := range b.N {
		l.append(conversation("o", fmt.Sprintf("c%d", i%1000)), tagged)
	}
	g := &partition{}
	cfg := RunnerConfig{Name: "p", Kinds: []events.Kind{events.KindConversation}, Log: l, Sink: s, Limits: Limits{LiveAfter: NoLive}}
	r := NewRunner(cfg)
	session, err := s.Open(b.Context(), 0)
	if err != nil {
		b.Fatal(err)
	}
	*g = partition{cfg: &r.cfg, kinds: map[events.Kind]bool{events.KindConversation: true}, session: session, gauge: r.gauges[0], hold: &r.holds[0]}
	if err := g.resume(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for g.behind() {
		if err := g.step(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

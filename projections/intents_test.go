package projections

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

// ledger remembers what was performed.
type ledger struct {
	mu   sync.Mutex
	done []Intent
	fail func(in Intent, tried int) error
	seen map[string]int

	workers int // 0: the default
}

func (g *ledger) perform(_ context.Context, in Intent) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.seen == nil {
		g.seen = map[string]int{}
	}
	g.seen[in.ID]++
	if g.fail != nil {
		if err := g.fail(in, g.seen[in.ID]); err != nil {
			return err
		}
	}
	g.done = append(g.done, in)
	return nil
}

func (g *ledger) ids() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []string
	for _, in := range g.done {
		out = append(out, in.ID)
	}
	return out
}

func perform(t *testing.T, pool *pgxpool.Pool, name string, g *ledger) {
	t.Helper()
	p := NewPerformer(PerformerConfig{Projection: name, Pool: pool, Perform: g.perform, Attempts: 3, Workers: g.workers})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("performer: %v", err)
		}
	})
}

func waiting(tb testing.TB, pool *pgxpool.Pool) int {
	tb.Helper()
	var n int
	if err := pool.QueryRow(tb.Context(), "SELECT count(*) FROM tidemark.intents").Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}

func TestIntentsArePerformedOnceInOrder(t *testing.T) {
	t.Parallel()
	pool, l := database(t), newMemoryLog(2)
	h := reactor{tally{name: "routing"}}
	for i := range 60 {
		l.append(conversation("o", fmt.Sprintf("c%d", i%4)), tagged)
	}
	g := &ledger{fail: func(in Intent, tried int) error {
		switch {
		case in.ID == "c7" && tried < 3:
			return errors.New("passes by")
		case in.ID == "c9" && tried < 9:
			return fault.New(fault.Unavailable, "log_unavailable", "away") // does not count
		case in.ID == "c11" && tried == 1:
			return NotNow{After: 50 * time.Millisecond}
		case in.ID == "c13":
			return errors.New("never works")
		}
		return nil
	}}
	g.fail = fastUnavailable(g.fail)
	start(t, runnerOf(pool, l, h, Limits{}))
	perform(t, pool, "routing", g)
	perform(t, pool, "routing", g) // stands by
	await(t, pool, l, "routing")
	eventually(t, "all but one are performed", func() bool { return waiting(t, pool) == 1 && len(g.ids()) == 59 })
	ids := g.ids()
	slices.Sort(ids)
	if len(slices.Compact(ids)) != 59 {
		t.Fatalf("performed twice: %v", g.ids())
	}
	last := map[string]uint64{}
	for _, in := range g.done {
		if in.Cause < last[in.Key] {
			t.Fatalf("%s: %d after %d", in.Key, in.Cause, last[in.Key])
		}
		last[in.Key] = in.Cause
	}
	failed, err := ListFailedIntents(t.Context(), pool, "routing")
	if err != nil || len(failed) != 1 || failed[0].ID != "c13" || failed[0].Attempts != 3 || failed[0].Error != "never works" {
		t.Fatalf("failed %+v, %v", failed, err)
	}
	g.mu.Lock()
	g.fail = nil
	g.mu.Unlock()
	if n, err := RetryIntents(t.Context(), pool, "routing"); err != nil || n != 1 {
		t.Fatalf("retried %d, %v", n, err)
	}
	eventually(t, "the last one is performed", func() bool { return waiting(t, pool) == 0 })
}

// fastUnavailable lets what is away come back after its second try, so that the test does not wait for seconds.
func fastUnavailable(f func(Intent, int) error) func(Intent, int) error {
	return func(in Intent, tried int) error {
		err := f(in, tried)
		if fault.KindOf(err) == fault.Unavailable && tried > 1 {
			return nil
		}
		return err
	}
}

func TestTimersWaitAndCanBeCancelled(t *testing.T) {
	t.Parallel()
	pool, l := database(t), newMemoryLog(1)
	s := openAt(t, NewPostgresSink(pool, reactor{tally{name: "workflow"}}, l), 0).(*postgresSession)
	later := time.Now().Add(time.Hour)
	err := pgx.BeginFunc(t.Context(), s.conn, func(tx pgx.Tx) error {
		err := WriteIntents(t.Context(), tx, []Intent{
			{ID: "wake1", Org: "o", Kind: "wake", Key: "k", Cause: 1, DueAt: later},
			{ID: "wake2", Org: "o", Kind: "wake", Key: "k", Cause: 2, DueAt: later},
			{ID: "now", Org: "o", Kind: "do", Key: "k", Cause: 3, Depth: 2, Payload: json.RawMessage(`{"x":"y"}`)},
			{ID: "due", Org: "o", Kind: "do", Key: "k", Cause: 4, DueAt: time.Now()},
		})
		if err != nil {
			return err
		}
		return CancelIntents(t.Context(), tx, "o", "wake1")
	})
	if err != nil {
		t.Fatal(err)
	}
	g := &ledger{}
	perform(t, pool, "workflow", g)
	eventually(t, "what is due is performed", func() bool { return len(g.ids()) == 2 })
	if ids := g.ids(); !slices.Equal(ids, []string{"now", "due"}) || g.done[0].Depth != 2 || string(g.done[0].Payload) != `{"x": "y"}` {
		t.Fatalf("performed %+v", g.done)
	}
	if n := waiting(t, pool); n != 1 {
		t.Fatalf("%d wait, the timer that was not cancelled should", n)
	}
}

func TestOnlyReactorsWriteIntents(t *testing.T) {
	t.Parallel()
	pool, l := database(t), newMemoryLog(1)
	s := openAt(t, NewPostgresSink(pool, tally{name: "inbox"}, l), 0).(*postgresSession)
	err := pgx.BeginFunc(t.Context(), s.conn, func(tx pgx.Tx) error {
		return WriteIntents(t.Context(), tx, []Intent{{ID: "a", Org: "o", Cause: 1}})
	})
	if err == nil {
		t.Fatal("it did")
	}
}

func TestAnOrgsFloodOfIntentsDelaysNoOther(t *testing.T) {
	t.Parallel()
	pool, l := database(t), newMemoryLog(1)
	s := openAt(t, NewPostgresSink(pool, reactor{tally{name: "routing"}}, l), 0).(*postgresSession)
	var all []Intent
	for i := range 1000 {
		all = append(all, Intent{ID: fmt.Sprintf("f%d", i), Org: "flood", Kind: "do", Key: fmt.Sprintf("k%d", i), Cause: uint64(i + 1)})
	}
	all = append(all, Intent{ID: "quiet", Org: "quiet", Kind: "do", Key: "k", Cause: 2000})
	if err := pgx.BeginFunc(t.Context(), s.conn, func(tx pgx.Tx) error { return WriteIntents(t.Context(), tx, all) }); err != nil {
		t.Fatal(err)
	}
	g := &ledger{workers: 1} // so that the order is that of the queue
	perform(t, pool, "routing", g)
	eventually(t, "all are performed", func() bool { return len(g.ids()) == len(all) })
	if at := slices.Index(g.ids(), "quiet"); at > 1 {
		t.Fatalf("the quiet org was served as number %d", at)
	}
}

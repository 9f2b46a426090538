package projections

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
)

func rebuilder(t *testing.T, pool *pgxpool.Pool, l Log, hs ...Handler) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- NewRebuilder(RebuilderConfig{Pool: pool, Log: l, Handlers: hs}).Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("rebuilder: %v", err)
		}
	})
}

func until(t *testing.T, pool *pgxpool.Pool, name string, ok func(Rebuild) bool) Rebuild {
	t.Helper()
	var r Rebuild
	eventually(t, "the rebuild comes there", func() bool {
		var err error
		if r, err = FindRebuild(t.Context(), pool, name); err != nil {
			t.Fatal(err)
		}
		return ok(r)
	})
	return r
}

func at(state RebuildState) func(Rebuild) bool {
	return func(r Rebuild) bool { return r.State == state && r.Asked == "" }
}

// traffic writes to the log until the test ends or stop is called.
func traffic(t *testing.T, l *memoryLog) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; pause(ctx, 2_000_000) == nil; i++ {
			l.append(conversation("o", string(rune('a'+i%6))), tagged)
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

func TestRebuildCompareSwitchDropUnderLoad(t *testing.T) {
	t.Parallel()
	pool, l := database(t), newMemoryLog(2)
	h := tally{name: "tally"}
	for i := range 500 {
		l.append(conversation("o", string(rune('a'+i%6))), tagged)
	}
	start(t, runnerOf(pool, l, h, Limits{}))
	stop := traffic(t, l)
	await(t, pool, l, "tally")
	rebuilder(t, pool, l, h)
	if err := AskRebuild(t.Context(), pool, "tally", AskCompare); !errors.Is(err, ErrNoRebuild) {
		t.Fatalf("got %v", err)
	}
	if err := RequestRebuild(t.Context(), pool, "tally"); err != nil {
		t.Fatal(err)
	}
	if err := RequestRebuild(t.Context(), pool, "tally"); !errors.Is(err, ErrRebuildRunning) {
		t.Fatalf("got %v", err)
	}
	until(t, pool, "tally", at(RebuildReady))
	if err := AskRebuild(t.Context(), pool, "tally", AskDropOld); !errors.Is(err, ErrRebuildState) {
		t.Fatalf("got %v", err)
	}
	ask := func(what string, then RebuildState) Rebuild {
		t.Helper()
		if err := AskRebuild(t.Context(), pool, "tally", what); err != nil {
			t.Fatal(err)
		}
		return until(t, pool, "tally", at(then))
	}
	if r := ask(AskCompare, RebuildCompared); r.Equal == nil || !*r.Equal {
		t.Fatalf("compared %+v", r)
	}
	// Spoil one row of the running one: a comparison must see it, and the switch must heal it.
	if _, err := pool.Exec(t.Context(), "UPDATE tally.tally_rows SET applied[1] = 0 WHERE key = (SELECT min(key) FROM tally.tally_rows)"); err != nil {
		t.Fatal(err)
	}
	if r := ask(AskCompare, RebuildCompared); r.Equal == nil || *r.Equal || r.Detail == "" {
		t.Fatalf("compared %+v", r)
	}
	ask(AskSwitch, RebuildSwitched)
	stop()
	await(t, pool, l, "tally")
	if got, want := tallied(t, pool, "tally"), foldAll(l); !reflect.DeepEqual(got, want) {
		t.Fatalf("rows %v, the log has %v", got, want)
	}
	if old := tallied(t, pool, "tally_old"); len(old) != 6 {
		t.Fatalf("the old one has %v", old)
	}
	ask(AskDropOld, RebuildDropped)
	var left int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'tally\\_%'").Scan(&left); err != nil || left != 0 {
		t.Fatalf("%d schemas left, %v", left, err)
	}
}

func TestARebuiltReactorPerformsNothingAgain(t *testing.T) {
	t.Parallel()
	pool, l := database(t), newMemoryLog(2)
	h := reactor{tally{name: "routing"}}
	g := &ledger{}
	for i := range 100 {
		l.append(conversation("o", string(rune('a'+i%6))), tagged)
	}
	start(t, runnerOf(pool, l, h, Limits{}))
	perform(t, pool, "routing", g)
	stop := traffic(t, l)
	rebuilder(t, pool, l, h)
	if err := RequestRebuild(t.Context(), pool, "routing"); err != nil {
		t.Fatal(err)
	}
	until(t, pool, "routing", at(RebuildReady))
	if err := AskRebuild(t.Context(), pool, "routing", AskSwitch); err != nil {
		t.Fatal(err)
	}
	until(t, pool, "routing", at(RebuildSwitched))
	for range 50 {
		l.append(conversation("o", "a"), tagged)
	}
	stop()
	await(t, pool, l, "routing")
	eventually(t, "every effect is performed", func() bool { return waiting(t, pool) == 0 && len(g.ids()) >= int(l.Head()) })
	ids := g.ids()
	slices.Sort(ids)
	if len(ids) != int(l.Head()) || len(slices.Compact(ids)) != int(l.Head()) {
		t.Fatalf("%d effects of %d events", len(g.ids()), l.Head())
	}
}

func TestCancelledRebuildLeavesNothing(t *testing.T) {
	t.Parallel()
	pool, l := database(t), newMemoryLog(1)
	h := tally{name: "tally"}
	l.append(conversation("o", "a"), tagged)
	rebuilder(t, pool, l, h)
	if err := RequestRebuild(t.Context(), pool, "tally"); err != nil {
		t.Fatal(err)
	}
	until(t, pool, "tally", at(RebuildReady))
	if err := AskRebuild(t.Context(), pool, "tally", AskCancel); err != nil {
		t.Fatal(err)
	}
	until(t, pool, "tally", at(RebuildCancelled))
	var left int
	if err := pool.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'tally%') + (SELECT count(*) FROM tidemark.checkpoints)").Scan(&left); err != nil || left != 0 {
		t.Fatalf("%d things left, %v", left, err)
	}
}

package projections

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/run"
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
		for i := 0; run.Pause(ctx, 2_000_000) == nil; i++ {
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
	askFor(t, pool, "routing", AskCompare, RebuildCompared)
	askFor(t, pool, "routing", AskSwitch, RebuildSwitched)
	for range 50 {
		l.append(conversation("o", "a"), tagged)
	}
	stop()
	await(t, pool, l, "routing")
	performedOnce(t, pool, g, int(l.Head()))
}

// askFor asks a rebuild for a step, and waits until it is taken.
func askFor(t *testing.T, pool *pgxpool.Pool, name, what string, then RebuildState) {
	t.Helper()
	if err := AskRebuild(t.Context(), pool, name, what); err != nil {
		t.Fatal(err)
	}
	r := until(t, pool, name, func(r Rebuild) bool { return r.Asked == "" })
	if r.State != then || then == RebuildCompared && !*r.Equal {
		t.Fatalf("asked to %s, it is %+v", what, r)
	}
}

// another is the reactor of a later version: its tables have another shape.
type another struct{ reactor }

func (another) Schema() string {
	return `CREATE TABLE tally_rows (key text PRIMARY KEY, applied bigint[] NOT NULL, more int NOT NULL DEFAULT 7)`
}

// A version that needs other tables cannot run the old ones. What they have asked for is not asked for again, and what
// came since is not lost.
func TestAReactorOfAnotherShapeIsSwitched(t *testing.T) {
	t.Parallel()
	pool, l := database(t), newMemoryLog(2)
	g := &ledger{}
	more := func(n int) {
		for i := range n {
			l.append(conversation("o", string(rune('a'+i%6))), tagged)
		}
	}
	more(100)
	stop := start(t, runnerOf(pool, l, reactor{tally{name: "routing"}}, Limits{}))
	await(t, pool, l, "routing")
	stop()
	more(50)
	h := another{reactor{tally{name: "routing"}}}
	r := runnerOf(pool, l, h, Limits{})
	start(t, r)
	perform(t, pool, "routing", g)
	eventually(t, "the old tables are refused", func() bool {
		s := r.Status()
		return s[0].Phase == PhaseFailing && strings.Contains(s[0].Reason, "another shape") && s[1].Phase == PhaseFailing
	})
	rebuilder(t, pool, l, h)
	if err := RequestRebuild(t.Context(), pool, "routing"); err != nil {
		t.Fatal(err)
	}
	until(t, pool, "routing", at(RebuildReady))
	askFor(t, pool, "routing", AskCompare, RebuildCompared)
	more(50)
	askFor(t, pool, "routing", AskSwitch, RebuildSwitched)
	await(t, pool, l, "routing")
	if got, want := tallied(t, pool, "routing"), foldAll(l); !reflect.DeepEqual(got, want) {
		t.Fatalf("rows %v, the log has %v", got, want)
	}
	performedOnce(t, pool, g, 200)
}

// performedOnce waits until so many effects are performed, and no other is there.
func performedOnce(t *testing.T, pool *pgxpool.Pool, g *ledger, n int) {
	t.Helper()
	eventually(t, "every effect is performed", func() bool { return waiting(t, pool) == 0 && len(g.ids()) >= n })
	ids := g.ids()
	slices.Sort(ids)
	if len(ids) != n || len(slices.Compact(ids)) != n {
		t.Fatalf("%d effects, want %d, each once", len(g.ids()), n)
	}
}

// A key that is parked in tables that nobody can work on any more has asked for nothing since. That is made up for.
func TestASwitchLosesNoEffectOfAParkedKey(t *testing.T) {
	t.Parallel()
	pool, l := database(t), newMemoryLog(1)
	g := &ledger{}
	l.append(conversation("o", "good"), tagged, tagged)
	l.append(conversation("o", "bad"), tagged, events.ConversationTagged{Tag: "poison"})
	stop := start(t, runnerOf(pool, l, reactor{tally{name: "routing"}}, Limits{}))
	await(t, pool, l, "routing")
	l.append(conversation("o", "bad"), tagged)
	l.append(conversation("o", "good"), tagged)
	await(t, pool, l, "routing")
	stop()
	h := another{reactor{tally{name: "routing", healed: func() bool { return true }}}}
	start(t, runnerOf(pool, l, h, Limits{}))
	rebuilder(t, pool, l, h)
	if err := RequestRebuild(t.Context(), pool, "routing"); err != nil {
		t.Fatal(err)
	}
	until(t, pool, "routing", at(RebuildReady))
	askFor(t, pool, "routing", AskSwitch, RebuildSwitched)
	await(t, pool, l, "routing")
	if got, want := tallied(t, pool, "routing"), foldAll(l); !reflect.DeepEqual(got, want) {
		t.Fatalf("rows %v, the log has %v", got, want)
	}
	perform(t, pool, "routing", g)
	performedOnce(t, pool, g, 6)
}

// Tables of another log say nothing of what was asked for on this one: all of it is, and nothing of the other's.
func TestASwitchFromTheTablesOfAnotherLog(t *testing.T) {
	t.Parallel()
	pool, l := database(t), newMemoryLog(1)
	h := reactor{tally{name: "routing"}}
	g := &ledger{}
	l.append(conversation("o", "a"), tagged, tagged, tagged)
	stop := start(t, runnerOf(pool, &otherLog{memoryLog: l}, h, Limits{}))
	await(t, pool, &otherLog{memoryLog: l}, "routing")
	stop()
	if _, err := pool.Exec(t.Context(), "UPDATE tidemark.intents SET id = 'other ' || id"); err != nil {
		t.Fatal(err)
	}
	start(t, runnerOf(pool, l, h, Limits{}))
	rebuilder(t, pool, l, h)
	if err := RequestRebuild(t.Context(), pool, "routing"); err != nil {
		t.Fatal(err)
	}
	until(t, pool, "routing", at(RebuildReady))
	askFor(t, pool, "routing", AskSwitch, RebuildSwitched)
	await(t, pool, l, "routing")
	perform(t, pool, "routing", g)
	performedOnce(t, pool, g, 3)
	for _, id := range g.ids() {
		if strings.HasPrefix(id, "other") {
			t.Errorf("performed %s", id)
		}
	}
}

// Where nobody is who would begin a rebuild, it can be given up.
func TestARebuildThatNobodyBeginsIsCancelled(t *testing.T) {
	t.Parallel()
	pool := database(t)
	if err := RequestRebuild(t.Context(), pool, "tally"); err != nil {
		t.Fatal(err)
	}
	if err := AskRebuild(t.Context(), pool, "tally", AskCancel); err != nil {
		t.Fatal(err)
	}
	if r, err := FindRebuild(t.Context(), pool, "tally"); err != nil || r.State != RebuildCancelled || r.Asked != "" {
		t.Fatalf("it is %+v, %v", r, err)
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

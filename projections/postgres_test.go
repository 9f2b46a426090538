package projections

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/postgres"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections/migrations"
)

// tally is a read model with one row for each conversation: the sequences that were applied, in their order. A tag
// "poison" fails, unless it is healed.
type tally struct {
	name   string
	healed func() bool
}

func (h tally) Name() string         { return h.name }
func (h tally) Kinds() []events.Kind { return []events.Kind{events.KindConversation} }
func (h tally) Schema() string {
	return `CREATE TABLE tally_rows (key text PRIMARY KEY, applied bigint[] NOT NULL); CREATE INDEX ON tally_rows (applied);`
}

func (h tally) Apply(ctx context.Context, tx pgx.Tx, batch []events.Recorded) error {
	b := &pgx.Batch{}
	for i := range batch {
		r := &batch[i]
		if e, ok := r.Event.(events.ConversationTagged); ok && e.Tag == "poison" && (h.healed == nil || !h.healed()) {
			return errPoison
		}
		if e, ok := r.Event.(events.ConversationTagged); ok && e.Tag == "panic" {
			panic("odd event")
		}
		b.Queue(`INSERT INTO tally_rows (key, applied) VALUES ($1, ARRAY[$2::bigint])
			ON CONFLICT (key) DO UPDATE SET applied = tally_rows.applied || excluded.applied`, r.String(), signed(r.Sequence))
	}
	return tx.SendBatch(ctx, b).Close()
}

// reactor writes an intent for each event, too.
type reactor struct{ tally }

func (reactor) Reacts() {}

func (h reactor) Apply(ctx context.Context, tx pgx.Tx, batch []events.Recorded) error {
	if err := h.tally.Apply(ctx, tx, batch); err != nil {
		return err
	}
	var intents []Intent
	for i := range batch {
		intents = append(intents, Intent{
			ID: fmt.Sprintf("c%d", batch[i].Sequence), Org: batch[i].Org, Kind: "do", Key: batch[i].String(),
			Cause: batch[i].Sequence, Payload: json.RawMessage(`{"a":1}`),
		})
	}
	return WriteIntents(ctx, tx, intents)
}

// database is a migrated database of the test's own.
func database(t *testing.T) *pgxpool.Pool {
	t.Helper()
	url := testkit.Postgres(t)
	if err := postgres.Migrate(t.Context(), url, migrations.Files); err != nil {
		t.Fatal(err)
	}
	pool, err := postgres.Connect(t.Context(), url, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func tallied(tb testing.TB, pool *pgxpool.Pool, schema string) map[string][]uint64 {
	tb.Helper()
	rows, err := pool.Query(tb.Context(), "SELECT key, applied FROM "+pgx.Identifier{schema, "tally_rows"}.Sanitize())
	if err != nil {
		tb.Fatal(err)
	}
	out := map[string][]uint64{}
	var key string
	var applied []int64
	if _, err := pgx.ForEachRow(rows, []any{&key, &applied}, func() error {
		for _, s := range applied {
			out[key] = append(out[key], unsigned(s))
		}
		applied = nil
		return nil
	}); err != nil {
		tb.Fatal(err)
	}
	return out
}

func foldAll(l *memoryLog) map[string][]uint64 {
	out := map[string][]uint64{}
	for p := range l.parts {
		maps.Copy(out, fold(l, p, events.KindConversation))
	}
	return out
}

// eventually polls: what is waited for happens in other goroutines and in the database.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			tb.Fatalf("it never came: %s", what)
		case <-tick.C:
		}
	}
}

// await waits until a projection has applied the whole log.
func await(tb testing.TB, pool *pgxpool.Pool, l Log, name string) {
	tb.Helper()
	if stored, ok := l.(*eventlog.Log); ok {
		testkit.Head(tb, stored) // by now it has heard all that was written
	}
	f := NewFreshness(pool, l)
	for p := range l.Partitions() {
		err := f.Await(tb.Context(), name, events.Position{Incarnation: l.Incarnation(), Partition: p, Sequence: l.HeadOf(p)}, 30*time.Second)
		if err != nil {
			tb.Fatalf("await %s: %v", name, err)
		}
	}
}

func runnerOf(pool *pgxpool.Pool, l Log, h Handler, limits Limits) *Runner {
	return NewRunner(RunnerConfig{Name: h.Name(), Kinds: h.Kinds(), Log: l, Sink: NewPostgresSink(pool, h, l), Limits: limits})
}

func TestPostgresRowsEqualAFoldThroughKilledConnections(t *testing.T) {
	t.Parallel()
	pool := database(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		if n > 8 {
			return // each takes a real server's time
		}
		l := newMemoryLog(2)
		l.blockAt = 16
		h := tally{name: fmt.Sprintf("tally%d", n)}
		limits := Limits{Batch: 16, Window: 64, LiveAfter: uint64(rapid.IntRange(10, 100).Draw(rt, "live_after"))}
		stop := start(t, runnerOf(pool, l, h, limits))
		for range rapid.IntRange(1, 6).Draw(rt, "rounds") {
			for range rapid.IntRange(1, 120).Draw(rt, "n") {
				l.append(conversation("o"+string(rune('1'+rapid.IntRange(0, 2).Draw(rt, "org"))), string(rune('a'+rapid.IntRange(0, 7).Draw(rt, "key")))), tagged)
			}
			switch rapid.IntRange(0, 3).Draw(rt, "fault") {
			case 0:
				if _, err := pool.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'tidemark tally%'`); err != nil {
					rt.Fatal(err)
				}
			case 1:
				stop()
				stop = start(t, runnerOf(pool, l, h, limits))
			default:
			}
		}
		await(t, pool, l, h.name)
		stop()
		if got, want := tallied(t, pool, h.name), foldAll(l); !reflect.DeepEqual(got, want) {
			rt.Fatalf("rows %v, the log has %v", got, want)
		}
	})
}

func openAt(t *testing.T, sink Sink, partition int) Session {
	t.Helper()
	s, err := sink.Open(t.Context(), partition)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.WithoutCancel(t.Context())) })
	return s
}

func TestAPartitionHasOneOwner(t *testing.T) {
	t.Parallel()
	pool, l := database(t), newMemoryLog(1)
	a := conversation("o", "a")
	l.append(a, tagged, tagged)
	sink := NewPostgresSink(pool, tally{name: "tally"}, l)
	first := openAt(t, sink, 0)
	if _, err := sink.Open(t.Context(), 0); !errors.Is(err, ErrHeld) {
		t.Fatalf("a second owner got %v", err)
	}
	history, _ := l.Read(t.Context(), a, 0)
	if err := first.Commit(t.Context(), Commit{Events: history[:1], Progress: Progress{Checkpoint: 1}}); err != nil {
		t.Fatal(err)
	}
	// The lock is lost and the owner does not know, as behind a proxy that has closed the connection to the server.
	if _, err := first.(*postgresSession).conn.Exec(t.Context(), "SELECT pg_advisory_unlock_all()"); err != nil {
		t.Fatal(err)
	}
	second := openAt(t, sink, 0)
	if got := second.State().Progress.Checkpoint; got != 1 {
		t.Fatalf("the second owner begins at %d", got)
	}
	if err := first.Commit(t.Context(), Commit{Events: history[1:], Progress: Progress{Checkpoint: 2}}); !errors.Is(err, ErrFenced) {
		t.Fatalf("the first owner got %v", err)
	}
	if err := second.Commit(t.Context(), Commit{Events: history[1:], Progress: Progress{Checkpoint: 2}}); err != nil {
		t.Fatal(err)
	}
	if got, want := tallied(t, pool, "tally"), foldAll(l); !reflect.DeepEqual(got, want) {
		t.Fatalf("rows %v, the log has %v", got, want)
	}
}

func TestAnotherProcessTakesOverWhenTheConnectionDies(t *testing.T) {
	t.Parallel()
	pool, l := database(t), newMemoryLog(1)
	h := tally{name: "tally"}
	one, two := runnerOf(pool, l, h, Limits{}), runnerOf(pool, l, h, Limits{})
	start(t, one)
	eventually(t, "the first owns it", func() bool { return one.Status()[0].Phase == PhaseRunning })
	start(t, two)
	eventually(t, "the second stands by", func() bool { return two.Status()[0].Phase == PhaseStandby })
	l.append(conversation("o", "a"), tagged)
	await(t, pool, l, "tally")
	if _, err := pool.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tidemark tally/0'"); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		l.append(conversation("o", "a"), tagged)
	}
	await(t, pool, l, "tally")
	eventually(t, "another session owns it", func() bool {
		var epoch int
		if err := pool.QueryRow(t.Context(), "SELECT epoch FROM tidemark.checkpoints").Scan(&epoch); err != nil {
			t.Fatal(err)
		}
		return epoch == 2
	})
	for range 50 {
		l.append(conversation("o", "a"), tagged)
	}
	await(t, pool, l, "tally")
	if got, want := tallied(t, pool, "tally"), foldAll(l); !reflect.DeepEqual(got, want) {
		t.Fatalf("rows %v, the log has %v", got, want)
	}
}

func TestPoisonParksOneConversationThenRetryAndDrop(t *testing.T) {
	t.Parallel()
	pool, l := database(t), newMemoryLog(1)
	healed := make(chan struct{})
	h := tally{name: "tally", healed: func() bool {
		select {
		case <-healed:
			return true
		default:
			return false
		}
	}}
	bad, worse, odd, good := conversation("o", "bad"), conversation("o", "worse"), conversation("o", "odd"), conversation("o", "good")
	l.append(bad, tagged, events.ConversationTagged{Tag: "poison"}, tagged)
	l.append(worse, events.ConversationTagged{Tag: "panic"}, tagged)
	l.append(odd, events.Unknown{Type: "conversation.sung.v9", Reason: "this version does not know the type"})
	for range 20 {
		l.append(good, tagged)
	}
	start(t, runnerOf(pool, l, h, Limits{}))
	await(t, pool, l, "tally")
	got := tallied(t, pool, "tally")
	if len(got[good.String()]) != 20 || !reflect.DeepEqual(got[bad.String()], []uint64{1}) || len(got) != 2 {
		t.Fatalf("rows %v", got)
	}
	parked, err := ListParked(t.Context(), pool, "tally")
	if err != nil || len(parked) != 3 {
		t.Fatalf("parked %v, %v", parked, err)
	}
	for _, p := range parked {
		switch p.Aggregate {
		case bad:
			if p.Sequence != 2 || p.Attempts != 3 || !strings.Contains(p.Error, "poison") || p.Type != "conversation.tagged.v1" {
				t.Fatalf("parked %+v", p)
			}
		case worse:
			if p.Sequence != 4 || !strings.Contains(p.Error, "panicked") {
				t.Fatalf("parked %+v", p)
			}
		case odd:
			if p.Sequence != 6 || p.Attempts != 1 || p.Type != "conversation.sung.v9" {
				t.Fatalf("parked %+v", p)
			}
		}
	}
	find := func(key string) (Parked, bool) {
		all, err := ListParked(t.Context(), pool, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range all {
			if p.Key() == key {
				return p, true
			}
		}
		return Parked{}, false
	}
	if err := RetryParked(t.Context(), pool, "tally", bad.String(), 2); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a retry that fails counts", func() bool { p, ok := find(bad.String()); return ok && p.Attempts == 4 && p.Asked == "" })
	close(healed)
	l.append(bad, tagged)
	if err := RetryParked(t.Context(), pool, "tally", bad.String(), 2); err != nil {
		t.Fatal(err)
	}
	if err := DropParked(t.Context(), pool, "tally", worse.String(), 4); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both are free", func() bool {
		_, b := find(bad.String())
		_, w := find(worse.String())
		return !b && !w
	})
	l.append(bad, tagged)
	await(t, pool, l, "tally")
	got, want := tallied(t, pool, "tally"), foldAll(l)
	if !reflect.DeepEqual(got[bad.String()], want[bad.String()]) || !reflect.DeepEqual(got[worse.String()], want[worse.String()][1:]) {
		t.Fatalf("rows %v, the log has %v", got, want)
	}
	if err := RetryParked(t.Context(), pool, "tally", "o.conversation.none", 1); !errors.Is(err, ErrNotParked) {
		t.Fatalf("got %v", err)
	}
}

// An operator who looked at one event must not skip another that has failed since.
func TestDropSkipsOnlyTheEventThatWasSeen(t *testing.T) {
	t.Parallel()
	pool, l := database(t), newMemoryLog(1)
	bad := conversation("o", "bad")
	poison := events.ConversationTagged{Tag: "poison"}
	l.append(bad, poison, poison, tagged)
	start(t, runnerOf(pool, l, tally{name: "tally"}, Limits{}))
	await(t, pool, l, "tally")
	waitsAt := func(sequence uint64) func() bool {
		return func() bool {
			all, err := ListParked(t.Context(), pool, "tally")
			if err != nil {
				t.Fatal(err)
			}
			return len(all) == 1 && all[0].Sequence == sequence && all[0].Asked == ""
		}
	}
	eventually(t, "it is parked at the first", waitsAt(1))
	if err := DropParked(t.Context(), pool, "tally", bad.String(), 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is parked at the second", waitsAt(2))
	for _, ask := range []func(context.Context, *pgxpool.Pool, string, string, uint64) error{DropParked, RetryParked} {
		err := ask(t.Context(), pool, "tally", bad.String(), 1)
		if !errors.Is(err, ErrParkedElsewhere) || fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "sequence 2") {
			t.Fatalf("got %v", err)
		}
	}
	if !waitsAt(2)() {
		t.Fatal("something was asked of an event that nobody saw")
	}
	if err := DropParked(t.Context(), pool, "tally", bad.String(), 2); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what waits behind both is applied", func() bool {
		return reflect.DeepEqual(tallied(t, pool, "tally"), map[string][]uint64{bad.String(): {3}})
	})
}

func TestForeignTablesAreRefused(t *testing.T) {
	t.Parallel()
	pool, l := database(t), newMemoryLog(1)
	sink := NewPostgresSink(pool, tally{name: "tally"}, l)
	if err := openAt(t, sink, 0).Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := &otherLog{memoryLog: l}
	var err error
	eventually(t, "the server knows that the lock was given up", func() bool {
		_, err = NewPostgresSink(pool, tally{name: "tally"}, other).Open(t.Context(), 0)
		return !errors.Is(err, ErrHeld)
	})
	if !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "another") && !strings.Contains(err.Error(), "rebuild") {
		t.Fatalf("got %v", err)
	}
	// Tables that somebody dropped take their progress with them.
	if _, err := pool.Exec(t.Context(), "UPDATE tidemark.checkpoints SET checkpoint = 7; DROP SCHEMA tally CASCADE"); err != nil {
		t.Fatal(err)
	}
	if s := openAt(t, sink, 0); s.State().Progress.Checkpoint != 0 {
		t.Fatalf("checkpoint %d without rows", s.State().Progress.Checkpoint)
	}
}

type otherLog struct{ *memoryLog }

func (*otherLog) Incarnation() string { return "another1" }

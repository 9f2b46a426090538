package projections

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
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
	performWith(t, PerformerConfig{Projection: name, Pool: pool, Perform: g.perform, Attempts: 3, Workers: g.workers})
}

// performWith runs a performer until the test ends.
func performWith(t *testing.T, cfg PerformerConfig) {
	t.Helper()
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	p := NewPerformer(cfg)
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
	eventually(t, "only the timer that was not cancelled waits", func() bool { return waiting(t, pool) == 1 })
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

// write puts intents of a reactor into the database, as its Apply would.
func writeIntents(t *testing.T, pool *pgxpool.Pool, s *postgresSession, intents ...Intent) {
	t.Helper()
	if err := pgx.BeginFunc(t.Context(), s.conn, func(tx pgx.Tx) error { return WriteIntents(t.Context(), tx, intents) }); err != nil {
		t.Fatal(err)
	}
}

// hanging performs what is not of the org "slow" at once, and tells of it; what is waits until release is closed.
type hanging struct {
	begun, done chan string
	release     chan struct{}
}

func (h hanging) perform(ctx context.Context, in Intent) error {
	h.begun <- in.ID
	if strings.HasPrefix(in.ID, "slow") {
		select {
		case <-h.release:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	h.done <- in.ID
	return nil
}

func TestWhatHangsDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	pool, l := database(t), newMemoryLog(1)
	s := openAt(t, NewPostgresSink(pool, reactor{tally{name: "routing"}}, l), 0).(*postgresSession)
	const n = 300
	var all []Intent
	for i := range n {
		all = append(all, Intent{ID: fmt.Sprintf("slow%d", i), Org: "slow", Kind: "do", Key: fmt.Sprintf("k%d", i), Cause: uint64(i + 1)})
	}
	writeIntents(t, pool, s, all...)
	h := hanging{begun: make(chan string, 2*n), done: make(chan string, 2*n), release: make(chan struct{})}
	performWith(t, PerformerConfig{Projection: "routing", Pool: pool, Perform: h.perform, Workers: 8})
	<-h.begun // it hangs, and 299 others of its org are due

	// Another org's intents are performed meanwhile, each of which was written after the one before was done: there is no
	// round that they would have to wait for.
	for i := range 20 {
		id := fmt.Sprintf("quick%d", i)
		writeIntents(t, pool, s, Intent{ID: id, Org: "quick", Kind: "do", Key: "k", Cause: uint64(n + i + 1)})
		if got := <-h.done; got != id {
			t.Fatalf("%s was done, want %s", got, id)
		}
	}
	// And an org that hangs has not taken all places.
	if hang := len(h.begun) - 20; hang >= 7 {
		t.Fatalf("%d more of the org that hangs are under way", hang)
	}
	close(h.release)
	for range n {
		<-h.done
	}
	eventually(t, "all are performed", func() bool { return waiting(t, pool) == 0 })
}

// Of many orgs with many keys none is left out, and each key's intents come in their order.
func TestEveryIntentIsFound(t *testing.T) {
	t.Parallel()
	pool, l := database(t), newMemoryLog(1)
	s := openAt(t, NewPostgresSink(pool, reactor{tally{name: "routing"}}, l), 0).(*postgresSession)
	var all []Intent
	for org := range 300 {
		for n := range 24 {
			all = append(all, Intent{
				ID: fmt.Sprintf("i%d-%d", org, n), Org: fmt.Sprintf("o%d", org), Kind: "do", Key: fmt.Sprintf("o%d k%d", org, n%12), Cause: uint64(len(all) + 1),
			})
		}
	}
	for n := range 200 {
		all = append(all, Intent{ID: fmt.Sprintf("t%d", n), Org: "o7", Kind: "do", Key: fmt.Sprintf("o7 t%d", n), Cause: uint64(len(all) + 1), DueAt: time.Now()})
	}
	writeIntents(t, pool, s, all...)
	g := &ledger{}
	perform(t, pool, "routing", g)
	performedOnce(t, pool, g, len(all))
	last := map[string]uint64{}
	for _, in := range g.done {
		if in.Cause < last[in.Key] {
			t.Fatalf("%s: %d after %d", in.Key, in.Cause, last[in.Key])
		}
		last[in.Key] = in.Cause
	}
}

// What coalesces is one row however often it is asked for, and is performed once more when it is asked for while it is
// being performed.
func TestIntentsThatCoalesceArePerformedAfterTheLastAsking(t *testing.T) {
	t.Parallel()
	pool, l := database(t), newMemoryLog(1)
	s := openAt(t, NewPostgresSink(pool, reactor{tally{name: "routing"}}, l), 0).(*postgresSession)
	ask := func(cause uint64) {
		t.Helper()
		writeIntents(t, pool, s,
			Intent{ID: "look", Org: "o", Kind: "do", Key: "look", Cause: cause - 1, Coalesce: true},
			Intent{ID: "look", Org: "o", Kind: "do", Key: "look", Cause: cause, Depth: int(cause), Coalesce: true})
	}
	for cause := range uint64(50) {
		ask(cause + 2)
	}
	ask(9) // an older event, of another lane
	if n := waiting(t, pool); n != 1 {
		t.Fatalf("%d wait", n)
	}
	begun, goOn := make(chan Intent), make(chan error)
	performWith(t, PerformerConfig{Projection: "routing", Pool: pool, Perform: func(ctx context.Context, in Intent) error {
		select {
		case begun <- in:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case err := <-goOn:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}})
	if in := <-begun; in.Cause != 51 || in.Depth != 51 {
		t.Fatalf("performed %+v", in)
	}
	ask(60)
	goOn <- nil
	if in := <-begun; in.Cause != 60 {
		t.Fatalf("performed %+v", in)
	}
	ask(61)
	goOn <- NotNow{After: time.Hour} // it was asked for again meanwhile, and that is now
	if in := <-begun; in.Cause != 61 {
		t.Fatalf("performed %+v", in)
	}
	goOn <- NotNow{} // others' turn, and there are none
	<-begun
	goOn <- nil
	eventually(t, "nothing waits", func() bool { return waiting(t, pool) == 0 })
}

// What a look for intents reads does not depend on how many wait, be it of many keys or of one, timers or not, whether the
// planner knows the table or not.
func TestALookReadsFewOfManyIntents(t *testing.T) {
	t.Parallel()
	pool := database(t)
	_, err := pool.Exec(t.Context(), `INSERT INTO tidemark.intents (projection, org, id, kind, key, cause, depth, payload, due_at)
		SELECT 'routing', 'org' || n % 3, n::text, 'do', CASE WHEN n <= 20000 THEN 'hot' ELSE 'k' || n END, n, 0, 'null',
			CASE WHEN n <= 40000 THEN '-infinity' ELSE now() + interval '1 day' END
		FROM generate_series(1, 60000) AS n`)
	if err != nil {
		t.Fatal(err)
	}
	none := []string{}
	for _, known := range []bool{false, true} {
		if known {
			if _, err := pool.Exec(t.Context(), "VACUUM ANALYZE tidemark.intents"); err != nil {
				t.Fatal(err)
			}
		}
		for name, look := range map[string]struct {
			query string
			at    time.Time
			args  []any
			found float64
		}{
			"at once":                 {dueNow, time.Now(), []any{none, none}, 3 * dueOfOrg},
			"timers that are not due": {dueTimed, time.Now(), nil, 0},
			"timers that are due":     {dueTimed, time.Now().AddDate(0, 0, 2), nil, 3 * dueOfOrg},
		} {
			args := append([]any{"routing", look.at, "", dueOfOrg, dueAtOnce, none, none, none}, look.args...)
			var raw []byte
			if err := pool.QueryRow(t.Context(), "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) "+look.query, args...).Scan(&raw); err != nil {
				t.Fatal(err)
			}
			var plans []struct{ Plan plan }
			if err := json.Unmarshal(raw, &plans); err != nil {
				t.Fatal(err)
			}
			if n := plans[0].Plan.read(); n > 1500 || plans[0].Plan.Rows != look.found {
				t.Errorf("%s, analyzed %v: a look at 60,000 intents of 3 orgs finds %v and reads %v rows:\n%s", name, known, plans[0].Plan.Rows, n, raw)
			}
		}
	}
}

// plan is a node of what EXPLAIN tells.
type plan struct {
	Rows    float64 `json:"Actual Rows"`
	Loops   float64 `json:"Actual Loops"`
	Removed float64 `json:"Rows Removed by Filter"`
	Plans   []plan
}

// read counts the rows that the plan's nodes have handled.
func (p plan) read() float64 {
	n := (p.Rows + p.Removed) * p.Loops
	for _, child := range p.Plans {
		n += child.read()
	}
	return n
}

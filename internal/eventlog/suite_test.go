package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/fault"
)

// cases is what every log must do, whatever server is behind it. Each case has an org of its own, so they share a log.
var cases = map[string]func(t *testing.T, l log, org string){
	"AppendAndRead":     testAppendAndRead,
	"Expectations":      testExpectations,
	"AtomicAcross":      testAtomicAcross,
	"GroupCommit":       testGroupCommit,
	"OneWinner":         testOneWinner,
	"Limits":            testLimits,
	"GivenUp":           testGivenUp,
	"Blocks":            testBlocks,
	"BlocksAfterPurge":  testBlocksAfterPurge,
	"PurgeBefore":       testPurgeBefore,
	"TailIsGapless":     testTailIsGapless,
	"TailOfSlowReader":  testTailOfSlowReader,
	"TailFilters":       testTailFilters,
	"TailStops":         testTailStops,
	"HeadsAndPositions": testHeadsAndPositions,
}

func suite(t *testing.T, l log) {
	t.Helper()
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, l, strings.ToLower(name))
		})
	}
}

func customer(org, id string) events.Aggregate {
	return events.Aggregate{Org: org, Kind: events.KindCustomer, ID: id}
}

func renamed(revision int, name string) events.Draft {
	return events.Draft{Metadata: events.Metadata{
		ID: events.NewID(), Time: time.Now().UTC(), Command: "command-" + name[:min(len(name), 20)], Actor: events.Actor{Type: events.ActorSystem}, Revision: uint64(revision),
	}, Event: events.CustomerRenamed{Name: name}}
}

func write(a events.Aggregate, expected uint64, names ...string) eventlog.Write {
	w := eventlog.Write{Aggregate: a, Expected: expected}
	for i, n := range names {
		w.Drafts = append(w.Drafts, renamed(i+1, n))
	}
	return w
}

func mustAppend(t *testing.T, l log, writes ...eventlog.Write) []uint64 {
	t.Helper()
	seqs, err := l.Append(t.Context(), writes...)
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	return seqs
}

func names(rs []events.Recorded) []string {
	out := []string{}
	for _, r := range rs {
		e, ok := r.Event.(events.CustomerRenamed)
		if !ok {
			out = append(out, fmt.Sprintf("%T", r.Event))
			continue
		}
		out = append(out, e.Name)
	}
	return out
}

func mustRead(t *testing.T, l log, a events.Aggregate, after uint64) []events.Recorded {
	t.Helper()
	rs, err := l.Read(t.Context(), a, after)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return rs
}

func wantNames(t *testing.T, got []events.Recorded, want ...string) {
	t.Helper()
	if g := names(got); !slices.Equal(g, want) {
		t.Errorf("got %v, want %v", g, want)
	}
}

func testAppendAndRead(t *testing.T, l log, org string) {
	t.Helper()
	a := customer(org, "ann")
	wantNames(t, mustRead(t, l, a, 0))
	first := mustAppend(t, l, write(a, 0, "one"))[0]
	last := mustAppend(t, l, write(a, first, "two", "three"))[0]
	all := mustRead(t, l, a, 0)
	wantNames(t, all, "one", "two", "three")
	wantNames(t, mustRead(t, l, a, first), "two", "three")
	wantNames(t, mustRead(t, l, a, last))
	if all[2].Sequence != last || all[1].Sequence != last-1 || all[0].Sequence != first {
		t.Errorf("sequences %d %d %d, acknowledged %d and %d", all[0].Sequence, all[1].Sequence, all[2].Sequence, first, last)
	}
	if r := all[0]; r.Command != "command-one" || r.Aggregate != a || r.Stored.IsZero() || r.Partition != a.Partition(l.Partitions()) {
		t.Errorf("got %+v", r)
	}
}

func testExpectations(t *testing.T, l log, org string) {
	t.Helper()
	a := customer(org, "ann")
	first := mustAppend(t, l, write(a, 0, "one"))[0]
	for what, w := range map[string]eventlog.Write{
		"new when it is there": write(a, 0, "x"),
		"of the future":        write(a, first+1000, "x"),
		"several events":       write(a, 0, "x", "y"),
		"of nothing":           write(customer(org, "nobody"), first, "x"),
	} {
		if _, err := l.Append(t.Context(), w); !errors.Is(err, eventlog.ErrConflict) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	wantNames(t, mustRead(t, l, a, 0), "one")
	wantNames(t, mustRead(t, l, customer(org, "nobody"), 0))
}

func testAtomicAcross(t *testing.T, l log, org string) {
	t.Helper()
	ann, bob, claim := customer(org, "ann"), customer(org, "bob"), events.Aggregate{Org: org, Kind: events.KindClaim, ID: "c"}
	take := func(id string) eventlog.Write {
		return eventlog.Write{Aggregate: claim, Drafts: []events.Draft{{
			Metadata: events.Metadata{ID: events.NewID(), Time: time.Now(), Revision: 1}, Event: events.ClaimTaken{CustomerID: id, Type: "email"},
		}}}
	}
	seqs := mustAppend(t, l, write(ann, 0, "a1", "a2"), take("ann"))
	if len(seqs) != 2 || seqs[1] != seqs[0]+1 {
		t.Errorf("not contiguous: %v", seqs)
	}
	wantNames(t, mustRead(t, l, ann, seqs[0]-2), "a1", "a2")
	// The claim is taken: the whole second append is nothing.
	if _, err := l.Append(t.Context(), write(bob, 0, "b1"), take("bob")); !errors.Is(err, eventlog.ErrConflict) {
		t.Errorf("got %v", err)
	}
	wantNames(t, mustRead(t, l, bob, 0))
	if got := mustRead(t, l, claim, 0); len(got) != 1 || got[0].Sequence != seqs[1] {
		t.Errorf("got %v", got)
	}
}

// Many callers at once, one in eight of them with a stale expectation, some with several events: every caller gets its own
// outcome, and the log holds what was acknowledged, once.
func testGroupCommit(t *testing.T, l log, org string) {
	t.Helper()
	const callers, rounds = 64, 6
	stale := customer(org, "stale")
	mustAppend(t, l, write(stale, 0, "there"))
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			a := customer(org, fmt.Sprint("c", c))
			var last uint64
			var want []string
			for n := range rounds {
				if c%8 == 0 {
					if _, err := l.Append(t.Context(), write(customer(org, fmt.Sprint("d", c)), 0, "x"), write(stale, 0, "x")); !errors.Is(err, eventlog.ErrConflict) {
						t.Errorf("stale: got %v", err)
					}
				}
				mine := []string{strconv.Itoa(n)}
				if c%5 == 0 {
					mine = append(mine, fmt.Sprint(n, "+"))
				}
				seqs, err := l.Append(t.Context(), write(a, last, mine...))
				if err != nil {
					t.Errorf("caller %d: %v", c, err)
					return
				}
				last = seqs[0]
				want = append(want, mine...)
			}
			got, err := l.Read(t.Context(), a, 0)
			if err != nil || !slices.Equal(names(got), want) || got[len(got)-1].Sequence != last {
				t.Errorf("caller %d: got %v %v, want %v", c, names(got), err, want)
			}
		})
	}
	wg.Wait()
	wantNames(t, mustRead(t, l, stale, 0), "there")
	wantNames(t, mustRead(t, l, customer(org, "d8"), 0))
}

// Of many writers of one aggregate with the same expectation, exactly one wins.
func testOneWinner(t *testing.T, l log, org string) {
	t.Helper()
	a := customer(org, "ann")
	var last uint64
	for round := range 5 {
		var wins atomic.Int64
		var next atomic.Uint64
		var wg sync.WaitGroup
		for c := range 32 {
			wg.Go(func() {
				seqs, err := l.Append(t.Context(), write(a, last, fmt.Sprint(round, c)))
				switch {
				case err == nil:
					wins.Add(1)
					next.Store(seqs[0])
				case !errors.Is(err, eventlog.ErrConflict):
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		if wins.Load() != 1 {
			t.Fatalf("round %d: %d winners", round, wins.Load())
		}
		last = next.Load()
	}
	if got := mustRead(t, l, a, 0); len(got) != 5 {
		t.Errorf("got %d events", len(got))
	}
}

func testLimits(t *testing.T, l log, org string) {
	t.Helper()
	a := customer(org, "ann")
	many := make([]string, 1000)
	for i := range many {
		many[i] = strconv.Itoa(i)
	}
	last := mustAppend(t, l, write(a, 0, many...))[0]
	wantNames(t, mustRead(t, l, a, 0), many...)
	large := strings.Repeat("<", 1<<20) // six times its size in JSON
	last = mustAppend(t, l, write(a, last, large))[0]
	for what, w := range map[string]eventlog.Write{
		"more than a batch": write(a, last, append(many, "x")...),
		"a huge event":      write(a, last, strings.Repeat("<", 2<<20)),
	} {
		if _, err := l.Append(t.Context(), w); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: got %v", what, err)
		}
	}
	for what, w := range map[string][]eventlog.Write{
		"nothing":           {},
		"no events":         {write(a, last)},
		"a bad id":          {write(customer(org, "a.b"), 0, "x")},
		"one subject twice": {write(a, last, "x"), write(a, last, "y")},
	} {
		if _, err := l.Append(t.Context(), w...); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	// Together they are more than one batch may have: the appender cuts between them.
	var wg sync.WaitGroup
	for c := range 6 {
		wg.Go(func() {
			if _, err := l.Append(t.Context(), write(customer(org, fmt.Sprint("big", c)), 0, large[:1<<18], many[1], many[2])); err != nil {
				t.Errorf("large: %v", err)
			}
		})
	}
	wg.Wait()
	if got := mustRead(t, l, a, last-1); len(got) != 1 || names(got)[0] != large {
		t.Errorf("the large event is not what was written")
	}
}

// A caller that does not wait is told what is known: what is acknowledged is there, and what is unavailable is not there and
// never will be.
func testGivenUp(t *testing.T, l log, org string) {
	t.Helper()
	var unavailable atomic.Int64
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			a := customer(org, fmt.Sprint("c", i))
			ctx, cancel := context.WithCancel(t.Context())
			if i%4 == 0 {
				cancel()
			} else {
				time.AfterFunc(time.Millisecond<<rand.IntN(9), cancel) // before it is sent, or after, or too late
			}
			_, err := l.Append(ctx, write(a, 0, "given up"))
			cancel()
			// Whatever was sent before this one, and is not there by now, is refused.
			_, later := l.Append(t.Context(), write(a, 0, "later"))
			all, failed := l.Read(t.Context(), a, 0)
			if failed != nil {
				t.Errorf("read: %v", failed)
				return
			}
			switch there := names(all); {
			case err == nil:
				if !slices.Equal(there, []string{"given up"}) || !errors.Is(later, eventlog.ErrConflict) {
					t.Errorf("acknowledged: %v, %v", there, later)
				}
			case errors.Is(err, eventlog.ErrUnavailable):
				unavailable.Add(1)
				if !slices.Equal(there, []string{"later"}) || later != nil {
					t.Errorf("unavailable: %v, %v", there, later)
				}
			case errors.Is(err, eventlog.ErrUnknownOutcome):
				if len(there) > 1 || len(there) == 0 && later == nil {
					t.Errorf("unknown: %v, %v", there, later)
				}
			default:
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if unavailable.Load() == 0 {
		t.Error("no append was given up before it was sent")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Wait(ctx, l.Head()+1_000_000); !errors.Is(err, context.Canceled) {
		t.Errorf("wait: got %v", err)
	}
}

// scanned reads the log by blocks from a sequence on, at least up to another, and checks that it is in order.
func scanned(t *testing.T, l log, from, upTo uint64, org string) []events.Recorded {
	t.Helper()
	if err := l.Wait(t.Context(), upTo-1); err != nil {
		t.Fatal(err)
	}
	var out []events.Recorded
	var last uint64
	for from <= upTo {
		b, err := l.Block(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range b.Events {
			if e.Sequence <= last || e.Sequence < from || e.Sequence >= b.Next {
				t.Fatalf("event %d after %d in a block [%d, %d)", e.Sequence, last, from, b.Next)
			}
			last = e.Sequence
			if e.Org == org {
				out = append(out, e)
			}
		}
		from = b.Next
	}
	return out
}

func testBlocks(t *testing.T, l log, org string) {
	t.Helper()
	a := customer(org, "ann")
	start := l.Head() + 1
	var last uint64
	var want []string
	for n := range 6 {
		var part []string
		for i := range 150 {
			part = append(part, fmt.Sprint(n, ".", i))
		}
		last = mustAppend(t, l, write(a, last, part...))[0]
		want = append(want, part...)
		wantNames(t, scanned(t, l, start, last, org), want...) // at the head, each time a little farther
	}
	all := mustRead(t, l, a, 0)
	for _, i := range []int{0, 1, 255, 256, 257, 511, 899} {
		b, err := l.Block(t.Context(), all[i].Sequence)
		if err != nil || len(b.Events) == 0 || b.Events[0].Sequence != all[i].Sequence {
			t.Errorf("a block from %d: %v", all[i].Sequence, err)
		}
	}
	beyond := l.Head() + 1_000_000
	if b, err := l.Block(t.Context(), beyond); err != nil || b.Next != beyond || len(b.Events) != 0 {
		t.Errorf("beyond the head: %v %v", b, err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { wantNames(t, scanned(t, l, start, last, org), want...) })
	}
	wg.Wait()
}

func testBlocksAfterPurge(t *testing.T, l log, org string) {
	t.Helper()
	ann, bob := customer(org, "ann"), customer(org, "bob")
	start := l.Head() + 1
	many := make([]string, 700)
	for i := range many {
		many[i] = strconv.Itoa(i)
	}
	mustAppend(t, l, write(bob, 0, "before"))
	mustAppend(t, l, write(ann, 0, many...))
	lastBob := mustRead(t, l, bob, 0)[0].Sequence
	last := mustAppend(t, l, write(bob, lastBob, "after"))[0]
	if got := scanned(t, l, start, last, org); len(got) != 702 {
		t.Fatalf("got %d events", len(got))
	}
	if err := l.Purge(t.Context(), ann); err != nil {
		t.Fatal(err)
	}
	wantNames(t, mustRead(t, l, ann, 0))
	wantNames(t, scanned(t, l, start, last, org), "before", "after")
	// What was the newest event may be erased too; scanning does not stop there.
	if err := l.Purge(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	wantNames(t, scanned(t, l, start, last, org))
	if _, err := l.Append(t.Context(), write(ann, last, "x")); !errors.Is(err, eventlog.ErrConflict) {
		t.Errorf("an expectation from before the erasure: got %v", err)
	}
	last = mustAppend(t, l, write(ann, 0, "again"))[0]
	wantNames(t, scanned(t, l, start, last, org), "again")
}

func testPurgeBefore(t *testing.T, l log, org string) {
	t.Helper()
	ann, bob := customer(org, "ann"), customer(org, "bob")
	start := l.Head() + 1
	first := mustAppend(t, l, write(ann, 0, "one", "two"))[0]
	mustAppend(t, l, write(bob, 0, "bob"))
	last := mustAppend(t, l, write(ann, first, "three", "four"))[0]
	wantNames(t, scanned(t, l, start, last, org), "one", "two", "bob", "three", "four")
	for _, before := range []uint64{0, 1, last, last} {
		if err := l.PurgeBefore(t.Context(), ann, before); err != nil {
			t.Fatal(err)
		}
	}
	left := mustRead(t, l, ann, 0)
	wantNames(t, left, "four")
	if left[0].Sequence != last || left[0].Revision != 2 {
		t.Errorf("what is left is %+v", left[0])
	}
	wantNames(t, scanned(t, l, start, last, org), "bob", "four")
	if _, err := l.Append(t.Context(), write(ann, 0, "x")); !errors.Is(err, eventlog.ErrConflict) {
		t.Errorf("as if nothing were left: got %v", err)
	}
	last = mustAppend(t, l, write(ann, last, "five"))[0]
	wantNames(t, mustRead(t, l, ann, last-1), "five")
	// Beyond the end, which Head may be behind: everything, as Purge.
	if err := l.PurgeBefore(t.Context(), ann, last+1_000_000); err != nil {
		t.Fatal(err)
	}
	wantNames(t, mustRead(t, l, ann, 0))
	if err := l.PurgeBefore(t.Context(), customer(org, "nobody"), last); err != nil {
		t.Errorf("of nothing: %v", err)
	}
}

func testHeadsAndPositions(t *testing.T, l log, org string) {
	t.Helper()
	a := customer(org, "ann")
	last := mustAppend(t, l, write(a, 0, "one", "two"))[0]
	if err := l.Wait(t.Context(), last-1); err != nil {
		t.Fatal(err)
	}
	if l.Head() < last || l.HeadOf(a.Partition(l.Partitions())) < last || time.Since(l.HeadTime()) > time.Hour {
		t.Errorf("head %d, of the partition %d, at %s", l.Head(), l.HeadOf(a.Partition(l.Partitions())), l.HeadTime())
	}
	if l.HeadOf(-1) != 0 || l.HeadOf(1000) != 0 {
		t.Error("a partition that is not there has a head")
	}
	p, err := events.ParsePosition(l.Position(a, last).String())
	if err != nil || p.Sequence != last || p.Incarnation != l.Incarnation() || len(p.Incarnation) < 8 {
		t.Errorf("position %v %v", p, err)
	}
}

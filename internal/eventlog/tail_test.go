package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

var errEnough = errors.New("enough")

// tailed is the sequences that a Tail gives until it has seen last.
func tailed(ctx context.Context, l log, f eventlog.Filter, after, last uint64, each func()) ([]uint64, error) {
	var got []uint64
	err := l.Tail(ctx, f, after, nil, func(e events.Recorded) error {
		if each != nil {
			each()
		}
		got = append(got, e.Sequence)
		if e.Sequence >= last {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return got, err
}

// writeAll appends n events to each of some aggregates from as many goroutines, and returns their sequences in order.
func writeAll(t *testing.T, l log, org string, aggregates, n int) []uint64 {
	t.Helper()
	var mu sync.Mutex
	var all []uint64
	var wg sync.WaitGroup
	for c := range aggregates {
		wg.Go(func() {
			var last uint64
			for i := range n {
				seqs, err := l.Append(t.Context(), write(customer(org, fmt.Sprint("t", c)), last, strconv.Itoa(i)))
				if err != nil {
					t.Error(err)
					return
				}
				last = seqs[0]
				mu.Lock()
				all = append(all, last)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(all)
	return all
}

// Readers that begin at any moment of a write load see every event of their filter after their start, once and in order.
func testTailIsGapless(t *testing.T, l log, org string) {
	t.Helper()
	type result struct {
		after uint64
		got   []uint64
	}
	results := make(chan result, 24)
	var readers, others sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	others.Go(func() { // somebody else always writes, so that the starter's waits end
		for i := 0; ctx.Err() == nil; i++ {
			_, _ = l.Append(ctx, write(customer(org+"-more", strconv.Itoa(i)), 0, "x"))
		}
	})
	started := make(chan struct{})
	others.Go(func() {
		defer close(started)
		for i := range cap(results) {
			after := uint64(0)
			if i%2 == 0 {
				after = l.Head()
			}
			readers.Go(func() {
				r := result{after: after}
				_ = l.Tail(ctx, eventlog.Filter{Org: org}, after, nil, func(e events.Recorded) error {
					r.got = append(r.got, e.Sequence)
					if e.Kind == events.KindClaim {
						return errEnough
					}
					return nil
				})
				results <- r
			})
			_ = l.Wait(ctx, l.Head()+uint64(rand.IntN(8)))
		}
	})
	all := writeAll(t, l, org, 24, 20)
	<-started
	end := mustAppend(t, l, eventlog.Write{Aggregate: events.Aggregate{Org: org, Kind: events.KindClaim, ID: "end"}, Drafts: []events.Draft{{
		Metadata: events.Metadata{ID: "1", Revision: 1}, Event: events.ClaimReleased{Reason: "end"},
	}}})[0]
	all = append(all, end)
	for range cap(results) {
		r := <-results
		want := all[slices.IndexFunc(all, func(s uint64) bool { return s > r.after }):]
		if !slices.Equal(r.got, want) {
			t.Errorf("a reader after %d saw %d events, want %d", r.after, len(r.got), len(want))
		}
	}
	cancel()
	readers.Wait()
	others.Wait()
}

// A reader that falls behind its buffer goes on from the log, without a gap.
func testTailOfSlowReader(t *testing.T, l log, org string) {
	t.Helper()
	a := customer(org, "ann")
	first := mustAppend(t, l, write(a, 0, "first"))[0]
	many := make([]string, 900)
	for i := range many {
		many[i] = strconv.Itoa(i)
	}
	blocked, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	type answer struct {
		got []uint64
		err error
	}
	done := make(chan answer, 1)
	go func() {
		var got []uint64
		err := l.Tail(t.Context(), eventlog.Filter{Org: org, ID: "ann"}, 0, nil, func(e events.Recorded) error {
			once.Do(func() { close(blocked); <-release })
			if got = append(got, e.Sequence); len(got) == 1801 {
				return errEnough
			}
			return nil
		})
		if errors.Is(err, errEnough) {
			err = nil
		}
		done <- answer{got, err}
	}()
	<-blocked
	last := mustAppend(t, l, write(a, first, many...))[0]
	last = mustAppend(t, l, write(a, last, many...))[0]
	if err := l.Wait(t.Context(), last-1); err != nil {
		t.Fatal(err)
	}
	close(release)
	r := <-done
	if r.err != nil || len(r.got) != 1801 || !slices.IsSorted(r.got) || len(slices.Compact(slices.Clone(r.got))) != len(r.got) {
		t.Fatalf("%d events, %v", len(r.got), r.err)
	}
	var want []uint64
	for _, e := range mustRead(t, l, a, 0) {
		if e.Sequence <= r.got[len(r.got)-1] {
			want = append(want, e.Sequence)
		}
	}
	if !slices.Equal(r.got, want) {
		t.Errorf("saw %d of %d events", len(r.got), len(want))
	}
}

func testTailFilters(t *testing.T, l log, org string) {
	t.Helper()
	ann, bob := customer(org, "ann"), customer(org, "bob")
	other := customer(org+"-x", "ann")
	agent := events.Aggregate{Org: org, Kind: events.KindAgent, ID: "ann"}
	s1 := mustAppend(t, l, write(ann, 0, "1"))[0]
	s2 := mustAppend(t, l, eventlog.Write{Aggregate: agent, Drafts: []events.Draft{{
		Metadata: events.Metadata{ID: "1", Revision: 1}, Event: events.AgentRenamed{Name: "2"},
	}}})[0]
	s3 := mustAppend(t, l, write(bob, 0, "3"))[0]
	s4 := mustAppend(t, l, write(other, 0, "4"))[0]
	s5 := mustAppend(t, l, write(ann, s1, "5"))[0]
	if err := l.Wait(t.Context(), s5-1); err != nil {
		t.Fatal(err)
	}
	customers := []events.Kind{events.KindCustomer}
	both := []events.Kind{events.KindCustomer, events.KindAgent, events.KindCustomer}
	for what, c := range map[string]struct {
		filter eventlog.Filter
		after  uint64
		want   []uint64
	}{
		"org":            {eventlog.Filter{Org: org}, 0, []uint64{s1, s2, s3, s5}},
		"org, after":     {eventlog.Filter{Org: org}, s2, []uint64{s3, s5}},
		"org and kind":   {eventlog.Filter{Org: org, Kinds: customers}, 0, []uint64{s1, s3, s5}},
		"org and kinds":  {eventlog.Filter{Org: org, Kinds: both}, 0, []uint64{s1, s2, s3, s5}},
		"one aggregate":  {eventlog.Filter{Org: org, Kinds: customers, ID: "ann"}, 0, []uint64{s1, s5}},
		"an id":          {eventlog.Filter{Org: org, ID: "ann"}, 0, []uint64{s1, s2, s5}},
		"kinds, any org": {eventlog.Filter{Kinds: []events.Kind{events.KindAgent}}, s1, nil},
		"everything":     {eventlog.Filter{}, s1, nil},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		var got []uint64
		err := l.Tail(ctx, c.filter, c.after, cancel, func(e events.Recorded) error {
			if e.Org == org || e.Org == org+"-x" {
				got = append(got, e.Sequence)
			}
			return nil
		})
		cancel()
		want := c.want
		switch what {
		case "kinds, any org":
			want = []uint64{s2}
		case "everything":
			want = []uint64{s2, s3, s4, s5}
		}
		if !errors.Is(err, context.Canceled) || !slices.Equal(got, want) {
			t.Errorf("%s: got %v %v, want %v", what, got, err, want)
		}
	}
	if err := l.Tail(t.Context(), eventlog.Filter{Org: "*"}, 0, nil, nil); !errors.Is(err, events.ErrSubject) {
		t.Errorf("a wildcard as org: %v", err)
	}
}

func testTailStops(t *testing.T, l log, org string) {
	t.Helper()
	last := mustAppend(t, l, write(customer(org, "ann"), 0, "1", "2"))[0]
	if err := l.Wait(t.Context(), last-1); err != nil {
		t.Fatal(err)
	}
	var n int
	err := l.Tail(t.Context(), eventlog.Filter{Org: org}, 0, func() { t.Error("caught up after an error") }, func(events.Recorded) error {
		n++
		return errEnough
	})
	if !errors.Is(err, errEnough) || n != 1 {
		t.Errorf("%d calls, %v", n, err)
	}
}

// TestPurgeIsToldToOtherProcesses: what another process has erased does not stay in this one's cache.
func TestPurgeIsToldToOtherProcesses(t *testing.T) {
	t.Parallel()
	url := testkit.NATS(t).ClientURL()
	here, there := open(t, eventlog.Config{URL: url}), open(t, eventlog.Config{URL: url})
	ann := customer("acme", "ann")
	last := mustAppend(t, here, write(ann, 0, "one", "two"))[0]
	wantNames(t, scanned(t, here, 1, last, "acme"), "one", "two")
	wantNames(t, scanned(t, there, 1, last, "acme"), "one", "two")
	if err := there.PurgeBefore(t.Context(), ann, last); err != nil {
		t.Fatal(err)
	}
	wantNames(t, scanned(t, there, 1, last, "acme"), "two")
	testkit.Until(t, "the other process gives only what is left", func() bool { return len(scanned(t, here, 1, last, "acme")) == 1 })
}

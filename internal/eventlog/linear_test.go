package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// heal asks for the end of all faults.
const heal = -1

// workload is who does what on a log.
type workload struct {
	workers, each int // operations of each worker
	pairs         int // of shared aggregates
}

// attempt is an append as its worker made it.
type attempt struct {
	operation
	worker    int
	two       bool // events, of one aggregate
	outcome   outcome
	call, end int64
}

// events is their names; the last one's stays to be seen.
func (a attempt) events() []string {
	if a.two {
		return []string{a.name + " first", a.name}
	}
	return []string{a.name}
}

// historian records what workers saw.
type historian struct {
	log   *eventlog.Log
	began time.Time

	mu       sync.Mutex
	reads    []porcupine.Operation
	attempts []attempt
}

func (h *historian) clock() int64 { return int64(time.Since(h.began)) }

func side(pair, i int) events.Aggregate { return customer("o", fmt.Sprint("k", pair, "-", i)) }

// history runs workers on shared aggregates, while faults are made, and returns what they saw. The fault is told now and then
// how many operations there were.
func history(t *testing.T, l *eventlog.Log, w workload, fault func(n int)) []porcupine.Operation {
	t.Helper()
	h := &historian{log: l, began: time.Now()}
	var finished atomic.Int64
	var running sync.WaitGroup
	for worker := range w.workers {
		running.Go(func() {
			for n := range w.each {
				if err := h.work(t.Context(), worker, rand.IntN(w.pairs), fmt.Sprint(worker, "-", n)); err != nil {
					t.Error(err)
					return
				}
				finished.Add(1)
			}
		})
	}
	over := make(chan struct{})
	go func() { running.Wait(); close(over) }()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-over:
			fault(heal)
			return h.judged(t, w.pairs)
		case <-tick.C:
			fault(int(finished.Load()))
		}
	}
}

// work reads what an append will expect, and appends: one event, two of one aggregate, or one each of two.
func (h *historian) work(ctx context.Context, worker, pair int, name string) error {
	a := attempt{worker: worker, operation: operation{pair: pair, name: name}}
	a.on[rand.IntN(2)] = true
	switch rand.IntN(3) {
	case 0:
		a.on = [2]bool{true, true}
	case 1:
		a.two = true
	}
	var writes []eventlog.Write
	for i, on := range a.on {
		if !on {
			continue
		}
		value, last, err := h.read(ctx, worker, pair, i)
		if err != nil { // it says nothing
			pause(ctx)
			return nil
		}
		a.expected[i] = value
		writes = append(writes, write(side(pair, i), last, a.events()...))
	}
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if rand.IntN(10) == 0 {
		time.AfterFunc(time.Millisecond<<rand.IntN(7), cancel) // it does not wait
	}
	a.call = h.clock()
	_, err := h.log.Append(bounded, writes...)
	a.end = h.clock()
	switch {
	case err == nil:
		a.outcome = done
	case errors.Is(err, eventlog.ErrConflict):
		a.outcome = conflict
	case errors.Is(err, eventlog.ErrUnknownOutcome):
		a.outcome = unknown
	case errors.Is(err, eventlog.ErrUnavailable):
		a.outcome = unwritten
		pause(ctx)
	default:
		return fmt.Errorf("append: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.attempts = append(h.attempts, a)
	return nil
}

func (h *historian) read(ctx context.Context, worker, pair, i int) (value string, last uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	call := h.clock()
	there, err := h.log.Read(ctx, side(pair, i), 0)
	if err != nil {
		return "", 0, err
	}
	if n := len(there); n > 0 {
		value, last = names(there)[n-1], there[n-1].Sequence
	}
	o := operation{pair: pair, read: true}
	o.on[i] = true
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reads = append(h.reads, porcupine.Operation{ClientId: worker, Input: o, Call: call, Output: result{value: value}, Return: h.clock()})
	return value, last, nil
}

// judged looks what was written in the end, compares it with what the writers were told, and gives the history.
func (h *historian) judged(t *testing.T, pairs int) []porcupine.Operation {
	t.Helper()
	written := map[string]*[2][]events.Recorded{} // by the name of the append: its events in each of the two
	for pair := range pairs {
		for i := range 2 {
			for _, r := range settled(t, h.log, side(pair, i)) {
				name, _, _ := strings.Cut(names([]events.Recorded{r})[0], " ")
				if written[name] == nil {
					written[name] = &[2][]events.Recorded{}
				}
				written[name][i] = append(written[name][i], r)
			}
		}
	}
	count := map[outcome]int{}
	ops := h.reads
	for _, a := range h.attempts {
		count[a.outcome]++
		there := written[a.name]
		if there != nil {
			a.mustBe(t, *there)
			delete(written, a.name)
		}
		switch {
		case a.outcome == done && there == nil, (a.outcome == conflict || a.outcome == unwritten) && there != nil:
			t.Errorf("append %s was %s, and in the end: %v", a.name, a.outcome, there)
		case a.outcome == unknown && there != nil: // at any time until now
			a.outcome, a.end = done, h.clock()
		case a.outcome == unknown, a.outcome == unwritten:
			continue // as if it had not been asked
		}
		ops = append(ops, porcupine.Operation{ClientId: a.worker, Input: a.operation, Call: a.call, Output: result{outcome: a.outcome}, Return: a.end})
	}
	for name := range written {
		t.Errorf("nobody appended %s", name)
	}
	t.Logf("%d operations; appends: %d done, %d conflicts, %d unwritten, %d unknown", len(ops), count[done], count[conflict], count[unwritten], count[unknown])
	if count[done] == 0 || count[conflict] == 0 {
		t.Error("the workers did not get into each other's way")
	}
	return ops
}

// settled is what is in an aggregate once nothing that was sent before can still be written.
func settled(t *testing.T, l *eventlog.Log, a events.Aggregate) []events.Recorded {
	t.Helper()
	for {
		there, err := patient{l}.Read(t.Context(), a, 0)
		if err != nil {
			t.Fatal(err)
		}
		last := uint64(0)
		if n := len(there); n > 0 {
			last = there[n-1].Sequence
		}
		_, err = patient{l}.Append(t.Context(), write(a, last, "end"))
		if err == nil {
			return there // and every other expectation of before is stale now
		}
		if !errors.Is(err, eventlog.ErrConflict) {
			t.Fatal(err)
		}
		pause(t.Context())
	}
}

// mustBe looks whether the events of an append are all of it, together.
func (a attempt) mustBe(t *testing.T, there [2][]events.Recorded) {
	t.Helper()
	for i, on := range a.on {
		want := []string{}
		if on {
			want = a.events()
		}
		if !slices.Equal(names(there[i]), want) {
			t.Errorf("append %s is %v in one of its aggregates, want %v", a.name, names(there[i]), want)
		}
	}
	all := slices.Concat(there[0], there[1])
	if last := all[len(all)-1].Sequence; last != all[0].Sequence+uint64(len(all))-1 {
		t.Errorf("the %d events of append %s are at %d to %d", len(all), a.name, all[0].Sequence, last)
	}
}

// batched fails the test when no append ever went together with another.
func batched(t *testing.T, r *prometheus.Registry) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sent := map[string]float64{}
	joined := uint64(0)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			switch f.GetName() {
			case "tidemark_log_publishes_total":
				sent[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			case "tidemark_log_batch_events": // an append of the workload has two events at most
				joined = m.GetHistogram().GetSampleCount() - m.GetHistogram().GetBucket()[0].GetCumulativeCount()
			}
		}
	}
	t.Logf("%v publishes, %d batches of several appends", sent, joined)
	if sent["plain"] == 0 || joined == 0 {
		t.Errorf("publishes %v, batches of several appends %d: the group commit was not at work", sent, joined)
	}
}

func TestLinearizable(t *testing.T) {
	t.Parallel()
	metrics := prometheus.NewRegistry()
	l := open(t, eventlog.Config{Dir: t.TempDir(), Registerer: metrics})
	checkLinearizable(t, true, history(t, l, workload{workers: 24, each: 25, pairs: 4}, func(int) {}))
	batched(t, metrics)
}

// Connections break and answers are lost all the time.
func TestLinearizableThroughFaults(t *testing.T) {
	t.Parallel()
	metrics := prometheus.NewRegistry()
	r := newRelay(t, testkit.NATS(t).ClientURL())
	l := open(t, eventlog.Config{URL: r.url(), Registerer: metrics})
	last, cuts, mutes, muted := 0, 0, 0, false
	ops := history(t, l, workload{workers: 24, each: 30, pairs: 6}, func(n int) {
		switch {
		case n == heal:
			r.cut()
		case muted:
			r.cut()
			last, muted = n, false
		case n < last+40: // let them work
		case mutes < cuts:
			r.mute()
			mutes++
			muted = true
		default:
			r.cut()
			cuts++
			last = n
		}
	})
	if mutes == 0 {
		t.Error("it was over before anything went wrong")
	}
	checkLinearizable(t, true, ops)
	batched(t, metrics)
}

// The leader of a cluster is killed in the middle, and comes back later.
func TestLinearizableThroughLeaderChange(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts three nats-server processes")
	}
	c := startCluster(t)
	metrics := prometheus.NewRegistry()
	l := open(t, eventlog.Config{URL: c.url(), Replicas: 3, Registerer: metrics})
	var down *node
	back := false
	w := workload{workers: 24, each: 60, pairs: 6}
	ops := history(t, l, w, func(n int) {
		switch {
		case n > w.workers*w.each/4 && down == nil:
			down = c.leader(t)
			down.kill()
		case n > w.workers*w.each/2 && !back:
			down.restart(t)
			back = true
		}
	})
	if !back {
		t.Error("it was over before the leader was back")
	}
	checkLinearizable(t, false, ops)
	batched(t, metrics)
}

package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
)

// An aggregate is a register that holds the name of its last event: an append is a compare-and-set, a read is a read.
type operation struct {
	key      int
	read     bool
	expected string // what the writer saw last
	name     string // of the new event
}

// What came of an operation: a read's value is the name of the last event.
type result struct {
	value   string
	outcome outcome
}

type outcome int

// heal asks for the end of all faults.
const heal = -1

const (
	done outcome = iota
	conflict
	unknown // it may happen at any later time, or never
)

// registers is what a linearizable log does. A conflict always says that nothing was written; where strict is set it also says
// that the expectation was stale (a cluster may refuse a write because another one of its subject is in process).
func registers(strict bool) porcupine.Model {
	model := porcupine.NondeterministicModel{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			parts := map[int][]porcupine.Operation{}
			for _, o := range history {
				key := o.Input.(operation).key
				parts[key] = append(parts[key], o)
			}
			out := [][]porcupine.Operation{}
			for _, p := range parts {
				out = append(out, p)
			}
			return out
		},
		Init: func() []any { return []any{""} },
		Step: func(state, input, output any) []any {
			in, out := input.(operation), output.(result)
			switch {
			case in.read && out.value == state:
				return []any{state}
			case in.read:
				return nil
			case out.outcome == unknown && in.expected == state:
				return []any{state, in.name}
			case out.outcome == unknown:
				return []any{state}
			case out.outcome == conflict && (!strict || in.expected != state):
				return []any{state}
			case out.outcome == done && in.expected == state:
				return []any{in.name}
			}
			return nil
		},
	}
	return model.ToModel()
}

// history runs workers on shared aggregates until each has done so many operations, while faults are made, and records what they
// saw. The fault is told how many operations there were.
func history(t *testing.T, l *eventlog.Log, workers, each, keys int, patience time.Duration, fault func(n int)) []porcupine.Operation {
	t.Helper()
	began := time.Now()
	clock := func() int64 { return int64(time.Since(began)) }
	var mu sync.Mutex
	var ops []porcupine.Operation
	record := func(w int, call int64, in operation, out result) {
		back := clock()
		if out.outcome == unknown {
			back = math.MaxInt64
		}
		mu.Lock()
		defer mu.Unlock()
		ops = append(ops, porcupine.Operation{ClientId: w, Input: in, Call: call, Output: out, Return: back})
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for n := range each {
				key := rand.IntN(keys)
				a := customer("o", fmt.Sprint("k", key))
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				call := clock()
				there, err := l.Read(ctx, a, 0)
				cancel()
				if err != nil {
					continue // a read that failed says nothing
				}
				value, last := "", uint64(0)
				if len(there) > 0 {
					end := there[len(there)-1]
					value, last = end.Event.(events.CustomerRenamed).Name, end.Sequence
				}
				record(w, call, operation{key: key, read: true}, result{value: value})

				in := operation{key: key, expected: value, name: fmt.Sprint(w, "-", n)}
				ctx, cancel = context.WithTimeout(t.Context(), patience)
				call = clock()
				_, err = l.Append(ctx, write(a, last, in.name))
				cancel()
				switch {
				case err == nil:
					record(w, call, in, result{outcome: done})
				case errors.Is(err, eventlog.ErrConflict):
					record(w, call, in, result{outcome: conflict})
				case errors.Is(err, eventlog.ErrUnknownOutcome):
					record(w, call, in, result{outcome: unknown})
				case errors.Is(err, eventlog.ErrUnavailable): // nothing was written: as if it had not been asked
				default:
					t.Errorf("append: %v", err)
				}
			}
		})
	}
	finished := make(chan struct{})
	go func() { wg.Wait(); close(finished) }()
	tick := time.NewTicker(120 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-finished:
			fault(heal)
			return append(ops, lastReads(t, l, keys, clock)...)
		case <-tick.C:
			mu.Lock()
			n := len(ops)
			mu.Unlock()
			fault(n)
		}
	}
}

// lastReads look what is there after everything.
func lastReads(t *testing.T, l *eventlog.Log, keys int, clock func() int64) (ops []porcupine.Operation) {
	t.Helper()
	for key := range keys {
		call := clock()
		value := ""
		there, err := l.Read(t.Context(), customer("o", fmt.Sprint("k", key)), 0)
		for err != nil && t.Context().Err() == nil { // the last fault may not be over
			there, err = l.Read(t.Context(), customer("o", fmt.Sprint("k", key)), 0)
		}
		if len(there) > 0 {
			value = there[len(there)-1].Event.(events.CustomerRenamed).Name
		}
		ops = append(ops, porcupine.Operation{Input: operation{key: key, read: true}, Call: call, Output: result{value: value}, Return: clock()})
	}
	return ops
}

func checkLinearizable(t *testing.T, strict bool, ops []porcupine.Operation) {
	t.Helper()
	count := map[outcome]int{}
	for _, o := range ops {
		if !o.Input.(operation).read {
			count[o.Output.(result).outcome]++
		}
	}
	t.Logf("%d operations; appends: %d done, %d conflicts, %d unknown", len(ops), count[done], count[conflict], count[unknown])
	if count[done] == 0 {
		t.Fatal("nothing was ever written")
	}
	if got := porcupine.CheckOperationsTimeout(registers(strict), ops, 30*time.Second); got != porcupine.Ok {
		t.Errorf("the history is not linearizable: %s", got)
	}
}

func TestLinearizable(t *testing.T) {
	t.Parallel()
	l := open(t, eventlog.Config{Dir: t.TempDir()})
	checkLinearizable(t, true, history(t, l, 16, 60, 3, 5*time.Second, func(int) {}))
}

// Connections break and answers are lost all the time.
func TestLinearizableThroughFaults(t *testing.T) {
	t.Parallel()
	r, l := throughRelay(t)
	tick := 0
	ops := history(t, l, 12, 60, 3, 500*time.Millisecond, func(n int) {
		tick++
		if n == heal {
			r.cut()
			return
		}
		switch tick % 4 {
		case 1:
			r.cut()
		case 2:
			r.mute()
		case 3:
			r.cut()
		}
	})
	checkLinearizable(t, true, ops)
}

// The leader of a cluster is killed in the middle, and comes back later.
func TestLinearizableThroughLeaderChange(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts three nats-server processes")
	}
	c := startCluster(t)
	l := open(t, eventlog.Config{URL: c.url(), Replicas: 3})
	var down *node
	back := false
	ops := history(t, l, 12, 150, 3, 2*time.Second, func(n int) {
		switch {
		case n > 800 && down == nil:
			down = c.leader(t)
			down.kill()
		case n > 1600 && !back:
			back = true
			binary, err := serverBinary()
			if err != nil {
				t.Error(err)
				return
			}
			down.start(t, binary)
		}
	})
	if down == nil {
		t.Fatal("it was over before the leader was killed")
	}
	checkLinearizable(t, false, ops)
}

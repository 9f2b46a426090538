package eventlog_test

import (
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// Two aggregates together are a pair of registers. Each holds the name of its last event: an append is a compare-and-set of
// one of them or of both at once, a read is of one.
type operation struct {
	pair     int
	read     bool
	on       [2]bool   // which of the two
	expected [2]string // what the writer saw last
	name     string    // of the new last event
}

// What came of an operation: a read's value is the name of the last event.
type result struct {
	value   string
	outcome outcome
}

type outcome int

const (
	done outcome = iota
	conflict
	unwritten // the caller was told that nothing was written, and not why
	unknown   // it may have been written
)

func (o outcome) String() string {
	return [...]string{"done", "refused as a conflict", "said to be unwritten", "unknown"}[o]
}

// registers is what a linearizable log does. A conflict always says that nothing was written; where strict is set it also says
// that an expectation was stale (a cluster may refuse a write because another one of its subject is in process). Whether an
// unknown append was written is known by the time that a history is judged.
func registers(strict bool) porcupine.Model {
	type state = [2]string
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			parts := map[int][]porcupine.Operation{}
			for _, o := range history {
				pair := o.Input.(operation).pair
				parts[pair] = append(parts[pair], o)
			}
			out := [][]porcupine.Operation{}
			for _, p := range parts {
				out = append(out, p)
			}
			return out
		},
		Init: func() any { return state{} },
		Step: func(before, input, output any) (bool, any) {
			s, in, out := before.(state), input.(operation), output.(result)
			stale := false
			next := s
			for i, on := range in.on {
				switch {
				case on && in.read:
					return s[i] == out.value, s
				case on:
					stale = stale || s[i] != in.expected[i]
					next[i] = in.name
				}
			}
			if out.outcome == done {
				return !stale, next
			}
			return stale || !strict, s
		},
	}
}

func checkLinearizable(t *testing.T, strict bool, ops []porcupine.Operation) {
	t.Helper()
	// Every value is written once, so that there is little to search: the limit is for a history that is wrong.
	if got := porcupine.CheckOperationsTimeout(registers(strict), ops, 5*time.Minute); got != porcupine.Ok {
		t.Errorf("the history is not linearizable: %s", got)
	}
}

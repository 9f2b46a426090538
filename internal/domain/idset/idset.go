// Package idset is an immutable set of ids that knows the order in which they came.
//
// States are cached and shared, so they are never changed in place; copying a map of ten thousand message ids for
// each message would cost more than the message. A Set is a few sorted runs whose sizes double, as in a
// log-structured merge tree: adding costs O(log n) amortised and leaves every older set as it was.
package idset

import (
	"slices"
	"strings"
)

// Set is a set of ids; the zero Set is empty.
type Set struct {
	runs [][]item // sorted by id, each at least twice as long as the next; never written to
	n    int
}

type item struct {
	id string
	at int
}

// Len is how many ids are in the set.
func (s Set) Len() int { return s.n }

// Index tells when an id came: 0 for the first.
func (s Set) Index(id string) (int, bool) {
	for _, run := range slices.Backward(s.runs) { // what came last is asked for most
		at, found := slices.BinarySearchFunc(run, id, func(x item, id string) int { return strings.Compare(x.id, id) })
		if found {
			return run[at].at, true
		}
	}
	return 0, false
}

// Has tells whether an id is in the set.
func (s Set) Has(id string) bool {
	_, ok := s.Index(id)
	return ok
}

// With is the set and one more id; s stays as it is. An id that is there already keeps its place.
func (s Set) With(id string) Set {
	if s.Has(id) {
		return s
	}
	run := []item{{id: id, at: s.n}}
	keep := len(s.runs)
	for keep > 0 && len(s.runs[keep-1]) < 2*len(run) {
		run = merge(s.runs[keep-1], run)
		keep--
	}
	return Set{runs: append(slices.Clone(s.runs[:keep]), run), n: s.n + 1}
}

func merge(a, b []item) []item {
	out := make([]item, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0].id < b[0].id {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

package rebuild

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark-desk/tidemark/events"
)

// TestFeed hands out windows to workers who finish in any order: every conversation once, also those that wait for the next window,
// and a window is told of when it and all newer ones are written, and not before.
func TestFeed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		sizes := rapid.SliceOfN(rapid.IntRange(0, 5), 1, 6).Draw(rt, "sizes")
		var want []string
		var waiting []item
		written := map[string]bool{}
		var told []uint64
		at := 0
		f := &feed{
			load: func([]*window) (*window, []item, error) {
				if at == len(sizes) {
					return nil, nil, nil
				}
				w := &window{from: uint64(100 - 10*at), of: map[events.Aggregate]*past{}, left: sizes[at]}
				todo := waiting
				waiting = nil
				for i := range sizes[at] {
					a := item{events.Aggregate{ID: fmt.Sprintf("%d-%d", at, i)}, &past{}, w}
					if at < len(sizes)-1 && rapid.Bool().Draw(rt, "wait") {
						waiting = append(waiting, a)
					} else {
						todo = append(todo, a)
					}
				}
				for _, i := range todo {
					want = append(want, i.ID)
				}
				at++
				return w, todo, nil
			},
			done: func(through uint64) error {
				n := len(told)
				if through != uint64(99-10*n) {
					rt.Fatalf("told of %d after %v", through, told)
				}
				for i := range sizes[n] {
					if id := fmt.Sprintf("%d-%d", n, i); !written[id] {
						rt.Fatalf("told of %d before %s is written", through, id)
					}
				}
				told = append(told, through)
				return nil
			},
		}
		var got []string
		var under [][]item
		for more := true; more || len(under) > 0; {
			if more && (len(under) == 0 || rapid.Bool().Draw(rt, "take")) {
				p, err := f.take(t.Context(), rapid.IntRange(1, 4).Draw(rt, "n"))
				if err != nil {
					rt.Fatal(err)
				}
				if more = len(p) > 0; more {
					under = append(under, p)
					for _, a := range p {
						got = append(got, a.ID)
					}
				}
				continue
			}
			i := rapid.IntRange(0, len(under)-1).Draw(rt, "who")
			for _, a := range under[i] {
				written[a.ID] = true
			}
			if err := f.finish(under[i]); err != nil {
				rt.Fatal(err)
			}
			under = slices.Delete(under, i, i+1)
			for n, w := range f.open {
				if w.left == 0 && (w.of != nil || w.order != nil) {
					rt.Fatalf("window %d of those that are open is written, and held", n)
				}
			}
		}
		if len(f.open) > 0 {
			rt.Fatalf("%d windows are open", len(f.open))
		}
		if !slices.Equal(got, want) {
			rt.Fatalf("handed out %v, want %v", got, want)
		}
		if len(told) != len(sizes) {
			rt.Fatalf("told of %v, of %d windows", told, len(sizes))
		}
	})
}

// TestPastAcrossWindows: what two windows have of a conversation is as if one had it.
func TestPastAcrossWindows(t *testing.T) {
	t.Parallel()
	newer := &past{touches: []touch{{sequence: 20, revision: 3}, {sequence: 21, revision: 4}}, trail: events.Trail{9, 7}}
	if newer.whole() {
		t.Error("it begins with the third event")
	}
	newer.precede(&past{touches: []touch{{sequence: 7, revision: 1}, {sequence: 9, revision: 2}}})
	want := []touch{{sequence: 7, revision: 1}, {sequence: 9, revision: 2}, {sequence: 20, revision: 3}, {sequence: 21, revision: 4}}
	if !newer.whole() || !reflect.DeepEqual(newer.touches, want) || newer.trail != (events.Trail{}) || newer.last() != 21 {
		t.Errorf("got %+v, want %+v", newer, want)
	}
}

package idset_test

import (
	"maps"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark-desk/tidemark/internal/domain/idset"
)

// Every set that ever was stays as it was, also when two grow out of one.
func TestSetIsAMapThatNeverChanges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		type version struct {
			set  idset.Set
			want map[string]int
		}
		all := []version{{want: map[string]int{}}}
		for range rapid.IntRange(0, 60).Draw(t, "adds") {
			from := all[rapid.IntRange(0, len(all)-1).Draw(t, "from")]
			id := strconv.Itoa(rapid.IntRange(0, 80).Draw(t, "id"))
			want := maps.Clone(from.want)
			if _, there := want[id]; !there {
				want[id] = len(want)
			}
			all = append(all, version{from.set.With(id), want})
		}
		for _, v := range all {
			for i := range 81 {
				id := strconv.Itoa(i)
				at, ok := v.set.Index(id)
				want, there := v.want[id]
				if ok != there || at != want || v.set.Has(id) != there {
					t.Fatalf("%s: %d, %v; want %d, %v", id, at, ok, want, there)
				}
			}
			if v.set.Len() != len(v.want) {
				t.Fatalf("length %d, want %d", v.set.Len(), len(v.want))
			}
		}
	})
}

func BenchmarkWith(b *testing.B) {
	var s idset.Set
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if s = s.With(strconv.Itoa(i)); s.Len() == 10_000 {
			s = idset.Set{}
		}
	}
}

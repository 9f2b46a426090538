package projections

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func intentOf(org string, n int) Intent {
	return Intent{ID: fmt.Sprintf("%s%d", org, n), Org: org, Key: fmt.Sprintf("k%d", n)}
}

func drain(b *board) (ids []string) {
	for in, ok := b.next(); ok; in, ok = b.next() {
		ids = append(ids, in.ID)
	}
	return ids
}

func TestBoardGoesFromOrgToOrg(t *testing.T) {
	t.Parallel()
	b := newBoard(100)
	for _, org := range []string{"a", "b", "c"} {
		for n := range 3 {
			b.offer([]Intent{intentOf(org, n)})
		}
	}
	if got, want := drain(b), []string{"a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"}; !slices.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
}

func TestBoardTakesOneOfAKeyAtATime(t *testing.T) {
	t.Parallel()
	b := newBoard(100)
	first, second := Intent{ID: "1", Org: "a", Key: "k"}, Intent{ID: "2", Org: "a", Key: "k"}
	b.offer([]Intent{first, second, {ID: "3", Org: "b", Key: "k"}})
	if got := drain(b); !slices.Equal(got, []string{"1", "3"}) {
		t.Fatalf("%v", got)
	}
	b.offer([]Intent{first, second}) // as a look finds them, until what came of the first is recorded
	if got := drain(b); got != nil {
		t.Fatalf("%v while another of the key is under way", got)
	}
	b.finish(first)
	b.offer([]Intent{second})
	if got := drain(b); !slices.Equal(got, []string{"2"}) {
		t.Fatalf("%v", got)
	}
}

// However many orgs hang, the next one still gets a place, until there are nearly as many of them as places.
func TestBoardLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	b := newBoard(32)
	for org := range 12 {
		var all []Intent
		for n := range 50 {
			all = append(all, intentOf(fmt.Sprint("org", org, "-"), n))
		}
		b.offer(all)
		if got := len(drain(b)); got == 0 || got > 8 {
			t.Fatalf("org %d got %d places", org, got)
		}
	}
}

// Whatever is offered and finished: never more than there are places, never two of a key, and a place is never free
// while an org that has none waits for it.
func TestBoardKeepsItsBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		places := rapid.IntRange(1, 12).Draw(t, "places")
		b := newBoard(places)
		var under []Intent
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if len(under) > 0 && rapid.Bool().Draw(t, "finish") {
				i := rapid.IntRange(0, len(under)-1).Draw(t, "which")
				b.finish(under[i])
				under = slices.Delete(under, i, i+1)
			} else {
				org := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "org")
				b.offer([]Intent{intentOf(org, rapid.IntRange(0, 20).Draw(t, "key"))})
			}
			for in, ok := b.next(); ok; in, ok = b.next() {
				if slices.ContainsFunc(under, func(u Intent) bool { return u.Org == in.Org && u.Key == in.Key }) {
					t.Fatalf("two of %s %s", in.Org, in.Key)
				}
				under = append(under, in)
			}
			if len(under) > places || b.full() != (len(under) == places) {
				t.Fatalf("%d under way in %d places", len(under), places)
			}
			for _, org := range b.turns {
				if !b.full() && !slices.ContainsFunc(under, func(u Intent) bool { return u.Org == org }) {
					t.Fatalf("%s waits and has nothing under way, with %d of %d places taken", org, len(under), places)
				}
			}
		}
	})
}

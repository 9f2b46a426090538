package eventlog_test

import (
	"slices"
	"strconv"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// A process hears live what another one wrote, and so knows that what it has folded is old.
func TestLastHeard(t *testing.T) {
	t.Parallel()
	url := testkit.NATS(t).ClientURL()
	mine, theirs := open(t, eventlog.Config{URL: url}), open(t, eventlog.Config{URL: url})
	ann := customer("o", "ann")
	last := mustAppend(t, theirs, write(ann, 0, "one", "two"))[0]
	if err := mine.Wait(t.Context(), last-1); err != nil {
		t.Fatal(err)
	}
	if got := mine.LastHeard(ann); got != last {
		t.Errorf("heard of %d, want %d", got, last)
	}
	if got := mine.LastHeard(customer("o", "bob")); got != 0 {
		t.Errorf("heard of %d, and nothing was written", got)
	}
}

// The events of one command stand together, and what comes after them is not given.
func TestReadCommand(t *testing.T) {
	t.Parallel()
	l := open(t, eventlog.Config{Dir: t.TempDir()})
	ann := customer("o", "ann")
	last := mustAppend(t, l, write(ann, 0, "before"))[0]
	w := write(ann, last, "1", "2", "3")
	for i := range w.Drafts {
		w.Drafts[i].Command = "the command"
	}
	last = mustAppend(t, l, w)[0]
	first := last - 2
	for range 3 {
		var more []string
		for range 40 {
			more = append(more, "after")
		}
		last = mustAppend(t, l, write(ann, last, more...))[0]
	}
	got, err := l.ReadCommand(t.Context(), ann, first, "the command")
	if err != nil {
		t.Fatal(err)
	}
	wantNames(t, got, "1", "2", "3")
	// A command of more events than are read at a time.
	w = write(ann, last)
	for range 100 {
		w.Drafts = append(w.Drafts, events.Draft{Metadata: events.Metadata{ID: events.NewID(), Command: "long"}, Event: events.CustomerRenamed{Name: "x"}})
	}
	last = mustAppend(t, l, w)[0]
	if got, err = l.ReadCommand(t.Context(), ann, last-99, "long"); err != nil || len(got) != 100 {
		t.Errorf("got %d events, %v", len(got), err)
	}
}

// Every event tells where those before it in its aggregate stand, alone, in company, and across appends, and a history is
// read with that as well as without.
func TestTrailIsTold(t *testing.T) {
	t.Parallel()
	l := open(t, eventlog.Config{Dir: t.TempDir()})
	ann, bob := customer("o", "ann"), customer("o", "bob")
	var names []string
	var trail events.Trail
	put := func(drafts int) {
		w := write(ann, trail[0])
		for range drafts {
			names = append(names, strconv.Itoa(len(names)))
			w.Drafts = append(w.Drafts, write(ann, 0, names[len(names)-1]).Drafts...)
		}
		w.Before = trail
		last := mustAppend(t, l, w)[0]
		for i := range drafts {
			trail = trail.Push(last - uint64(drafts-1-i))
		}
	}
	for n := range 40 {
		put(1 + n%7)
	}
	mustAppend(t, l, write(bob, 0, "1"))
	all := mustRead(t, l, ann, 0)
	wantNames(t, all, names...)
	var want events.Trail
	for _, e := range all {
		if e.Before != want {
			t.Errorf("the one at %d says %v, want %v", e.Sequence, e.Before, want)
		}
		want = want.Push(e.Sequence)
	}
	for _, after := range []int{0, 1, len(all) - 90, len(all) - 30, len(all) - 5, len(all) - 2, len(all) - 1} {
		wantNames(t, mustRead(t, l, ann, all[after].Sequence), names[after+1:]...)
	}
}

// What was purged ends a history; a trail into it leads nowhere.
func TestTrailIntoWhatWasErased(t *testing.T) {
	t.Parallel()
	l := open(t, eventlog.Config{Dir: t.TempDir()})
	ann := customer("o", "ann")
	last := mustAppend(t, l, write(ann, 0, "1", "2", "3"))[0]
	if err := l.Purge(t.Context(), ann); err != nil {
		t.Fatal(err)
	}
	w := write(ann, 0, "4")
	w.Before = events.Trail{last, last - 1} // of a fold that does not know yet
	mustAppend(t, l, w)
	wantNames(t, mustRead(t, l, ann, 0), "4")
}

// A few events of some kinds among many of others are found aggregate by aggregate, many by a walk: the same ones, in order.
func TestHistoryOfKinds(t *testing.T) {
	t.Parallel()
	l := open(t, eventlog.Config{Dir: t.TempDir()})
	var want []uint64
	last := map[string]uint64{}
	for n := range 60 {
		for _, org := range []string{"a", "b"} {
			id := "c" + strconv.Itoa(n%7)
			last[org+id] = mustAppend(t, l, write(customer(org, id), last[org+id], strconv.Itoa(n)))[0]
			want = append(want, last[org+id])
		}
		other := events.Aggregate{Org: "a", Kind: events.KindQueue, ID: "q" + strconv.Itoa(n)}
		if _, err := l.Append(t.Context(), eventlog.Write{Aggregate: other, Drafts: []events.Draft{{Metadata: events.Metadata{ID: "1", Revision: 1}, Event: events.QueueCreated{Name: "q"}}}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, after := range []int{-1, 0, 50, len(want) - 1} {
		from := uint64(0)
		if after >= 0 {
			from = want[after]
		}
		if after == len(want)-1 {
			continue
		}
		got, err := tailed(t.Context(), l, eventlog.Filter{Kinds: []events.Kind{events.KindCustomer}}, from, want[len(want)-1], nil)
		if err != nil || !slices.Equal(got, want[after+1:]) {
			t.Errorf("after %d: %v, %v, want %v", from, got, err, want[after+1:])
		}
	}
}

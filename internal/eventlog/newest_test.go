package eventlog_test

import (
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
)

// A process hears live what another one wrote, and so knows that what it has folded is old.
func TestLastHeard(t *testing.T) {
	t.Parallel()
	url := single(t).ClientURL()
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

// Every event tells where the one before it in its aggregate stands, alone, in company, and across appends.
func TestPreviousIsTold(t *testing.T) {
	t.Parallel()
	l := open(t, eventlog.Config{Dir: t.TempDir()})
	ann, bob := customer("o", "ann"), customer("o", "bob")
	last := mustAppend(t, l, write(ann, 0, "1"))[0]
	last = mustAppend(t, l, write(bob, 0, "1", "2"), write(ann, last, "2", "3"))[1]
	mustAppend(t, l, write(ann, last, "4"))
	for _, a := range []events.Aggregate{ann, bob} {
		var before uint64
		for _, e := range mustRead(t, l, a, 0) {
			if e.Previous != before {
				t.Errorf("%s at %d says that the one before is at %d, it is at %d", a.ID, e.Sequence, e.Previous, before)
			}
			before = e.Sequence
		}
	}
}

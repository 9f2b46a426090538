package eventlog_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

const requestPatience = 10 * time.Second

// Somebody with access to the server writes what is no event into the stream. It stops nobody: not who follows, not who
// reads on, and not the next start.
func TestForeignMessages(t *testing.T) {
	t.Parallel()
	url := testkit.NATS(t).ClientURL()
	l := open(t, eventlog.Config{URL: url})
	ann := customer("o", "ann")
	first := mustAppend(t, l, write(ann, 0, "one"))[0]
	for _, subject := range []string{"ev.x.o.customer.ann", "ev.0.o.customer." + strings.Repeat("a", 65), "ev.0.ö.customer.a"} {
		if _, err := l.Conn().Request(subject, []byte("hello"), requestPatience); err != nil {
			t.Fatalf("%s: %v", subject, err)
		}
	}
	last := mustAppend(t, l, write(ann, first, "two"))[0]
	if last != first+4 {
		t.Fatalf("the append is at %d", last)
	}
	again := open(t, eventlog.Config{URL: url})
	for _, reader := range []*eventlog.Log{l, again} {
		if err := reader.Wait(t.Context(), last-1); err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for from := uint64(1); from <= last; {
			b, err := reader.Block(t.Context(), from)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range b.Events {
				kinds = append(kinds, string(e.Kind))
				if _, unknown := e.Event.(events.Unknown); unknown != (e.Sequence != first && e.Sequence != last) {
					t.Errorf("%d decodes to %T", e.Sequence, e.Event)
				}
			}
			from = b.Next
		}
		if want := []string{"customer", "", "", "", "customer"}; !slices.Equal(kinds, want) {
			t.Errorf("kinds %q, want %q", kinds, want)
		}
		wantNames(t, mustRead(t, reader, ann, 0), "one", "two")
		got, err := tailed(t.Context(), reader, eventlog.Filter{Org: "o"}, 0, 2, nil)
		if err != nil || !slices.Equal(got, []uint64{first, last}) {
			t.Errorf("a reader of the org saw %v, %v", got, err)
		}
	}
}

// Who follows a log that was replaced is told.
func TestFollowersOfAReplacedLog(t *testing.T) {
	t.Parallel()
	r, l := throughRelay(t)
	mustAppend(t, l, write(customer("o", "ann"), 0, "one"))
	if err := l.Err(); err != nil {
		t.Fatal(err)
	}
	caughtUp, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- l.Tail(t.Context(), eventlog.Filter{}, 0, func() { close(caughtUp) }, func(events.Recorded) error { return nil })
	}()
	<-caughtUp
	other := open(t, eventlog.Config{URL: "nats://" + r.upstream})
	replaceStream(t, other)
	open(t, eventlog.Config{URL: "nats://" + r.upstream})
	r.cut()
	if err := <-ended; fault.CodeOf(err) != "log_replaced" {
		t.Errorf("the follower got %v", err)
	}
	if err := l.Err(); fault.CodeOf(err) != "log_replaced" {
		t.Errorf("the log says %v", err)
	}
	if err := l.Wait(t.Context(), 100); fault.CodeOf(err) != "log_replaced" {
		t.Errorf("who waits got %v", err)
	}
}

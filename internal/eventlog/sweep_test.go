package eventlog_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// away is a log in which something happened to many aggregates by turns, while those who follow them were away.
type away struct {
	*eventlog.Log
	before uint64     // all have seen up to here
	missed [][]uint64 // by aggregate
	last   []uint64   // of each
}

func whileAway(t *testing.T, aggregates, rounds int) *away {
	t.Helper()
	l := &away{Log: testkit.Log(t), missed: make([][]uint64, aggregates), last: make([]uint64, aggregates)}
	for round := range rounds + 1 {
		writes := make([]eventlog.Write, aggregates)
		for i := range writes {
			writes[i] = write(customer("o", strconv.Itoa(i)), l.last[i], strconv.Itoa(round))
		}
		copy(l.last, mustAppend(t, l, writes...))
		for i, sequence := range l.last {
			if round == 0 {
				l.before = max(l.before, sequence)
			} else {
				l.missed[i] = append(l.missed[i], sequence)
			}
		}
	}
	if err := l.Wait(t.Context(), slices.Max(l.last)-1); err != nil {
		t.Fatal(err)
	}
	return l
}

// comeBack follows an aggregate until its last event, and says what was wrong with it.
func (l *away) comeBack(ctx context.Context, i int, each func()) error {
	f := eventlog.Filter{Org: "o", Kinds: []events.Kind{events.KindCustomer}, ID: strconv.Itoa(i)}
	got, err := tailed(ctx, l, f, l.before, l.last[i], each)
	if err == nil && !slices.Equal(got, l.missed[i]) {
		err = errors.New(f.ID + " has seen other events than there are, or in another order")
	}
	return err
}

// TestManyWhoComeBackShareOneWalk: each gets their own events, once and in order, whoever else is there. One who takes
// nothing holds up nobody, and gets theirs when they do.
func TestManyWhoComeBackShareOneWalk(t *testing.T) {
	t.Parallel()
	const readers, slow = 40, 7
	l := whileAway(t, readers, 200)
	release := eventlog.HoldTrails(l.Log)
	goOn, stuck, done := make(chan struct{}), make(chan struct{}), make(chan error, readers)
	for i := range readers {
		each := func() {}
		if i == slow {
			each = func() {
				select {
				case <-stuck:
				default:
					close(stuck)
				}
				<-goOn
			}
		}
		go func() { done <- l.comeBack(t.Context(), i, each) }()
	}
	testkit.Until(t, "many share a walk", func() bool { return eventlog.Swept(l.Log) > 0 })
	release() // for those who came too late for it, and for the slow one
	<-stuck
	for range readers - 1 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestAFewGoAlone: nobody waits for others who do not come.
func TestAFewGoAlone(t *testing.T) {
	t.Parallel()
	const readers = 5
	l := whileAway(t, readers, 50)
	for i := range readers {
		if err := l.comeBack(t.Context(), i, nil); err != nil {
			t.Error(err)
		}
	}
	if n := eventlog.Swept(l.Log); n != 0 {
		t.Errorf("%d shared a walk", n)
	}
}

// TestWhoWaitsIsLetGo: when they leave, or when the log is closed.
func TestWhoWaitsIsLetGo(t *testing.T) {
	t.Parallel()
	l := whileAway(t, 2, 10)
	release := eventlog.HoldTrails(l.Log)
	defer release()
	ctx, leave := context.WithCancel(t.Context())
	left, closed := make(chan error, 1), make(chan error, 1)
	go func() { left <- l.comeBack(ctx, 0, nil) }()
	go func() { closed <- l.comeBack(t.Context(), 1, nil) }()
	testkit.Until(t, "both wait", func() bool { return eventlog.Waiting(l.Log) == 2 })
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	testkit.Until(t, "one waits", func() bool { return eventlog.Waiting(l.Log) == 1 })
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-closed; !errors.Is(err, eventlog.ErrUnavailable) {
		t.Error(err)
	}
	if err := l.comeBack(t.Context(), 1, nil); err == nil {
		t.Error("a closed log was read")
	}
}

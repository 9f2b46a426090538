package projections

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-desk/tidemark/events"
)

func memoryRunner(l *memoryLog, s Sink, limits Limits) *Runner {
	return memoryPaced(l, s, nil, limits)
}

func TestAFloodDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, s := newMemoryLog(1), newMemorySink()
		for range 5000 {
			l.append(conversation("flood", "a"), tagged)
		}
		quiet := l.append(conversation("quiet", "b"), tagged)
		for range 5000 {
			l.append(conversation("flood", "a"), tagged)
		}
		commits, reached := 0, 0
		s.onCommit = func(c Commit) {
			commits++
			if reached == 0 && slices.ContainsFunc(c.Events, func(r events.Recorded) bool { return r.Sequence == quiet }) {
				reached = commits
			}
		}
		stop := start(t, memoryRunner(l, s, Limits{Batch: 64, LiveAfter: NoLive, Bytes: 16 << 20}))
		synctest.Wait()
		stop()
		// It enters the window after 20 blocks of 256, one a commit, and then it is its turn.
		if reached == 0 || reached > 22 || commits < 150 {
			t.Fatalf("applied in commit %d of %d", reached, commits)
		}
		_, rows, _ := s.view(0)
		if want := fold(l, 0, events.KindConversation); !reflect.DeepEqual(rows, want) {
			t.Fatal("rows differ from the log")
		}
	})
}

func TestLiveShowsBeforeTheBacklogIsDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, s := newMemoryLog(1), newMemorySink()
		for i := range 100_000 {
			l.append(conversation("o", fmt.Sprintf("c%d", i%500)), tagged)
		}
		var live uint64
		at := -1 // how much had been applied before the live event
		applied := 0
		s.onCommit = func(c Commit) {
			if live == 0 && applied > 1000 {
				live = l.append(conversation("o", "c7"), tagged)
			}
			for _, r := range c.Events {
				if r.Sequence == live && live != 0 {
					at = applied
				}
			}
			applied += len(c.Events)
		}
		stop := start(t, memoryRunner(l, s, Limits{Batch: 256}))
		time.Sleep(2 * beat) //nolint:forbidigo // in a bubble this moves the clock, and takes no time
		stop()
		if at < 0 || at > 4000 {
			t.Fatalf("the live event was applied after %d others", at)
		}
		state, rows, _ := s.view(0)
		if want := fold(l, 0, events.KindConversation); !reflect.DeepEqual(rows, want) {
			t.Fatal("rows differ from the log")
		}
		if len(state.Ahead) != 0 || state.Progress != (Progress{Checkpoint: l.Head()}) {
			t.Fatalf("the lanes did not close up: %+v", state.Progress)
		}
	})
}

func TestTwoRunnersNeverBothWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, s := newMemoryLog(1), newMemorySink()
		one, two := memoryRunner(l, s, Limits{}), memoryRunner(l, s, Limits{})
		start(t, one)
		synctest.Wait()
		start(t, two)
		for i := range 200 {
			l.append(conversation("o", fmt.Sprintf("c%d", i%5)), tagged)
			if i%20 == 7 {
				s.steal(0)                  // the owner is not told
				time.Sleep(3 * time.Second) //nolint:forbidigo // in a bubble this moves the clock, and takes no time
			}
		}
		time.Sleep(time.Minute) //nolint:forbidigo // as above
		_, rows, _ := s.view(0)
		if want := fold(l, 0, events.KindConversation); !reflect.DeepEqual(rows, want) {
			t.Fatalf("rows %v, the log has %v", rows, want)
		}
		if s.part(0).epoch < 5 {
			t.Fatalf("it was taken over %d times only", s.part(0).epoch)
		}
	})
}

func TestTooManyParkedKeysStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, s := newMemoryLog(1), newMemorySink()
		for i := range 3 {
			s.poison[l.append(conversation("o", fmt.Sprintf("bad%d", i)), tagged)] = true
		}
		r := memoryRunner(l, s, Limits{Parked: 3})
		start(t, r)
		time.Sleep(5 * time.Second) //nolint:forbidigo // in a bubble this moves the clock, and takes no time
		l.append(conversation("o", "good"), tagged)
		time.Sleep(5 * time.Second) //nolint:forbidigo // as above
		if st := r.Status()[0]; st.Phase != PhaseStopped || st.Healthy || st.Parked != 3 || !strings.Contains(st.Reason, "parked") {
			t.Fatalf("status %+v", st)
		}
		if _, rows, _ := s.view(0); len(rows) != 0 {
			t.Fatalf("it went on: %v", rows)
		}
		s.ask(0, "o.conversation.bad1", AskDrop)
		time.Sleep(5 * time.Second) //nolint:forbidigo // as above
		if st := r.Status()[0]; st.Phase != PhaseRunning || !st.Healthy || st.Parked != 2 {
			t.Fatalf("status %+v", st)
		}
		if _, rows, _ := s.view(0); len(rows["o.conversation.good"]) != 1 {
			t.Fatalf("it did not go on: %v", rows)
		}
	})
}

// When everything fails, a batch of it parks no more keys than the limit says.
func TestTheLimitOfParkedKeysHoldsWithinABatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, s := newMemoryLog(1), newMemorySink()
		for i := range 60 {
			s.poison[l.append(conversation("o", fmt.Sprintf("bad%02d", i)), tagged)] = true
		}
		good := l.append(conversation("o", "good"), tagged)
		r := memoryRunner(l, s, Limits{Parked: 3})
		start(t, r)
		time.Sleep(time.Minute) //nolint:forbidigo // in a bubble this moves the clock, and takes no time
		state, rows, _ := s.view(0)
		if st := r.Status()[0]; st.Phase != PhaseStopped || len(state.Parked) != 3 || len(rows) != 0 {
			t.Fatalf("status %+v, parked %d, rows %v", st, len(state.Parked), rows)
		}
		clear(s.poison)
		for key := range state.Parked {
			s.ask(0, key, AskRetry)
		}
		time.Sleep(time.Minute) //nolint:forbidigo // as above
		state, rows, _ = s.view(0)
		if want := fold(l, 0, events.KindConversation); !reflect.DeepEqual(rows, want) || len(state.Parked) != 0 || state.Progress.Checkpoint != good {
			t.Fatalf("%d rows of %d, parked %d, %+v", len(rows), len(want), len(state.Parked), state.Progress)
		}
	})
}

func TestAStalledPartitionIsUnhealthy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, s := newMemoryLog(1), newMemorySink()
		blocked := make(chan struct{})
		unblock := sync.OnceFunc(func() { close(blocked) })
		s.onCommit = func(c Commit) {
			if len(c.Events) > 0 {
				<-blocked
			}
		}
		r := memoryRunner(l, s, Limits{})
		registry := prometheus.NewRegistry()
		r.cfg.Registerer = registry
		start(t, r)
		t.Cleanup(unblock)
		time.Sleep(time.Hour) //nolint:forbidigo // in a bubble this moves the clock, and takes no time
		l.append(conversation("o", "a"), tagged)
		time.Sleep(28 * time.Second) //nolint:forbidigo // as above
		if ok, reason := Healthy(r.Status()); !ok {
			t.Fatalf("too early: %s", reason)
		}
		time.Sleep(3 * time.Second) //nolint:forbidigo // as above
		if ok, reason := Healthy(r.Status()); ok || !strings.Contains(reason, "stalled") {
			t.Fatalf("nobody noticed: %q %+v", reason, r.Status())
		}
		if families, err := registry.Gather(); err != nil || len(families) != 7 {
			t.Fatalf("metrics: %d families, %v", len(families), err)
		}
		unblock()
		synctest.Wait()
		time.Sleep(2 * time.Second) //nolint:forbidigo // as above
		if ok, reason := Healthy(r.Status()); !ok {
			t.Fatalf("it goes on, and yet: %s", reason)
		}
	})
}

func TestAStoreThatIsAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, s := newMemoryLog(1), newMemorySink()
		for range 200 {
			s.failNext = append(s.failNext, fmt.Errorf("%w: connection refused", ErrTransient))
		}
		r := memoryRunner(l, s, Limits{})
		start(t, r)
		l.append(conversation("o", "a"), tagged, tagged)
		time.Sleep(20 * time.Second) //nolint:forbidigo // in a bubble this moves the clock, and takes no time
		if st := r.Status()[0]; st.Phase != PhaseFailing || !strings.Contains(st.Reason, "connection refused") {
			t.Fatalf("status %+v", st)
		}
		time.Sleep(time.Hour) //nolint:forbidigo // as above
		state, rows, _ := s.view(0)
		if len(rows["o.conversation.a"]) != 2 || len(state.Parked) != 0 {
			t.Fatalf("rows %v, parked %v", rows, state.Parked)
		}
	})
}

func TestTablesAheadOfTheLogAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, s := newMemoryLog(1), newMemorySink()
		l.append(conversation("o", "a"), tagged)
		s.part(0).state.Progress.Checkpoint = 99
		r := memoryRunner(l, s, Limits{})
		start(t, r)
		time.Sleep(headPatience + time.Second) //nolint:forbidigo // in a bubble this moves the clock, and takes no time
		if st := r.Status()[0]; st.Phase != PhaseFailing || !strings.Contains(st.Reason, "restore the newer log, or rebuild") {
			t.Fatalf("status %+v", st)
		}
	})
}

func TestHoldStopsExactlyThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, s := newMemoryLog(1), newMemorySink()
		r := memoryRunner(l, s, Limits{LiveAfter: NoLive})
		r.Hold(0, 5)
		for range 9 {
			l.append(conversation("o", "a"), tagged)
		}
		start(t, r)
		time.Sleep(time.Second) //nolint:forbidigo // in a bubble this moves the clock, and takes no time
		if at, ok := r.restsAt(0, 5); !ok || at != 5 {
			t.Fatalf("rests at %d, %v", at, ok)
		}
		if _, rows, _ := s.view(0); len(rows["o.conversation.a"]) != 5 {
			t.Fatalf("rows %v", rows)
		}
		r.Release()
		time.Sleep(time.Second) //nolint:forbidigo // as above
		if _, rows, _ := s.view(0); len(rows["o.conversation.a"]) != 9 {
			t.Fatalf("rows %v", rows)
		}
	})
}

func TestProgressTellsWhatIsApplied(t *testing.T) {
	t.Parallel()
	p := Progress{Checkpoint: 10, LiveFrom: 20, LiveThrough: 25}
	for seq, want := range map[uint64]bool{1: true, 10: true, 11: false, 19: false, 20: true, 25: true, 26: false} {
		if p.Applied(seq) != want {
			t.Errorf("Applied(%d) is %v", seq, !want)
		}
	}
	if (Progress{Checkpoint: 3}).Applied(4) {
		t.Error("no live lane, and yet")
	}
}

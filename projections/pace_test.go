package projections

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-desk/tidemark/events"
)

// order ends turns as they are granted, and tells whose they were.
func order(t *testing.T, p *Pace, turns map[string]*turn) []string {
	t.Helper()
	var out []string
	for len(turns) > 0 {
		name := ""
		for n, turn := range turns {
			if turn.mine() {
				if name != "" {
					t.Fatalf("%s and %s at once", n, name)
				}
				name = n
			}
		}
		if name == "" {
			t.Fatalf("nobody's turn, %d wait", len(turns))
		}
		out = append(out, name)
		p.end(turns[name])
		delete(turns, name)
	}
	return out
}

// Whoever is furthest behind is next.
func TestTurnsGoToTheFurthestBehind(t *testing.T) {
	t.Parallel()
	p := NewPace(1)
	first := p.ask(Tables, 50)
	turns := map[string]*turn{"at 9": p.ask(Tables, 9), "at 2": p.ask(Tables, 2), "at 7": p.ask(Tables, 7)}
	p.end(first)
	if got, want := order(t, p, turns), []string{"at 2", "at 7", "at 9"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Groups share the time by weight, whatever a turn costs them, and nobody saves time up.
func TestGroupsShareTheTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := NewPace(1)
		takes := map[Group]time.Duration{Tables: 20 * time.Millisecond, Index: 300 * time.Millisecond}
		share := func(span time.Duration, groups ...Group) map[Group]time.Duration {
			work := map[Group]time.Duration{}
			var waiting []*turn
			for _, g := range groups {
				waiting = append(waiting, p.ask(g, 0), p.ask(g, 0), p.ask(g, 0))
			}
			for began := time.Now(); time.Since(began) < span; {
				i := slices.IndexFunc(waiting, (*turn).mine)
				g := waiting[i].group
				time.Sleep(takes[g]) //nolint:forbidigo // in a bubble this moves the clock, and takes no time
				work[g] += takes[g]
				p.end(waiting[i])
				waiting[i] = p.ask(g, 0)
			}
			for _, turn := range waiting {
				p.end(turn)
			}
			return work
		}
		share(time.Minute, Index)
		work := share(time.Minute, Tables, Index)
		if ratio := work[Tables].Seconds() / work[Index].Seconds(); ratio < 2.5 || ratio > 3.5 {
			t.Errorf("tables had %s and the index %s", work[Tables], work[Index])
		}
	})
}

// While there is live work half of the time is its own.
func TestTheBacklogRestsBesideLiveWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := NewPace(2)
		p.live()
		a, b := p.ask(Tables, 1), p.ask(Index, 2)
		const took = 30 * time.Millisecond
		time.Sleep(took) //nolint:forbidigo // in a bubble this moves the clock, and takes no time
		p.end(a)
		time.Sleep(took - 1) //nolint:forbidigo // as above
		if b.mine() {
			t.Error("the next turn began before its time")
		}
		time.Sleep(time.Nanosecond) //nolint:forbidigo // as above
		synctest.Wait()
		if !b.mine() {
			t.Error("the next turn did not begin")
		}
	})
}

// Who no longer wants a turn is not waited for.
func TestATurnThatIsGivenUp(t *testing.T) {
	t.Parallel()
	p := NewPace(1)
	first, second, third := p.ask(Tables, 1), p.ask(Tables, 2), p.ask(Tables, 3)
	p.end(second)
	p.end(first)
	if second.mine() || !third.mine() {
		t.Errorf("second %v, third %v", second.mine(), third.mine())
	}
	p.end(third)
	if p.busy != 0 || len(p.waiting) != 0 {
		t.Errorf("%d busy, %d wait", p.busy, len(p.waiting))
	}
}

// There are as many turns at a time as processors, but one while there is live work, and then a short one.
func TestOneTurnAtATimeWhileThereIsLiveWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := NewPace(2)
		a, b, c := p.ask(Tables, 1), p.ask(Tables, 2), p.ask(Tables, 3)
		if !a.mine() || !b.mine() || c.mine() || p.target(Tables) != idleTarget {
			t.Fatal("want two turns of two processors, and long ones")
		}
		p.live()
		p.end(a)
		if c.mine() || p.target(Tables) != liveTarget {
			t.Fatal("there is a second turn beside live work, or a long one")
		}
		p.end(b)
		if !c.mine() {
			t.Fatal("there is no turn")
		}
		time.Sleep(liveSilence + 1) //nolint:forbidigo // in a bubble this moves the clock, and takes no time
		if d := p.ask(Tables, 4); !d.mine() {
			t.Fatal("one turn at a time without live work")
		}
	})
}

// Another projection has the only turn and does not end it: what happens now is applied all the same, and the backlog is
// when its turn comes.
func TestLiveWorkWaitsForNoTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, s, pace := newMemoryLog(1), newMemorySink(), NewPace(1)
		for i := range 10_000 {
			l.append(conversation("o", fmt.Sprint("c", i%50)), tagged)
		}
		other := pace.ask(Index, 0)
		stop := start(t, NewRunner(RunnerConfig{Name: "p", Kinds: []events.Kind{events.KindConversation}, Log: l, Sink: s, Pace: pace}))
		synctest.Wait()
		live := l.append(conversation("o", "new"), tagged)
		synctest.Wait()
		state, rows, _ := s.view(0)
		if !slices.Equal(rows[conversation("o", "new").String()], []uint64{live}) {
			t.Fatalf("the live event is not applied: %+v", state.Progress)
		}
		if state.Progress.Checkpoint != 0 || !state.Progress.Applied(live) {
			t.Fatalf("progress %+v", state.Progress)
		}
		pace.end(other)
		time.Sleep(beat) //nolint:forbidigo // in a bubble this moves the clock, and takes no time
		stop()
		if state, _, _ = s.view(0); state.Progress.Checkpoint != l.Head() {
			t.Fatalf("the backlog is not done: %+v", state.Progress)
		}
	})
}

// A tenant's flood outruns the live lane, again and again. Somebody else's events, which come in between, are still live
// work: they are not left to the backlog behind the flood.
func TestAFloodLeavesTheLiveLaneToOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, s, pace := newMemoryLog(1), newMemorySink(), NewPace(1)
		for range 2_000 {
			l.append(conversation("flood", "a"), tagged)
		}
		other := pace.ask(Index, 0) // so that only live work is done
		stop := start(t, memoryPaced(l, s, pace, Limits{Batch: 64, LiveAfter: 500}))
		synctest.Wait()
		var quiet []uint64
		reopened := uint64(0)
		for range 50 {
			for range 900 { // more than the live lane may be behind
				l.append(conversation("flood", "a"), tagged)
			}
			quiet = append(quiet, l.append(conversation("quiet", "b"), tagged))
			synctest.Wait()
			state, rows, _ := s.view(0)
			if got := rows[conversation("quiet", "b").String()]; !slices.Equal(got, quiet) {
				t.Fatalf("%d of %d quiet events are applied: %+v", len(got), len(quiet), state.Progress)
			}
			reopened = max(reopened, state.Progress.LiveFrom)
		}
		if reopened < 10_000 {
			t.Errorf("the live lane was never opened anew: %d", reopened)
		}
		pace.end(other)
		stop()
	})
}

func memoryPaced(l *memoryLog, s Sink, pace *Pace, limits Limits) *Runner {
	return NewRunner(RunnerConfig{Name: "p", Kinds: []events.Kind{events.KindConversation}, Log: l, Sink: s, Limits: limits, Pace: pace})
}

// What automations do about the past is in the live lane too, thousands of it. A person's message is applied before it,
// with whatever comes before it in its own conversation, and the machine's work when there is a turn.
func TestPeopleGoBeforeMachines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, s, pace := newMemoryLog(1), newMemorySink(), NewPace(1)
		for i := range 10_000 {
			l.append(conversation("o", fmt.Sprint("c", i%50)), tagged)
		}
		other := pace.ask(Index, 0) // there is no turn
		stop := start(t, memoryPaced(l, s, pace, Limits{}))
		synctest.Wait()
		l.depth = 1
		machine := l.append(conversation("o", "placed"), tagged)
		before := l.append(conversation("o", "ann"), tagged)
		l.depth = 0
		message := l.append(conversation("o", "ann"), tagged)
		synctest.Wait()
		_, rows, _ := s.view(0)
		if got := rows[conversation("o", "ann").String()]; !slices.Equal(got, []uint64{before, message}) {
			t.Errorf("ann's conversation has %v, want %d and %d", got, before, message)
		}
		if got := rows[conversation("o", "placed").String()]; len(got) > 0 {
			t.Errorf("the machine's work has taken no turn: %v", got)
		}
		if state, _, _ := s.view(0); state.Ahead[conversation("o", "ann").String()] != message {
			t.Errorf("nobody can see that ann's is ahead: %v", state.Ahead)
		}
		pace.end(other)
		time.Sleep(beat) //nolint:forbidigo // in a bubble this moves the clock, and takes no time
		stop()
		state, rows, _ := s.view(0)
		if got := rows[conversation("o", "placed").String()]; !slices.Equal(got, []uint64{machine}) || state.Progress.Checkpoint != l.Head() {
			t.Errorf("not all is done: %v, %+v", got, state.Progress)
		}
	})
}

// What automations do about a conversation that is still in the backlog waits for the backlog to come to it, and nothing
// is looked for in the log; what rests on nothing of the kind takes the next turn.
func TestMachinesWaitForWhatTheyRestOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, s, pace := newMemoryLog(1), newMemorySink(), NewPace(1)
		old, placed := conversation("o", "old"), conversation("o", "placed")
		want := []uint64{}
		for i := range 10_000 {
			l.append(conversation("o", fmt.Sprint("c", i%50)), tagged)
			if i%1000 == 999 {
				want = append(want, l.append(old, tagged))
			}
		}
		first := pace.ask(Tables, 0)
		stop := start(t, memoryPaced(l, s, pace, Limits{}))
		synctest.Wait()
		l.depth = 1
		want = append(want, l.append(old, tagged))
		machine := l.append(placed, tagged)
		synctest.Wait()
		pace.end(first)
		next := pace.ask(Tables, 0) // after one turn of the backlog
		synctest.Wait()
		if !next.mine() {
			t.Fatal("the backlog has not ended its turn")
		}
		state, rows, _ := s.view(0)
		if got := rows[placed.String()]; !slices.Equal(got, []uint64{machine}) {
			t.Errorf("what rests on nothing has %v, want %d", got, machine)
		}
		if got := rows[old.String()]; len(got) > 0 || state.Progress.Checkpoint >= want[0] {
			t.Errorf("after %+v what rests on the backlog has %v", state.Progress, got)
		}
		pace.end(next)
		time.Sleep(beat) //nolint:forbidigo // in a bubble this moves the clock, and takes no time
		stop()
		state, rows, _ = s.view(0)
		if got := rows[old.String()]; !slices.Equal(got, want) || state.Progress.Checkpoint != l.Head() {
			t.Errorf("not all is done, or not in order: %v, want %v; %+v", got, want, state.Progress)
		}
		if l.reads > 0 {
			t.Errorf("%d histories were read", l.reads)
		}
	})
}

// The live lane is full of what automations did about the past. What people do is still live work.
func TestWhatWaitsDoesNotFillTheLiveLane(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, s, pace := newMemoryLog(1), newMemorySink(), NewPace(1)
		old, ann := conversation("o", "old"), conversation("o", "ann")
		for range 10_000 {
			l.append(old, tagged)
		}
		other := pace.ask(Index, 0) // there is no turn
		stop := start(t, memoryPaced(l, s, pace, Limits{Window: 128}))
		synctest.Wait()
		l.depth = 1
		for range 500 {
			l.append(old, tagged)
		}
		l.depth = 0
		message := l.append(ann, tagged)
		time.Sleep(beat) //nolint:forbidigo // in a bubble this moves the clock, and takes no time
		if _, rows, _ := s.view(0); !slices.Equal(rows[ann.String()], []uint64{message}) {
			t.Errorf("ann's conversation has %v, want %d", rows[ann.String()], message)
		}
		pace.end(other)
		time.Sleep(beat) //nolint:forbidigo // in a bubble this moves the clock, and takes no time
		stop()
		if state, rows, _ := s.view(0); len(rows[old.String()]) != 10_500 || state.Progress.Checkpoint != l.Head() {
			t.Errorf("%d of 10500 are done, %+v", len(rows[old.String()]), state.Progress)
		}
	})
}

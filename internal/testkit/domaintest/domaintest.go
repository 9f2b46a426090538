// Package domaintest holds the two properties that every aggregate keeps, whatever happens to it: folding never
// panics, and deciding a command again after folding its events adds nothing.
//
// An aggregate's own tests say in a dozen lines what it is made of; commands and events are drawn from their types,
// so that a new field is drawn without anybody thinking of it. It is for tests alone.
package domaintest

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
)

// patience is after how many commands that decide nothing a life is taken to have ended.
const patience = 12

// Aggregate is one kind of aggregate as its package makes it.
type Aggregate[S, C any] struct {
	Kind     events.Kind
	Evolve   func(S, events.Event) S
	Decide   func(S, C) ([]events.Event, error)
	Given    []events.Event // what has usually happened before a command comes
	Commands []C            // one of each type; what is in them does not matter
	Fields   Fields
	Holds    func(S) bool // of every state that decisions lead to; may be nil
}

// Check draws histories and commands and looks whether the aggregate keeps both properties. It runs in the directory
// of the aggregate's package, as tests do.
func Check[S, C any](t *testing.T, a Aggregate[S, C]) {
	t.Helper()
	everyCommand(t, a.Commands)
	t.Run("FoldingNeverPanics", func(t *testing.T) {
		t.Parallel()
		a.folding(t)
	})
	t.Run("DecidingAgainAddsNothing", func(t *testing.T) {
		t.Parallel()
		a.deciding(t)
	})
}

// folding: in whatever order events come, each gives a state and leaves the older states, which others may hold, as
// they were. Two may go on from one state, each with an event of its own.
func (a Aggregate[S, C]) folding(t *testing.T) {
	t.Helper()
	var own []reflect.Type
	for _, info := range events.Types() {
		if info.Current && info.Kind == a.Kind {
			own = append(own, reflect.TypeOf(info.Sample))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		var h history
		var s S
		var held []moment[S]
		for range rapid.IntRange(10, 40).Draw(t, "events") {
			var e events.Event
			if rapid.IntRange(0, 9).Draw(t, "whose") == 0 {
				e = rapid.SampledFrom(foreign).Draw(t, "foreign")
			} else {
				e, _ = a.Fields.anyOf(t, own).(events.Event)
				aside, _ := a.Fields.anyOf(t, []reflect.Type{reflect.TypeOf(e)}).(events.Event)
				held = append(held, moment[S]{a.Evolve(s, aside), append(slices.Clone(h.all), aside)})
			}
			h.add(e)
			s = a.Evolve(s, e)
			held = append(held, moment[S]{s, slices.Clone(h.all)})
		}
		h.unchanged(t)
		for _, m := range held {
			a.unchanged(t, m)
		}
	})
}

// foreign are events that no aggregate knows: of a newer version, and of something else.
var foreign = []events.Event{events.Unknown{Type: "nobody.spoke.v9", Reason: "not known"}, nobodys{}}

type nobodys struct{}

func (nobodys) EventType() string { return "nobody.spoke.v1" }

// deciding: a command is refused with a fault and no events, or what it decides makes the same command nothing new. A
// refusal is an answer to the second one too: the world may have moved on with the first. Neither changes the state.
func (a Aggregate[S, C]) deciding(t *testing.T) {
	t.Helper()
	types := make([]reflect.Type, len(a.Commands))
	for i, c := range a.Commands {
		types[i] = reflect.TypeOf(c)
	}
	decided := map[reflect.Type]int{}
	rapid.Check(t, func(t *rapid.T) {
		h, s := a.begin(nil)
		idle := 0
		for range rapid.IntRange(150, 200).Draw(t, "commands") {
			if idle == patience { // a life that has ended refuses everything: begin another
				h, s = a.begin(rapid.SampledFrom([][]events.Event{a.Given, a.Given, a.Given, nil}).Draw(t, "given"))
				idle = 0
			}
			drawn := a.Fields.anyOf(t, types)
			c, _ := drawn.(C)
			news := a.decide(t, s, c, h)
			if idle++; len(news) == 0 {
				continue
			}
			idle = 0
			decided[reflect.TypeOf(drawn)]++
			h.add(news...)
			for _, e := range news {
				s = a.Evolve(s, e)
			}
			if again := a.decide(t, s, c, h); len(again) > 0 {
				t.Fatalf("%#v decided again: %#v", c, again)
			}
			if a.Holds != nil && !a.Holds(s) {
				t.Fatalf("after %#v: %+v", c, s)
			}
		}
	})
	if testing.Short() {
		return // there are fewer draws: a rare decision may be missing
	}
	for _, c := range types {
		if decided[c] == 0 {
			t.Errorf("no %s ever decided anything: its fields need better values", c)
		}
	}
}

// decide also looks whether the answer is a proper one.
func (a Aggregate[S, C]) decide(t *rapid.T, s S, c C, h *history) []events.Event {
	before := fmt.Sprintf("%#v", c)
	news, err := a.Decide(s, c)
	if after := fmt.Sprintf("%#v", c); after != before {
		t.Fatalf("a decision changed its command\nfrom %s\nto   %s", before, after)
	}
	if err != nil && (len(news) > 0 || fault.KindOf(err) == fault.Internal) {
		t.Fatalf("%#v: %v and %d events", c, err, len(news))
	}
	h.unchanged(t)
	a.unchanged(t, moment[S]{s, h.all})
	return news
}

func (a Aggregate[S, C]) begin(given []events.Event) (*history, S) {
	h := &history{}
	h.add(given...)
	return h, a.fold(given)
}

// moment is a state and what had happened by then.
type moment[S any] struct {
	state S
	after []events.Event
}

func (a Aggregate[S, C]) fold(all []events.Event) (s S) {
	for _, e := range all {
		s = a.Evolve(s, e)
	}
	return s
}

// unchanged compares a state with a new one of the same history: whoever wrote into its maps or slices shows.
func (a Aggregate[S, C]) unchanged(t *rapid.T, m moment[S]) {
	if want := a.fold(m.after); !reflect.DeepEqual(m.state, want) {
		t.Fatalf("a state after %d events was changed\nfrom %+v\nto   %+v", len(m.after), want, m.state)
	}
}

// history is what happened.
type history struct {
	all  []events.Event
	text []string // of each, as it was when it happened
}

func (h *history) add(all ...events.Event) {
	for _, e := range all {
		h.all, h.text = append(h.all, e), append(h.text, fmt.Sprintf("%#v", e))
	}
}

// unchanged looks whether the events are as they were: a state may share maps and slices with them.
func (h *history) unchanged(t *rapid.T) {
	for i, e := range h.all {
		if now := fmt.Sprintf("%#v", e); now != h.text[i] {
			t.Fatalf("an event that had happened was changed\nfrom %s\nto   %s", h.text[i], now)
		}
	}
}

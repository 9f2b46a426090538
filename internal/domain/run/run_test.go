package run_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/run"
)

type row struct {
	name  string
	given []events.Event
	when  run.Command
	then  []events.Event // none: nothing new
	err   error
}

func is(all ...events.Event) []events.Event { return all }

func fold(all []events.Event) (s run.State) {
	for _, e := range all {
		s = run.Evolve(s, e)
	}
	return s
}

// Each command is also decided again after its events: that adds nothing.
func TestRun(t *testing.T) {
	t.Parallel()
	done := func(step int) events.RunStepDone {
		return events.RunStepDone{Step: step, ConversationID: "c", Reason: "nothing_new"}
	}
	refused := events.RunStepRefused{Step: 1, ConversationID: "c", Reason: "conversation_merged"}
	finish := func(step int) run.FinishStep {
		return run.FinishStep{Step: step, ConversationID: "c", Reason: "nothing_new"}
	}
	refuse := run.RefuseStep{Step: 1, ConversationID: "c", Reason: "conversation_merged"}
	for _, r := range []row{
		{"nothing to do", nil, finish(0), is(done(0)), nil},
		{"nothing to do in another step", is(done(0)), finish(2), is(done(2)), nil},
		{"known already", is(done(0)), finish(0), nil, nil},
		{"refused", is(done(0)), refuse, is(refused), nil},
		{"refused again", is(refused), refuse, nil, nil},
		{"after the run has ended", is(refused), finish(2), nil, nil},
		{"refused what had nothing to do", is(done(1)), refuse, nil, nil},
		{"without a reason", nil, run.FinishStep{ConversationID: "c"}, is(events.RunStepDone{ConversationID: "c", Reason: "unspecified"}), nil},
		{"the last step", nil, finish(run.MaxSteps - 1), is(done(run.MaxSteps - 1)), nil},
		{"no such step", nil, finish(run.MaxSteps), nil, refusal.ErrStepInvalid},
		{"a step before the first", nil, run.RefuseStep{Step: -1, ConversationID: "c"}, nil, refusal.ErrStepInvalid},
		{"in no conversation", nil, run.FinishStep{Step: 1}, nil, refusal.ErrIDInvalid},
	} {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			s := fold(r.given)
			got, err := run.Decide(s, r.when)
			if !errors.Is(err, r.err) || (err == nil) != (r.err == nil) {
				t.Fatalf("got %v, want %v", err, r.err)
			}
			if !reflect.DeepEqual(got, r.then) {
				t.Errorf("got  %#v\nwant %#v", got, r.then)
			}
			for _, e := range got {
				s = run.Evolve(s, e)
			}
			if again, err := run.Decide(s, r.when); len(got) > 0 && (len(again) > 0 || err != nil) {
				t.Errorf("again: %#v, %v", again, err)
			}
		})
	}
}

func TestWhichStepsAreOver(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		given []events.Event
		over  []bool // by step
	}{
		{"none", nil, []bool{false, false, false}},
		{"one had nothing to do", is(events.RunStepDone{Step: 1}), []bool{false, true, false}},
		{"one was refused: the run has ended", is(events.RunStepRefused{Step: 1}), []bool{true, true, true}},
	} {
		for step, want := range c.over {
			if got := fold(c.given).Over(step); got != want {
				t.Errorf("%s: step %d is over: %v", c.name, step, got)
			}
		}
	}
}

// Folding never panics, whatever comes first and whoever's event it is.
func TestFoldsAnything(t *testing.T) {
	t.Parallel()
	var s run.State
	for range 2 {
		for _, info := range events.Types() {
			if info.Sample != nil {
				s = run.Evolve(s, info.Sample)
			}
		}
		for _, step := range []int{-1, run.MaxSteps, 1 << 40} {
			s = run.Evolve(s, events.RunStepDone{Step: step})
		}
		s = run.Evolve(s, events.Unknown{Type: "run.jumped.v1"})
	}
}

func TestUnhandledCommandPanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	_, _ = run.Decide(run.State{}, nil)
}

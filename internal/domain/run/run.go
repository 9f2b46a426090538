// Package run decides what is remembered of an automation's run: what came of the steps that left no event of their own.
//
// A step that changes its conversation is on record there. One that was refused, or that found nothing to do, would
// leave no trace, and be decided anew whenever it is taken again: after a crash, or when the reactor's tables are built
// anew, days later and in a conversation that has moved on. So it is on record here, once.
package run

import (
	"fmt"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
)

// MaxSteps bounds the steps of a run; a rule has fewer.
const MaxSteps = 64

// State is what deciding asks.
type State struct {
	Refused bool   // a step was: the run has ended
	steps   uint64 // those on record, one bit each
}

// Over tells whether a step is not to be taken: it is on record already, or the run has ended.
func (s State) Over(step int) bool {
	return s.Refused || valid(step) && s.steps&(1<<step) != 0
}

// Command is one of the commands below.
type Command interface{ runCommand() }

// FinishStep records that a step had nothing to do.
type FinishStep struct {
	Step                   int
	ConversationID, Reason string
}

// RefuseStep records that a step was refused, and ends the run.
type RefuseStep struct {
	Step                   int
	ConversationID, Reason string
}

func (FinishStep) runCommand() {}
func (RefuseStep) runCommand() {}

// Evolve is the state after an event.
func Evolve(s State, e events.Event) State {
	switch e := e.(type) {
	case events.RunStepDone:
		s = s.with(e.Step)
	case events.RunStepRefused:
		s = s.with(e.Step)
		s.Refused = true
	}
	return s
}

func (s State) with(step int) State {
	if valid(step) {
		s.steps |= 1 << step
	}
	return s
}

func valid(step int) bool { return step >= 0 && step < MaxSteps }

// Decide tells what a command makes happen; nothing new is no event.
func Decide(s State, c Command) ([]events.Event, error) {
	switch c := c.(type) {
	case FinishStep:
		reason, err := check(c.Step, c.ConversationID, c.Reason)
		if err != nil || s.Over(c.Step) {
			return nil, err
		}
		return []events.Event{events.RunStepDone{Step: c.Step, ConversationID: c.ConversationID, Reason: reason}}, nil
	case RefuseStep:
		reason, err := check(c.Step, c.ConversationID, c.Reason)
		if err != nil || s.Over(c.Step) {
			return nil, err
		}
		return []events.Event{events.RunStepRefused{Step: c.Step, ConversationID: c.ConversationID, Reason: reason}}, nil
	default:
		panic(fmt.Sprintf("run: no decision for %T", c))
	}
}

// check answers the reason in its one spelling.
func check(step int, conversationID, reason string) (string, error) {
	if !valid(step) {
		return "", refusal.ErrStepInvalid
	}
	if err := text.ID("conversation_id", conversationID); err != nil {
		return "", err
	}
	return text.Reason(reason)
}

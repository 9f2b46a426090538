package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	domainrun "github.com/tidemark-desk/tidemark/internal/domain/run"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections"
)

// reasonNothingNew is why a step is done that left no event in its conversation.
const reasonNothingNew = "nothing_new"

// performer turns steps into commands. All that it knows is in the log.
type performer struct {
	conversations *Conversations
	runs          *Runs
}

// perform takes a step, unless it is on record what came of it. A refused step ends its run.
func (p *performer) perform(ctx context.Context, i projections.Intent) error {
	var s step
	if err := json.Unmarshal(i.Payload, &s); err != nil {
		return fmt.Errorf("payload of %s: %w", i.ID, err)
	}
	run, _, err := p.runs.State(ctx, i.Org, s.RunID)
	if err != nil {
		return fmt.Errorf("read run %s: %w", s.RunID, err)
	}
	if run.Over(s.Number) {
		return nil
	}
	c := s.command(i)
	if c == nil {
		return p.refuse(ctx, i, s, errStepUnknown)
	}
	r, err := p.conversations.Handle(ctx, i.Org, s.ConversationID, s.meta(i), c)
	switch {
	case err != nil && refused(err):
		return p.refuse(ctx, i, s, err)
	case err != nil:
		return fmt.Errorf("command %s: %w", i.ID, err)
	case len(r.Events) == 0:
		return p.record(ctx, i, s, domainrun.FinishStep{Step: s.Number, ConversationID: s.ConversationID, Reason: reasonNothingNew})
	}
	return nil
}

var errStepUnknown = fault.New(fault.Invalid, "step_unknown", "this version does not know the step")

// meta is the same for the conversation and the run: one of the two has the event of the step.
func (s step) meta(i projections.Intent) command.Meta {
	return command.Meta{ID: i.ID, Actor: s.actor(), Depth: i.Depth, Cause: i.Cause}
}

func (s step) actor() events.Actor { return events.Actor{Type: events.ActorWorkflow, ID: s.RuleID} }

// command is what the step asks of the conversation. Everything in it derives from the intent, so that a step that
// is performed again is the same command.
func (s step) command(i projections.Intent) conversation.Command {
	switch {
	case s.Step.Tag != "":
		return conversation.Tag{Tag: s.Step.Tag, Reason: "rule"}
	case s.Step.Reply != "":
		return conversation.WriteMessage{
			MessageID: command.DeriveID(s.ConversationID, i.ID), Author: s.actor(), Text: s.Step.Reply,
		}
	default:
		return nil
	}
}

func (p *performer) refuse(ctx context.Context, i projections.Intent, s step, why error) error {
	return p.record(ctx, i, s, domainrun.RefuseStep{Step: s.Number, ConversationID: s.ConversationID, Reason: fault.CodeOf(why)})
}

// record puts on record what came of a step that left no event in its conversation.
func (p *performer) record(ctx context.Context, i projections.Intent, s step, c domainrun.Command) error {
	if _, err := p.runs.Handle(ctx, i.Org, s.RunID, s.meta(i), c); err != nil {
		return fmt.Errorf("record step %d of run %s: %w", s.Number, s.RunID, err)
	}
	return nil
}

// refused tells whether asking again would be answered the same. That others kept changing the conversation at the same
// time says nothing about the step.
func refused(err error) bool {
	if errors.Is(err, command.ErrConflict) {
		return false
	}
	switch fault.KindOf(err) {
	case fault.Conflict, fault.NotFound, fault.Invalid, fault.Forbidden:
		return true
	default:
		return false
	}
}

package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/services/workflow/db"
)

// performer turns steps into commands.
type performer struct {
	pool          *pgxpool.Pool
	conversations *Conversations
}

func (p *performer) perform(ctx context.Context, i projections.Intent) error {
	var s step
	if err := json.Unmarshal(i.Payload, &s); err != nil {
		return fmt.Errorf("payload of %s: %w", i.ID, err)
	}
	failed, err := p.failed(ctx, s.RunID)
	if err != nil || failed {
		return err
	}
	c := s.command(i)
	if c == nil {
		return p.record(ctx, s, fault.New(fault.Invalid, "step_unknown", "this version does not know the step"))
	}
	_, err = p.conversations.Handle(ctx, i.Org, s.ConversationID, command.Meta{
		ID: i.ID, Actor: s.actor(), Depth: i.Depth, Cause: i.Cause,
	}, c)
	if err != nil && !refused(err) {
		return fmt.Errorf("command %s: %w", i.ID, err)
	}
	return p.record(ctx, s, err)
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

// record writes down what came of a step that may have left no event. A refused step ends its run.
func (p *performer) record(ctx context.Context, s step, refusal error) error {
	err := p.in(ctx, func(q *db.Queries) error {
		if refusal != nil {
			return q.FailRun(ctx, db.FailRunParams{RunID: s.RunID, Reason: fault.CodeOf(refusal)})
		}
		return q.StepsDone(ctx, db.StepsDoneParams{RunIds: []string{s.RunID}, StepsDone: []int16{int16(s.Number + 1)}}) //nolint:gosec // the domain bounds a rule's steps
	})
	if err != nil {
		return fmt.Errorf("record step %d of run %s: %w", s.Number, s.RunID, err)
	}
	return nil
}

func (p *performer) failed(ctx context.Context, runID string) (bool, error) {
	var state string
	err := p.in(ctx, func(q *db.Queries) error {
		var err error
		state, err = q.RunState(ctx, runID)
		return err
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return false, nil // the tables were made anew; the step is still to be done
	case err != nil:
		return false, fmt.Errorf("read run %s: %w", runID, err)
	}
	return state == stateFailed, nil
}

func (p *performer) in(ctx context.Context, fn func(*db.Queries) error) error {
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL search_path TO "+Name); err != nil {
			return err
		}
		return fn(db.New(tx))
	})
}

// refused tells whether asking again would be answered the same.
func refused(err error) bool {
	switch fault.KindOf(err) {
	case fault.Conflict, fault.NotFound, fault.Invalid, fault.Forbidden:
		return true
	default:
		return false
	}
}

package workflow

import (
	"context"
	_ "embed" // the schema
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/services/workflow/db"
)

//go:embed schema.sql
var schema string

// Name of the projection behind workflow, and of its schema.
const Name = "workflow"

const intentStep = "step"

// patience is how long a batch waits for the directory to have seen its events.
const patience = 5 * time.Second

// handler writes runs down, and what came of their steps. What it writes depends on the log alone: on the events, and
// on the rules' versions, which the directory folds from the same log.
type handler struct {
	directory Directory
	limits    Limits
}

var _ projections.Reactor = (*handler)(nil)

func (*handler) Name() string { return Name }

func (*handler) Kinds() []events.Kind { return []events.Kind{events.KindConversation, events.KindRun} }

func (*handler) Schema() string { return schema }

// Reacts lets the engine know of the intents.
func (*handler) Reacts() {}

func (h *handler) Apply(ctx context.Context, tx pgx.Tx, batch []events.Recorded) error {
	if err := h.awaitRules(ctx, batch); err != nil {
		return err
	}
	q := db.New(tx)
	recent, err := h.recent(ctx, q, batch)
	if err != nil {
		return err
	}
	var runs []run
	taken := map[stepKey]outcome{}
	for _, r := range batch {
		k := key{r.Org, r.Aggregate.ID}
		for _, n := range meet(h.directory.Rules(r.Org), r, recent[k], h.limits) {
			runs = append(runs, n)
			if n.Suppressed == "" {
				recent[k] = append(recent[k], r.Time)
			}
		}
		if k, came, ok := stepOf(r); ok {
			taken[k] = taken[k].and(came)
		}
	}
	if err := start(ctx, q, runs); err != nil {
		return err
	}
	if err := take(ctx, q, taken); err != nil {
		return err
	}
	var intents []projections.Intent
	for _, n := range runs {
		intents = append(intents, n.intents()...)
	}
	return projections.WriteIntents(ctx, tx, intents)
}

// awaitRules makes sure that every rule older than the batch is known. When the directory does not get there in time
// that is nobody's fault but the log's, and the batch is tried again.
func (h *handler) awaitRules(ctx context.Context, batch []events.Recorded) error {
	var newest uint64
	for _, r := range batch {
		newest = max(newest, r.Sequence)
	}
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := h.directory.WaitFor(bounded, newest); err != nil {
		return errors.Join(projections.ErrTransient, fmt.Errorf("wait for the rules as of %d: %w", newest, err))
	}
	return nil
}

type key struct{ org, id string }

// recent finds when the conversations that may start a run had theirs.
func (h *handler) recent(ctx context.Context, q *db.Queries, batch []events.Recorded) (map[key][]time.Time, error) {
	out := map[key][]time.Time{}
	var p db.RecentParams
	for _, r := range batch {
		k := key{r.Org, r.Aggregate.ID}
		if len(meet(h.directory.Rules(r.Org), r, nil, h.limits)) == 0 {
			continue
		}
		if since := r.Time.Add(-h.limits.Window); p.Since.IsZero() || since.Before(p.Since) {
			p.Since = since
		}
		if _, seen := out[k]; !seen {
			out[k] = nil
			p.Orgs, p.ConversationIds = append(p.Orgs, k.org), append(p.ConversationIds, k.id)
		}
	}
	if len(out) == 0 {
		return out, nil
	}
	rows, err := q.Recent(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("read recent runs: %w", err)
	}
	for _, row := range rows {
		k := key{row.Org, row.ConversationID}
		out[k] = append(out[k], row.EventTime)
	}
	return out, nil
}

func start(ctx context.Context, q *db.Queries, runs []run) error {
	if len(runs) == 0 {
		return nil
	}
	var p db.StartRunsParams
	for _, n := range runs {
		p.RunIds = append(p.RunIds, n.ID)
		p.Orgs = append(p.Orgs, n.Event.Org)
		p.RuleIds = append(p.RuleIds, n.RuleID)
		p.RuleRevisions = append(p.RuleRevisions, int64(n.Version.Revision)) //nolint:gosec // revisions and sequences stay far below 2^63
		p.ConversationIds = append(p.ConversationIds, n.Event.Aggregate.ID)
		p.EventSequences = append(p.EventSequences, int64(n.Event.Sequence)) //nolint:gosec // as above
		p.EventTimes = append(p.EventTimes, n.Event.Time)
		p.Suppressed = append(p.Suppressed, n.Suppressed)
		p.Steps = append(p.Steps, int16(len(n.Version.Steps))) //nolint:gosec // the domain bounds a rule's steps
	}
	if err := q.StartRuns(ctx, p); err != nil {
		return fmt.Errorf("write runs: %w", err)
	}
	return nil
}

func take(ctx context.Context, q *db.Queries, taken map[stepKey]outcome) error {
	if len(taken) == 0 {
		return nil
	}
	var p db.TakeStepsParams
	// Partitions share these rows; one order keeps their transactions from waiting for each other in a circle.
	for _, k := range slices.SortedFunc(maps.Keys(taken), compareSteps) {
		p.RunIds, p.Steps = append(p.RunIds, k.run), append(p.Steps, int16(k.number)) //nolint:gosec // the domain bounds a run's steps
		p.Refused, p.Reasons = append(p.Refused, taken[k].refused), append(p.Reasons, taken[k].reason)
	}
	if err := q.TakeSteps(ctx, p); err != nil {
		return fmt.Errorf("write steps: %w", err)
	}
	return nil
}

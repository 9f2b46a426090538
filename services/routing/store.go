package routing

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/services/routing/db"
)

// page is how many rows of each list one look takes.
const page = 500

// mark is what the dispatcher knows of a conversation that its item does not show yet: its own command made events
// up to Sequence. Until they are folded the conversation is left alone, and counts as AgentID's when it was given.
type mark struct {
	Sequence uint64
	AgentID  string
	Time     time.Time
}

// read takes one consistent look at an org's work. Conversations in marks or tried are left out of the lists, and
// marks that the items have caught up with are dropped.
func (d *dispatcher) read(ctx context.Context, org string, v desk, marks map[string]mark, tried map[string]bool) (work, error) {
	var w work
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, d.pool, snapshot, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL search_path TO "+Name); err != nil {
			return err
		}
		q := db.New(tx)
		if err := forget(ctx, q, org, marks); err != nil {
			return err
		}
		known := slices.AppendSeq([]string{}, maps.Keys(marks))
		known = slices.AppendSeq(known, maps.Keys(tried))
		return d.lists(ctx, q, org, v, &w, marks, known)
	})
	if err != nil {
		return work{}, fmt.Errorf("read the work of org %s: %w", org, err)
	}
	return w, nil
}

func (d *dispatcher) lists(ctx context.Context, q *db.Queries, org string, v desk, w *work, marks map[string]mark, known []string) error {
	held, err := q.Held(ctx, db.HeldParams{Org: org, Present: v.Present, Known: known, MaxRows: page})
	if err != nil {
		return err
	}
	for _, r := range held {
		w.Held = append(w.Held, decision{ConversationID: r.ConversationID, Version: uint64(r.AssignedRevision), AgentID: r.AssigneeID}) //nolint:gosec // a revision
	}
	if v.Default != "" {
		if w.Unplaced, err = waiting(ctx, q, org, append([]string{""}, v.Archived...), known, page); err != nil {
			return err
		}
	}
	if len(v.Online) == 0 {
		return nil
	}
	if w.Loads, err = loads(ctx, q, org, marks, d.clock().Add(-d.window)); err != nil {
		return err
	}
	free, later := v.free(w.Loads, d.burst)
	if w.Waiting, err = waiting(ctx, q, org, free, known, page); err != nil {
		return err
	}
	waits, err := waiting(ctx, q, org, later, known, 1)
	w.Later = len(waits) > 0
	return err
}

func forget(ctx context.Context, q *db.Queries, org string, marks map[string]mark) error {
	if len(marks) == 0 {
		return nil
	}
	rows, err := q.Folded(ctx, db.FoldedParams{Org: org, ConversationIds: slices.Collect(maps.Keys(marks))})
	if err != nil {
		return err
	}
	folded := make(map[string]uint64, len(rows))
	for _, r := range rows {
		folded[r.ConversationID] = uint64(r.Sequence) //nolint:gosec // a sequence of the log
	}
	maps.DeleteFunc(marks, func(id string, m mark) bool {
		sequence, there := folded[id]
		return !there || sequence >= m.Sequence // it was there when it was marked: it was erased since
	})
	return nil
}

func waiting(ctx context.Context, q *db.Queries, org string, queues, known []string, most int32) ([]decision, error) {
	if len(queues) == 0 {
		return nil, nil
	}
	rows, err := q.Waiting(ctx, db.WaitingParams{InOrg: org, Queues: queues, Known: known, MaxRows: most})
	if err != nil {
		return nil, err
	}
	out := make([]decision, 0, len(rows))
	for _, r := range rows {
		out = append(out, decision{ConversationID: r.ConversationID, Version: uint64(r.Version), QueueID: r.QueueID}) //nolint:gosec // a revision
	}
	return out, nil
}

// loads is what the agents have by the items, and by the marks that the items do not show yet.
func loads(ctx context.Context, q *db.Queries, org string, marks map[string]mark, since time.Time) (map[string]load, error) {
	out := map[string]load{}
	idle, err := q.LastAssigned(ctx, org)
	if err != nil {
		return nil, err
	}
	for _, r := range idle {
		out[r.AgentID] = load{LastAssigned: r.LastAssigned}
	}
	open, err := q.Loads(ctx, db.LoadsParams{Org: org, Since: since})
	if err != nil {
		return nil, err
	}
	for _, r := range open {
		l := out[r.AgentID]
		l.Open, l.Recent = int(r.Open), int(r.Recent)
		out[r.AgentID] = l
	}
	for _, m := range marks {
		if m.AgentID == "" {
			continue
		}
		l := out[m.AgentID]
		l.Open++
		if m.Time.After(since) {
			l.Recent++
		}
		if m.Time.After(l.LastAssigned) {
			l.LastAssigned = m.Time
		}
		out[m.AgentID] = l
	}
	return out, nil
}

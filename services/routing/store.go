package routing

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/services/routing/db"
)

// ofEach is how many conversations of each agent who is not there one look takes.
const ofEach = 16

// mark is what the dispatcher knows of a conversation that its item does not show yet: its own command made events
// up to Sequence. Until they are folded the conversation is left alone, and counts as AgentID's when it was given.
type mark struct {
	Sequence uint64
	AgentID  string
	Time     time.Time
}

// read takes one consistent look at an org's work. Conversations that are marked or were tried are left out of the
// lists, until their items have moved on.
func (d *dispatcher) read(ctx context.Context, org string, v desk, memory *orgMemory) (work, error) {
	var w work
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, d.pool, snapshot, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL search_path TO "+Name); err != nil {
			return err
		}
		q := db.New(tx)
		if err := memory.forget(ctx, q, org); err != nil {
			return err
		}
		known := slices.AppendSeq([]string{}, maps.Keys(memory.marks))
		known = slices.AppendSeq(known, maps.Keys(memory.tried))
		return d.lists(ctx, q, org, v, &w, memory.marks, known)
	})
	if err != nil {
		return work{}, fmt.Errorf("read the work of org %s: %w", org, err)
	}
	return w, nil
}

func (d *dispatcher) lists(ctx context.Context, q *db.Queries, org string, v desk, w *work, marks map[string]mark, known []string) error {
	held, err := q.Held(ctx, db.HeldParams{InOrg: org, Present: v.Present, Known: known, OfEach: ofEach, MaxRows: piece})
	if err != nil {
		return err
	}
	for _, r := range held {
		w.Held = append(w.Held, decision{ConversationID: r.ConversationID, Version: uint64(r.AssignedRevision), Sequence: uint64(r.Sequence), AgentID: r.AssigneeID}) //nolint:gosec // a revision
	}
	w.More = len(held) > 0
	if v.Default != "" {
		if err := unplaced(ctx, q, org, append([]string{""}, v.Archived...), known, w); err != nil {
			return err
		}
	}
	if len(v.Online) == 0 {
		return nil
	}
	if w.Loads, err = loads(ctx, q, org, slices.Collect(maps.Keys(v.Online)), marks, d.clock().Add(-d.window)); err != nil {
		return err
	}
	free, later := v.free(w.Loads, d.burst)
	if w.Waiting, err = waiting(ctx, q, org, free, known, piece); err != nil {
		return err
	}
	waits, err := waiting(ctx, q, org, later, known, 1)
	w.Later = len(waits) > 0
	return err
}

// unplaced takes one half from the newest and one from the oldest. To be placed is what makes a conversation seen, by
// people and by the rule that gives it out; who writes now must not wait for that until thousands from before have been
// placed, and those must get their turn too. Being placed early is no advantage in the queue: what waits there is given
// out by priority, then by how long it has waited.
func unplaced(ctx context.Context, q *db.Queries, org string, queues, known []string, w *work) error {
	const half = piece / 2
	oldest, err := waiting(ctx, q, org, queues, known, half)
	if err != nil {
		return err
	}
	w.Unplaced = oldest
	if len(oldest) < half {
		return nil // these are all
	}
	w.More = true
	newest, err := q.Newest(ctx, db.NewestParams{InOrg: org, Queues: queues, Known: known, Highest: int32(len(events.Priorities) - 1), MaxRows: half}) //nolint:gosec // four
	if err != nil {
		return err
	}
	for _, r := range newest {
		if !slices.ContainsFunc(oldest, func(d decision) bool { return d.ConversationID == r.ConversationID }) {
			w.Unplaced = append(w.Unplaced, decision{ConversationID: r.ConversationID, Version: uint64(r.Version), Sequence: uint64(r.Sequence), QueueID: r.QueueID}) //nolint:gosec // a revision
		}
	}
	return nil
}

// forget drops marks that the items have caught up with, and what was tried when the item was another.
func (m *orgMemory) forget(ctx context.Context, q *db.Queries, org string) error {
	known := slices.AppendSeq(slices.Collect(maps.Keys(m.marks)), maps.Keys(m.tried))
	if len(known) == 0 {
		return nil
	}
	rows, err := q.Folded(ctx, db.FoldedParams{Org: org, ConversationIds: known})
	if err != nil {
		return err
	}
	folded := make(map[string]uint64, len(rows))
	for _, r := range rows {
		folded[r.ConversationID] = uint64(r.Sequence) //nolint:gosec // a sequence of the log
	}
	maps.DeleteFunc(m.marks, func(id string, m mark) bool {
		sequence, there := folded[id]
		return !there || sequence >= m.Sequence // it was there when it was marked: it was erased since
	})
	maps.DeleteFunc(m.tried, func(id string, at uint64) bool {
		sequence, there := folded[id]
		return !there || sequence > at
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
		out = append(out, decision{ConversationID: r.ConversationID, Version: uint64(r.Version), Sequence: uint64(r.Sequence), QueueID: r.QueueID}) //nolint:gosec // a revision
	}
	return out, nil
}

// loads is what these agents have by the items, and by the marks that the items do not show yet.
func loads(ctx context.Context, q *db.Queries, org string, agents []string, marks map[string]mark, since time.Time) (map[string]load, error) {
	out := map[string]load{}
	idle, err := q.LastAssigned(ctx, org)
	if err != nil {
		return nil, err
	}
	for _, r := range idle {
		out[r.AgentID] = load{LastAssigned: r.LastAssigned}
	}
	open, err := q.Loads(ctx, db.LoadsParams{Org: org, Agents: agents, Since: since})
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

package projections

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Intent is an effect that an event asks for: a command to another aggregate, now or at a time. It is written in the
// transaction of the rows, so that it exists exactly when they do, and performed afterwards by a Performer.
type Intent struct {
	ID      string // deterministic: the id of the command that it becomes
	Org     string
	Kind    string // for the performer: "route", "wake"
	Key     string // intents of one key are performed one after the other
	Cause   uint64 // sequence of the event that asks for it
	Depth   int    // how many automations deep the effect will be
	Payload json.RawMessage
	DueAt   time.Time // not before; zero: at once
	// Coalesce says that the effect looks at how things are, and not at what the event says: asked for again while it
	// waits, it stays one, which is performed once after the last time that it was asked for.
	Coalesce bool
	// Attempts that failed so far, for who performs it.
	Attempts int

	asked int64 // how many times, when it was read
	timed bool  // it had waited for a time then
}

// intentsChannel wakes performers when a transaction that wrote intents commits.
const intentsChannel = "tidemark_intents"

// WriteIntents is called by the Apply of a Reactor. An id that is already waiting is left alone, unless it coalesces,
// and what a gate holds back is not written: a rebuild writes no intent that the running projection has written before.
func WriteIntents(ctx context.Context, tx pgx.Tx, intents []Intent) error {
	if len(intents) == 0 {
		return nil
	}
	var each []Intent
	one := map[[2]string]Intent{} // by org and id: the newest
	for _, in := range intents {
		switch before, again := one[[2]string{in.Org, in.ID}]; {
		case !in.Coalesce:
			each = append(each, in)
		case !again || before.Cause < in.Cause:
			one[[2]string{in.Org, in.ID}] = in
		}
	}
	// Partitions share the rows that coalesce; one order keeps their transactions from waiting for each other in a circle.
	shared := slices.SortedFunc(maps.Values(one), func(a, b Intent) int { return cmp.Or(cmp.Compare(a.Org, b.Org), cmp.Compare(a.ID, b.ID)) })
	b := &pgx.Batch{}
	insert(b, each, "DO NOTHING")
	insert(b, shared, `(projection, org, id) DO UPDATE SET asked = i.asked + 1, cause = greatest(i.cause, excluded.cause),
		depth = CASE WHEN excluded.cause < i.cause THEN i.depth ELSE excluded.depth END, payload = excluded.payload,
		due_at = least(i.due_at, excluded.due_at), try_at = '-infinity', attempts = 0, failed = false, error = '' WHERE i.coalesces`)
	b.Queue("SELECT pg_notify($1, current_setting('tidemark.reactor'))", intentsChannel)
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("write intents (the handler must be a Reactor): %w", err)
	}
	return nil
}

// insert puts intents into the table; conflict says what becomes of those that wait already.
func insert(b *pgx.Batch, intents []Intent, conflict string) {
	n := len(intents)
	if n == 0 {
		return
	}
	orgs, ids, kinds, keys := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	causes, depths, payloads, due := make([]int64, n), make([]int32, n), make([]string, n), make([]*time.Time, n)
	for i, in := range intents {
		orgs[i], ids[i], kinds[i], keys[i] = in.Org, in.ID, in.Kind, in.Key
		causes[i], depths[i], payloads[i] = signed(in.Cause), int32(in.Depth), "null" //nolint:gosec // a small number
		if len(in.Payload) > 0 {
			payloads[i] = string(in.Payload)
		}
		if !in.DueAt.IsZero() {
			due[i] = &in.DueAt
		}
	}
	b.Queue(`INSERT INTO tidemark.intents AS i (projection, org, id, kind, key, cause, depth, payload, due_at, coalesces)
		SELECT nullif(current_setting('tidemark.reactor'), ''), org, id, kind, key, cause, depth, payload::jsonb, coalesce(due, '-infinity'), $9
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::int[], $7::text[], $8::timestamptz[])
			AS t (org, id, kind, key, cause, depth, payload, due)
		WHERE cause > current_setting('tidemark.gate')::bigint
		ON CONFLICT `+conflict, orgs, ids, kinds, keys, causes, depths, payloads, due, intents[0].Coalesce)
}

// CancelIntents forgets intents that have not been performed yet, such as the timer of a snooze that ended early. A
// projection that is being built beside the running one cancels nothing: they are not its own.
func CancelIntents(ctx context.Context, tx pgx.Tx, org string, ids ...string) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `DELETE FROM tidemark.intents WHERE projection = current_setting('tidemark.reactor') AND org = $1 AND id = ANY($2)
		AND current_setting('tidemark.gate')::bigint < $3`, org, ids, gateShut)
	if err != nil {
		return fmt.Errorf("cancel intents: %w", err)
	}
	return nil
}

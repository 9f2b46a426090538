package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

const (
	dueOfOrg  = 8   // intents of one org that a look takes at most
	dueAtOnce = 256 // and of all
)

// source is one of the two kinds of due intents, read page by page, around and around all orgs.
type source struct {
	query string
	after string // the org that the last page ended with
	dirty bool   // there may be intents that were not seen
}

// Both queries go from org to org by the index, and take the first few of each: what they read is bounded by the page and
// by the number of orgs that have anything waiting, and not by how much waits. An intent that an older one of its key
// stands before is passed over; of one key few wait, for it is the steps of one automation in one conversation.
const (
	// dueNow are those that wait for nothing, oldest first.
	dueNow = `
WITH RECURSIVE orgs AS (
	(SELECT org FROM tidemark.intents WHERE projection = $1 AND NOT failed AND ready_at = '-infinity' AND org > $3 ORDER BY org LIMIT 1)
	UNION ALL
	SELECT next.org FROM orgs CROSS JOIN LATERAL (
		SELECT org FROM tidemark.intents WHERE projection = $1 AND NOT failed AND ready_at = '-infinity' AND org > orgs.org ORDER BY org LIMIT 1) next
)
SELECT i.* FROM orgs CROSS JOIN LATERAL (
	SELECT ` + intentColumns + ` FROM tidemark.intents i
	WHERE projection = $1 AND org = orgs.org AND NOT failed AND ready_at = '-infinity' AND ` + first + `
	ORDER BY cause, id LIMIT $4) i
LIMIT $5`
	// dueTimed are those that waited for a time that has come: timers, and what is tried again.
	dueTimed = `
WITH RECURSIVE orgs AS (
	(SELECT org FROM tidemark.intents WHERE projection = $1 AND NOT failed AND ready_at > '-infinity' AND org > $3 ORDER BY org LIMIT 1)
	UNION ALL
	SELECT next.org FROM orgs CROSS JOIN LATERAL (
		SELECT org FROM tidemark.intents WHERE projection = $1 AND NOT failed AND ready_at > '-infinity' AND org > orgs.org ORDER BY org LIMIT 1) next
)
SELECT i.* FROM orgs CROSS JOIN LATERAL (
	SELECT ` + intentColumns + ` FROM tidemark.intents i
	WHERE projection = $1 AND org = orgs.org AND NOT failed AND ready_at > '-infinity' AND ready_at <= $2 AND ` + first + `
	ORDER BY ready_at, cause, id LIMIT $4) i
LIMIT $5`

	intentColumns = `id, org, kind, key, cause, depth, payload, due_at, attempts, asked, ready_at > '-infinity'`
	// first says that no older intent of the key is due: one that is to be tried again later holds those behind it up.
	first = `NOT EXISTS (SELECT FROM tidemark.intents e WHERE e.projection = i.projection AND e.org = i.org AND e.key = i.key
		AND NOT e.failed AND e.due_at <= $2 AND (e.cause, e.id) < (i.cause, i.id))`
)

// read gives the next page.
func (s *source) read(ctx context.Context, conn *pgx.Conn, projection string) ([]Intent, error) {
	rows, err := conn.Query(ctx, s.query, projection, time.Now(), s.after, dueOfOrg, dueAtOnce)
	if err != nil {
		return nil, err
	}
	page, err := pgx.CollectRows(rows, scanIntent)
	if err != nil {
		return nil, err
	}
	switch {
	case len(page) == dueAtOnce:
		s.after = page[len(page)-1].Org
	case s.after != "":
		s.after = "" // on from the beginning
	default:
		s.dirty = false
	}
	return page, nil
}

func scanIntent(row pgx.CollectableRow) (in Intent, err error) {
	var cause int64
	var dueAt *time.Time
	err = row.Scan(&in.ID, &in.Org, &in.Kind, &in.Key, &cause, &in.Depth, &in.Payload, finite{&dueAt}, &in.Attempts, &in.asked, &in.timed)
	in.Cause = unsigned(cause)
	if dueAt != nil {
		in.DueAt = *dueAt
	}
	return in, err
}

// record writes down what came of intents that are over.
func (s *shift) record(ctx context.Context) error {
	b := &pgx.Batch{}
	for _, d := range s.over {
		s.conclude(ctx, b, d.Intent, d.err)
	}
	s.over = nil
	if b.Len() == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closePatience)
	defer cancel()
	if err := s.conn.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("record what was performed: %w", err)
	}
	return nil
}

// conclude says what becomes of an intent. One that was asked for again meanwhile stays as it is, and is performed again.
func (s *shift) conclude(ctx context.Context, b *pgx.Batch, in Intent, err error) {
	if err == nil {
		b.Queue("DELETE FROM tidemark.intents WHERE projection = $1 AND org = $2 AND id = $3 AND asked = $4", s.cfg.Projection, in.Org, in.ID, in.asked)
		return
	}
	attempts := in.Attempts
	var after time.Duration
	later, notNow := errors.AsType[NotNow](err)
	kind := fault.KindOf(err)
	switch {
	case notNow:
		after = later.After
	case kind == fault.Unavailable || kind == fault.TooMany:
		f, _ := errors.AsType[*fault.Fault](err)
		after = max(f.RetryAfter, time.Second)
	default:
		attempts++
		after = min(time.Minute, 100*time.Millisecond<<min(attempts, 10))
	}
	failed := attempts >= s.cfg.Attempts
	if !notNow {
		s.cfg.Logger.WarnContext(ctx, "intent was not performed", "projection", s.cfg.Projection, "intent_kind", in.Kind,
			"command_id", in.ID, "attempts", attempts, "failed", failed, "error", err)
	}
	var again *time.Time // nil: at once
	if after > 0 {
		at := time.Now().Add(after)
		again = &at
		if at.Before(s.alarm) {
			s.alarm = at
		}
	}
	b.Queue(`UPDATE tidemark.intents SET attempts = $5, try_at = coalesce($6::timestamptz, '-infinity'), failed = $7, error = $8
		WHERE projection = $1 AND org = $2 AND id = $3 AND asked = $4`,
		s.cfg.Projection, in.Org, in.ID, in.asked, attempts, again, failed, cleanText(err.Error()))
	if again != nil && !failed {
		// Those behind it wait with it, and are not looked at before.
		b.Queue(`UPDATE tidemark.intents SET try_at = $6 WHERE projection = $1 AND org = $2 AND key = $3 AND NOT failed
			AND (cause, id) > ($4, $5) AND id <> $5 AND due_at <= $6 AND try_at < $6`, s.cfg.Projection, in.Org, in.Key, signed(in.Cause), in.ID, again)
	}
}

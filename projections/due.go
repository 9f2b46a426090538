package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

const (
	dueOfOrg  = 8   // intents of one org that a look takes at most
	dueAtOnce = 256 // and of all
)

// source is one of the two kinds of due intents, read page by page: around and around all orgs, so that none stands
// before others.
type source struct {
	query string
	dirty bool              // there may be intents that were not seen
	after string            // the org that the last page ended with
	keys  map[string]string // by org: the key that its last page ended with, when a source goes around the keys, too
}

// Both queries go from org to org by an index, and take the first few of each: what they read is bounded by the page and by
// the number of orgs that have anything waiting, and not by how much waits. Each step is a search for one row in the order
// of an index, which the planner does alike with and without statistics.
const (
	// dueNow are those that wait for nothing. In an org it goes from key to key, for one of many intents must not stand
	// before others either.
	dueNow = `
WITH RECURSIVE orgs AS (
	(SELECT org FROM tidemark.intents WHERE projection = $1 AND NOT failed AND ready_at = '-infinity' AND org > $3 ORDER BY org LIMIT 1)
	UNION ALL
	SELECT next.org FROM orgs CROSS JOIN LATERAL (SELECT org FROM tidemark.intents
		WHERE projection = $1 AND NOT failed AND ready_at = '-infinity' AND org > orgs.org ORDER BY org LIMIT 1) next
)
SELECT i.* FROM orgs CROSS JOIN LATERAL (
	WITH RECURSIVE keys AS (
		(SELECT key FROM tidemark.intents WHERE projection = $1 AND org = orgs.org AND NOT failed AND ready_at = '-infinity'
			AND key > coalesce((SELECT a.key FROM unnest($9::text[], $10::text[]) AS a (org, key) WHERE a.org = orgs.org), '') ORDER BY key LIMIT 1)
		UNION ALL
		SELECT next.key FROM keys CROSS JOIN LATERAL (SELECT key FROM tidemark.intents
			WHERE projection = $1 AND org = orgs.org AND NOT failed AND ready_at = '-infinity' AND key > keys.key ORDER BY key LIMIT 1) next
	)
	SELECT first.* FROM keys CROSS JOIN LATERAL (` + firstOfKey + `) first WHERE first.ready_at = '-infinity' AND NOT ` + taken + ` LIMIT $4
) i WHERE orgs.org <> ALL ($6) LIMIT $5`

	// dueTimed are those that waited for a time that has come, the earliest of each org: timers, and what is tried again.
	dueTimed = `
WITH RECURSIVE orgs AS (
	(SELECT org FROM tidemark.intents WHERE projection = $1 AND NOT failed AND ready_at > '-infinity' AND org > $3 ORDER BY org LIMIT 1)
	UNION ALL
	SELECT next.org FROM orgs CROSS JOIN LATERAL (SELECT org FROM tidemark.intents
		WHERE projection = $1 AND NOT failed AND ready_at > '-infinity' AND org > orgs.org ORDER BY org LIMIT 1) next
)
SELECT i.* FROM orgs CROSS JOIN LATERAL (
	SELECT first.* FROM (
		SELECT DISTINCT key FROM (SELECT key FROM tidemark.intents AS keys
			WHERE projection = $1 AND org = orgs.org AND NOT failed AND ready_at > '-infinity' AND ready_at <= $2 AND NOT ` + taken + `
			ORDER BY ready_at, cause, id LIMIT 4 * $4::int) earliest
	) keys CROSS JOIN LATERAL (` + firstOfKey + `) first WHERE first.ready_at > '-infinity' AND first.ready_at <= $2 LIMIT $4
) i WHERE orgs.org <> ALL ($6) LIMIT $5`

	// firstOfKey is the oldest due intent of a key: one that is to be tried again later holds those behind it up.
	firstOfKey = `SELECT id, org, kind, key, cause, depth, payload, due_at, attempts, asked, ready_at
		FROM tidemark.intents WHERE projection = $1 AND org = orgs.org AND key = keys.key AND NOT failed AND due_at <= $2
		ORDER BY cause, id LIMIT 1`
	// taken are the keys that the board has.
	taken = `EXISTS (SELECT FROM unnest($7::text[], $8::text[]) AS b (org, key) WHERE b.org = orgs.org AND b.key = keys.key)`
)

// read puts the next page of what the board does not have on the board.
func (s *source) read(ctx context.Context, conn *pgx.Conn, projection string, b *board) error {
	orgs, keys := b.taken()
	args := []any{projection, time.Now(), s.after, dueOfOrg, dueAtOnce, b.turns, orgs, keys}
	if s.keys != nil {
		orgs, keys = []string{}, []string{}
		for org, key := range s.keys {
			orgs, keys = append(orgs, org), append(keys, key)
		}
		args = append(args, orgs, keys)
	}
	rows, err := conn.Query(ctx, s.query, args...)
	if err != nil {
		return err
	}
	page, err := pgx.CollectRows(rows, scanIntent)
	if err != nil {
		return err
	}
	s.turn(page, b.turns)
	b.offer(page)
	return nil
}

// turn moves on behind a page that was without some orgs.
func (s *source) turn(page []Intent, without []string) {
	found, last := map[string]int{}, map[string]string{}
	for _, in := range page {
		found[in.Org]++
		last[in.Org] = in.Key
	}
	from, to := s.after, ""
	if len(page) == dueAtOnce {
		to = page[len(page)-1].Org
	}
	s.after = to
	s.dirty = from != "" || to != "" // it was not all orgs
	for org := range s.keys {
		if seen := org > from && (to == "" || org < to) && !slices.Contains(without, org); seen && found[org] < dueOfOrg {
			delete(s.keys, org) // that was its last key: on from the first
			s.dirty = true
		}
	}
	for org, n := range found {
		if n < dueOfOrg && org != to {
			continue
		}
		s.dirty = true
		if s.keys != nil {
			s.keys[org] = last[org]
		}
	}
}

func scanIntent(row pgx.CollectableRow) (in Intent, err error) {
	var cause int64
	var dueAt, readyAt *time.Time
	err = row.Scan(&in.ID, &in.Org, &in.Kind, &in.Key, &cause, &in.Depth, &in.Payload, finite{&dueAt}, &in.Attempts, &in.asked, finite{&readyAt})
	in.Cause, in.timed = unsigned(cause), readyAt != nil
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
		if in.timed {
			s.followers(b, in, nil)
		}
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
	if after > 0 && !failed {
		at := time.Now().Add(after)
		again = &at
		if at.Before(s.alarm) {
			s.alarm = at
		}
	}
	b.Queue(`UPDATE tidemark.intents SET attempts = $5, try_at = coalesce($6::timestamptz, '-infinity'), failed = $7, error = $8
		WHERE projection = $1 AND org = $2 AND id = $3 AND asked = $4`,
		s.cfg.Projection, in.Org, in.ID, in.asked, attempts, again, failed, cleanText(err.Error()))
	s.followers(b, in, again)
}

// followers lets the intents behind one of their key wait with it, so that none is looked at before, or go on (nil).
func (s *shift) followers(b *pgx.Batch, in Intent, until *time.Time) {
	b.Queue(`UPDATE tidemark.intents SET try_at = coalesce($6::timestamptz, '-infinity') WHERE projection = $1 AND org = $2 AND key = $3 AND NOT failed
		AND (cause, id) > ($4, $5) AND id <> $5 AND try_at <> coalesce($6::timestamptz, '-infinity')`, s.cfg.Projection, in.Org, in.Key, signed(in.Cause), in.ID, until)
}

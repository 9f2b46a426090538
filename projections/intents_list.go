package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// FailedIntent is an effect that was given up.
type FailedIntent struct {
	Projection string
	Intent
	Error string
}

// ListFailedIntents lists the effects that were given up, oldest first; an empty name means every projection's.
func ListFailedIntents(ctx context.Context, pool *pgxpool.Pool, name string) ([]FailedIntent, error) {
	rows, err := pool.Query(ctx, `SELECT projection, error, id, org, kind, key, cause, depth, attempts FROM tidemark.intents
		WHERE failed AND $1 IN ('', projection) ORDER BY cause, id`, name)
	if err != nil {
		return nil, fmt.Errorf("list failed intents: %w", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (f FailedIntent, err error) {
		var cause int64
		err = row.Scan(&f.Projection, &f.Error, &f.ID, &f.Org, &f.Kind, &f.Key, &cause, &f.Depth, &f.Attempts)
		f.Cause = unsigned(cause)
		return f, err
	})
	if err != nil {
		return nil, fmt.Errorf("list failed intents: %w", err)
	}
	return out, nil
}

// PendingIntents hands over the keys of the intents of an org that were not performed yet, those that were given up among
// them, in any order.
func PendingIntents(ctx context.Context, pool *pgxpool.Pool, name, org string, fn func(key string, failed bool)) error {
	rows, err := pool.Query(ctx, "SELECT key, failed FROM tidemark.intents WHERE projection = $1 AND org = $2", name, org)
	if err != nil {
		return fmt.Errorf("list pending intents: %w", err)
	}
	var key string
	var failed bool
	_, err = pgx.ForEachRow(rows, []any{&key, &failed}, func() error {
		fn(key, failed)
		return nil
	})
	if err != nil {
		return fmt.Errorf("list pending intents: %w", err)
	}
	return nil
}

// IntentsBefore is how many intents of the same key come before one, those that were given up among them.
func IntentsBefore(ctx context.Context, pool *pgxpool.Pool, name string, in Intent) (int, error) {
	var n int
	err := pool.QueryRow(ctx, `SELECT count(*) FROM tidemark.intents
		WHERE projection = $1 AND org = $2 AND key = $3 AND (cause, id) < ($4::bigint, $5::text)`, name, in.Org, in.Key, signed(in.Cause), in.ID).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count intents before %s: %w", in.ID, err)
	}
	return n, nil
}

// RetryIntents gives failed intents of a projection new attempts; without ids, all of them. It tells how many.
func RetryIntents(ctx context.Context, pool *pgxpool.Pool, name string, ids ...string) (int, error) {
	tag, err := pool.Exec(ctx, `UPDATE tidemark.intents SET failed = false, attempts = 0, try_at = '-infinity'
		WHERE projection = $1 AND failed AND (cardinality($2::text[]) = 0 OR id = ANY($2))`, name, append([]string{}, ids...))
	if err != nil {
		return 0, fmt.Errorf("retry intents: %w", err)
	}
	return int(tag.RowsAffected()), nil
}

// finite scans a time that may be -infinity, which stands for none.
type finite struct{ at **time.Time }

// ScanTimestamptz is pgtype's way to hand over.
func (f finite) ScanTimestamptz(v pgtype.Timestamptz) error {
	if v.Valid && v.InfinityModifier == pgtype.Finite {
		*f.at = &v.Time
	}
	return nil
}

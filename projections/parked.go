package projections

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
)

// What asking can answer besides nil.
var (
	ErrNotParked = fault.New(fault.NotFound, "not_parked", "this key is not parked")
	// ErrParkedElsewhere says that the event the operator saw is no longer the one that the key waits at: it was retried
	// or dropped meanwhile, and a later one failed.
	ErrParkedElsewhere = fault.New(fault.Conflict, "parked_elsewhere", "the key is parked at another event by now")
)

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// ListParked lists parked keys, oldest first; an empty name means those of every projection.
func ListParked(ctx context.Context, pool *pgxpool.Pool, name string) ([]Parked, error) {
	out, err := listParked(ctx, pool, "$1 IN ('', projection)", name)
	if err != nil {
		return nil, fmt.Errorf("list parked keys: %w", err)
	}
	return out, nil
}

func listParked(ctx context.Context, q querier, where string, args ...any) ([]Parked, error) {
	rows, err := q.Query(ctx, "SELECT projection, partition, key, sequence, type, error, attempts, since, coalesce(asked, '') FROM tidemark.parked WHERE "+
		where+" ORDER BY since, projection, key", args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (p Parked, err error) {
		var key string
		var sequence int64
		if err := row.Scan(&p.Projection, &p.Partition, &key, &sequence, &p.Type, &p.Error, &p.Attempts, &p.Since, &p.Asked); err != nil {
			return p, err
		}
		p.Sequence = unsigned(sequence)
		p.Aggregate, err = events.ParseAggregate(key)
		return p, err
	})
}

// RetryParked asks the owner of the partition to apply the failed event again, and all that waits behind it. The event
// is named by its sequence, as the operator saw it. The owner looks about once a second; the row of ListParked tells what
// came of it: it is gone, or has more attempts.
func RetryParked(ctx context.Context, pool *pgxpool.Pool, name, key string, sequence uint64) error {
	return ask(ctx, pool, name, Request{Key: key, Sequence: sequence, Ask: AskRetry})
}

// DropParked asks the owner of the partition to skip the failed event with this sequence, and to go on with what waits
// behind it. Another event that has failed since is not skipped: nobody has looked at that one.
func DropParked(ctx context.Context, pool *pgxpool.Pool, name, key string, sequence uint64) error {
	return ask(ctx, pool, name, Request{Key: key, Sequence: sequence, Ask: AskDrop})
}

// RetryParkedKeys asks the owners to apply again whatever waits of these aggregates, in every projection that is kept in
// Postgres. What an operator has asked already stays asked.
func RetryParkedKeys(ctx context.Context, pool *pgxpool.Pool, keys ...events.Aggregate) error {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.String()
	}
	if _, err := pool.Exec(ctx, "UPDATE tidemark.parked SET asked = $2 WHERE key = ANY($1) AND asked IS NULL", names, AskRetry); err != nil {
		return fmt.Errorf("retry parked keys: %w", err)
	}
	return nil
}

func ask(ctx context.Context, pool *pgxpool.Pool, name string, r Request) error {
	tag, err := pool.Exec(ctx, "UPDATE tidemark.parked SET asked = $4 WHERE projection = $1 AND key = $2 AND sequence = $3",
		name, r.Key, signed(r.Sequence), r.Ask)
	if err != nil {
		return fmt.Errorf("%s parked key: %w", r.Ask, err)
	}
	if tag.RowsAffected() == 1 {
		return nil
	}
	found, err := listParked(ctx, pool, "projection = $1 AND key = $2", name, r.Key)
	if err != nil {
		return fmt.Errorf("%s parked key: %w", r.Ask, err)
	}
	var now *Parked
	if len(found) == 1 {
		now = &found[0]
	}
	return NotAskable(now)
}

// NotAskable is why nothing can be asked of a key at the event that the operator named: now is where it is parked, nil
// when it is not.
func NotAskable(now *Parked) error {
	if now == nil {
		return ErrNotParked.WithHint("tidemark parked list shows what waits")
	}
	return ErrParkedElsewhere.WithHint("it waits at the event with sequence %d now, a %s; look at that one first", now.Sequence, now.Type)
}

// cleanText makes any error text fit for a text column.
func cleanText(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "�")
	const longest = 2000
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + " …"
	}
	return s
}

package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/internal/run"
)

// How long the running one and the new one may take to meet.
const meetPatience = 2 * time.Minute

var errNoMeeting = errors.New("the running projection and the new one did not come to one position")

// rest makes the new one stop at these positions (nil: wherever it is now), and tells where it came to rest.
func (s *site) rest(ctx context.Context, at []uint64) ([]uint64, error) {
	n := s.cfg.Log.Partitions()
	out := make([]uint64, n)
	for p := range n {
		line := uint64(0)
		if at != nil {
			line = at[p]
		}
		s.runner.Hold(p, line)
		for {
			if where, ok := s.runner.restsAt(p, line); ok {
				out[p] = where
				break
			}
			if err := run.Pause(ctx, beat/50); err != nil {
				return nil, fmt.Errorf("%w: %s: %w", errNoMeeting, s.runner.Status()[p].Reason, err)
			}
		}
	}
	return out, nil
}

// compare reads both at one position. A snapshot of the running one, which nobody has to stop, says the position; the
// new one, which was stopped before, is let go on exactly to it.
func (s *site) compare(ctx context.Context) error {
	meeting, cancel := context.WithTimeout(ctx, meetPatience)
	defer cancel()
	detail, err := s.differences(meeting)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, errNoMeeting) {
		return s.conclude(ctx, RebuildReady, nil, err.Error())
	}
	if err != nil {
		return err
	}
	equal := len(detail) == 0
	if equal {
		detail = []string{"all rows are equal"}
	}
	return s.conclude(ctx, RebuildCompared, &equal, strings.Join(detail, "; "))
}

func (s *site) differences(ctx context.Context) ([]string, error) {
	stopped, err := s.rest(ctx, nil)
	if err != nil {
		return nil, err
	}
	for {
		detail, err := s.compareAfter(ctx, stopped)
		if !errors.Is(err, errNotClean) {
			return detail, err
		}
		if run.Pause(ctx, beat/4) != nil {
			return nil, fmt.Errorf("%w: %w", errNoMeeting, err)
		}
	}
}

// errNotClean says that one number does not describe the rows: lanes are open, or keys are parked.
var errNotClean = errors.New("not at one position")

func (s *site) compareAfter(ctx context.Context, stopped []uint64) ([]string, error) {
	running, err := s.cfg.Pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, fmt.Errorf("open a snapshot: %w", err)
	}
	defer running.Rollback(ctx) //nolint:errcheck // it only reads
	at, err := positions(ctx, running, s.name, s.cfg.Log, stopped)
	if err != nil {
		return nil, err
	}
	if _, err := s.rest(ctx, at); err != nil {
		return nil, err
	}
	built, err := s.cfg.Pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, fmt.Errorf("open a snapshot: %w", err)
	}
	defer built.Rollback(ctx) //nolint:errcheck // it only reads
	var parked int
	if err := built.QueryRow(ctx, "SELECT count(*) FROM tidemark.parked WHERE projection = $1", nextOf(s.name)).Scan(&parked); err != nil {
		return nil, err
	}
	detail, err := compareSchemas(ctx, running, s.name, built, nextOf(s.name))
	if err == nil && parked > 0 {
		detail = append(detail, fmt.Sprintf("%d keys are parked in the new one", parked))
	}
	return detail, err
}

// positions are the checkpoints of a projection, if they tell all and none is before least.
func positions(ctx context.Context, tx pgx.Tx, name string, log Log, least []uint64) ([]uint64, error) {
	var extra int
	err := tx.QueryRow(ctx, `SELECT (SELECT count(*) FROM tidemark.ahead a JOIN tidemark.checkpoints c USING (projection, partition)
			WHERE projection = $1 AND sequence > checkpoint) + (SELECT count(*) FROM tidemark.parked WHERE projection = $1)`, name).Scan(&extra)
	if err != nil {
		return nil, err
	}
	if extra > 0 {
		return nil, fmt.Errorf("%w: %d keys of %s are parked or ahead of the checkpoint", errNotClean, extra, name)
	}
	rows, err := tx.Query(ctx, `SELECT partition, checkpoint FROM tidemark.checkpoints WHERE projection = $1 AND incarnation = $2 AND live_from = 0`,
		name, log.Incarnation())
	if err != nil {
		return nil, err
	}
	at := make([]uint64, len(least))
	n := 0
	var partition int
	var checkpoint int64
	_, err = pgx.ForEachRow(rows, []any{&partition, &checkpoint}, func() error {
		if partition < len(at) && unsigned(checkpoint) >= least[partition] {
			at[partition] = unsigned(checkpoint)
			n++
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if n < len(least) {
		return nil, fmt.Errorf("%w: %s has not reached %v in every partition", errNotClean, name, least)
	}
	return at, nil
}

// compareSchemas compares the tables and columns that both have: how many rows, and a sum of their hashes, which does
// not depend on their order.
func compareSchemas(ctx context.Context, left pgx.Tx, leftSchema string, right pgx.Tx, rightSchema string) ([]string, error) {
	mine, err := columns(ctx, left, leftSchema)
	if err != nil {
		return nil, err
	}
	theirs, err := columns(ctx, right, rightSchema)
	if err != nil {
		return nil, err
	}
	var detail []string
	for _, table := range slices.Sorted(keysOf(mine, theirs)) {
		if mine[table] == nil || theirs[table] == nil {
			detail = append(detail, table+" is only in one")
			continue
		}
		common := slices.DeleteFunc(slices.Clone(mine[table]), func(c string) bool { return !slices.Contains(theirs[table], c) })
		n, sum, err := checksum(ctx, left, leftSchema, table, common)
		if err != nil {
			return nil, err
		}
		m, other, err := checksum(ctx, right, rightSchema, table, common)
		if err != nil {
			return nil, err
		}
		switch {
		case n != m:
			detail = append(detail, fmt.Sprintf("%s has %d rows, and %d when rebuilt", table, n, m))
		case sum != other:
			detail = append(detail, fmt.Sprintf("%s has %d rows in both, of which some differ", table, n))
		}
	}
	return detail, nil
}

func keysOf(maps ...map[string][]string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		seen := map[string]bool{}
		for _, m := range maps {
			for k := range m {
				if !seen[k] && !yield(k) {
					return
				}
				seen[k] = true
			}
		}
	}
}

// columns by table, sorted by name.
func columns(ctx context.Context, tx pgx.Tx, schema string) (map[string][]string, error) {
	rows, err := tx.Query(ctx, `SELECT c.relname, array_agg(a.attname::text ORDER BY a.attname) FROM pg_class c
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
		WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p') AND NOT c.relispartition GROUP BY c.relname`,
		pgx.Identifier{schema}.Sanitize())
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	var table string
	var names []string
	_, err = pgx.ForEachRow(rows, []any{&table, &names}, func() error {
		out[table] = names
		names = nil
		return nil
	})
	return out, err
}

func checksum(ctx context.Context, tx pgx.Tx, schema, table string, columns []string) (rows int64, sum string, err error) {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = pgx.Identifier{c}.Sanitize()
	}
	err = tx.QueryRow(ctx, "SELECT count(*), coalesce(sum(hashtextextended(ROW("+strings.Join(quoted, ", ")+")::text, 0)::numeric), 0)::text FROM "+
		pgx.Identifier{schema, table}.Sanitize()).Scan(&rows, &sum)
	if err != nil {
		return 0, "", fmt.Errorf("checksum of %s.%s: %w", schema, table, err)
	}
	return rows, sum, nil
}

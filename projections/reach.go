package projections

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// A reactor that is built anew asks for no effect: the running one has asked for all of them, up to where it is. So the
// new one stays behind it. Where the running one is when they are switched becomes the new one's gate, and what comes
// after is asked for by the new one: nothing is lost between the two, wherever they are.
//
// This holds also when the running one stands still for good, because its tables have another shape than this version
// needs, or are of another log.

// follow lets the new one of a reactor go on to where the running one is by now.
func (s *site) follow(ctx context.Context) error {
	if s.bounds == nil {
		return nil
	}
	at, err := s.reach(ctx, s.conn)
	if err != nil {
		return fmt.Errorf("look how far %s is: %w", s.name, err)
	}
	for p := range at {
		if at[p] > s.bounds[p] {
			s.bounds[p] = at[p]
			s.runner.Hold(p, at[p])
		}
	}
	return nil
}

// reach is up to where the running one has applied everything, and so asked for every effect, by partition: up to its
// checkpoint, or to before the first event that a parked key waits at. Of one that was derived from another log, or from
// more of this one than there is, that is nothing: its effects were others.
func (s *site) reach(ctx context.Context, q querier) ([]uint64, error) {
	rows, err := q.Query(ctx, `SELECT c.partition, least(c.checkpoint, min(p.sequence) - 1) FROM tidemark.checkpoints c
		LEFT JOIN tidemark.parked p USING (projection, partition)
		WHERE c.projection = $1 AND c.incarnation = $2 AND c.checkpoint <= $3 GROUP BY c.partition, c.checkpoint`,
		s.name, s.cfg.Log.Incarnation(), signed(s.cfg.Log.Head()))
	if err != nil {
		return nil, err
	}
	at := make([]uint64, s.cfg.Log.Partitions())
	var partition int
	var through int64
	_, err = pgx.ForEachRow(rows, []any{&partition, &through}, func() error {
		if partition < len(at) {
			at[partition] = unsigned(through)
		}
		return nil
	})
	return at, err
}

// gates are where the running reactor has written its intents up to: the new one, which rests at these positions, writes
// those after. While the running one works they are exact; of one that will never work again a few intents beyond them
// may have been written, of keys that were ahead of the others or parked. Those are written again rather than lost, and
// the ids of the commands keep them from being performed twice.
func (s *site) gates(ctx context.Context, tx pgx.Tx, stopped []uint64) ([]uint64, error) {
	at, err := s.reach(ctx, tx)
	if err != nil {
		return nil, err
	}
	for p := range at {
		if at[p] < stopped[p] {
			return nil, fmt.Errorf("%w: %s has not come to %v, where the new one is", errNotClean, s.name, stopped)
		}
	}
	still, err := s.standsStill(ctx, tx)
	if err != nil || still {
		return at, err
	}
	return positions(ctx, tx, s.name, s.cfg.Log, stopped)
}

// standsStill tells whether no owner of this version opens the running one. The intents of another log are forgotten: this
// one has not asked for them.
func (s *site) standsStill(ctx context.Context, tx pgx.Tx) (bool, error) {
	digest := digestOf(s.handler)
	shapes, err := collect[string](ctx, tx, "SELECT digest FROM tidemark.models WHERE name = $1", s.name)
	if err != nil {
		return false, err
	}
	logs, err := collect[string](ctx, tx, "SELECT DISTINCT incarnation FROM tidemark.checkpoints WHERE projection = $1", s.name)
	if err != nil {
		return false, err
	}
	if other := func(log string) bool { return log != s.cfg.Log.Incarnation() }; slices.ContainsFunc(logs, other) {
		_, err := tx.Exec(ctx, "DELETE FROM tidemark.intents WHERE projection = $1", s.name)
		return true, err
	}
	beyond, err := collect[bool](ctx, tx, "SELECT true FROM tidemark.checkpoints WHERE projection = $1 AND greatest(checkpoint, live_through) > $2",
		s.name, signed(s.cfg.Log.Head()))
	return len(beyond) > 0 || slices.ContainsFunc(shapes, func(d string) bool { return d != digest }), err
}

func collect[T any](ctx context.Context, tx pgx.Tx, query string, args ...any) ([]T, error) {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[T])
}

package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/internal/run"
)

// The running one of a reactor must be at one position, so that no effect is lost between the two; so long that may take.
const swapPatience = 30 * time.Second

// swap gives the new one the running one's name, in one transaction. Both are fenced by it: the running one's owners
// open again, and find the new one.
func (s *site) swap(ctx context.Context) error {
	meeting, cancel := context.WithTimeout(ctx, swapPatience)
	defer cancel()
	stopped, err := s.rest(meeting, nil)
	for err == nil {
		err = pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) error { return s.rename(ctx, tx, stopped) })
		if !errors.Is(err, errNotClean) {
			break
		}
		if late := run.Pause(meeting, beat/4); late != nil {
			err = fmt.Errorf("%w: %w", errNoMeeting, err)
			break
		}
		err = nil
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errNoMeeting):
		return s.conclude(ctx, RebuildReady, nil, "not switched: "+err.Error())
	case err != nil:
		return fmt.Errorf("switch %s: %w", s.name, err)
	}
	s.halt()
	s.cfg.Logger.InfoContext(ctx, "projection switched to its rebuild", "projection", s.name)
	return nil
}

func (s *site) rename(ctx context.Context, tx pgx.Tx, stopped []uint64) error {
	next, old := nextOf(s.name), oldOf(s.name)
	// The writers of both wait here, or are done: each commit begins with its checkpoint row.
	if _, err := tx.Exec(ctx, "SELECT FROM tidemark.checkpoints WHERE projection IN ($1, $2) ORDER BY projection, partition FOR UPDATE", s.name, next); err != nil {
		return err
	}
	gates := make([]uint64, len(stopped))
	if s.bounds != nil {
		var err error
		if gates, err = s.gates(ctx, tx, stopped); err != nil {
			return err
		}
	}
	if err := forget(ctx, tx, old); err != nil {
		return err
	}
	// Nobody's epoch may fit the row that now has his name.
	var epoch int64
	if err := tx.QueryRow(ctx, "SELECT coalesce(max(epoch), 0) + 1 FROM tidemark.checkpoints WHERE projection IN ($1, $2)", s.name, next).Scan(&epoch); err != nil {
		return err
	}
	for _, step := range [][2]string{{s.name, old}, {next, s.name}} {
		if err := renameModel(ctx, tx, step[0], step[1]); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, "UPDATE tidemark.checkpoints SET epoch = $3 WHERE projection IN ($1, $2)", s.name, old, epoch); err != nil {
		return err
	}
	for p, gate := range gates {
		if _, err := tx.Exec(ctx, "UPDATE tidemark.checkpoints SET gate = $3 WHERE projection = $1 AND partition = $2", s.name, p, signed(gate)); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, "UPDATE tidemark.rebuilds SET state = 'switched', asked = '', detail = '', updated_at = now() WHERE projection = $1", s.name)
	return err
}

// renameModel renames a schema, if it is there, and all that the engine knows of it.
func renameModel(ctx context.Context, tx pgx.Tx, from, to string) error {
	var there bool
	if err := tx.QueryRow(ctx, "SELECT to_regnamespace($1) IS NOT NULL", pgx.Identifier{from}.Sanitize()).Scan(&there); err != nil {
		return err
	}
	if there {
		if _, err := tx.Exec(ctx, "ALTER SCHEMA "+pgx.Identifier{from}.Sanitize()+" RENAME TO "+pgx.Identifier{to}.Sanitize()); err != nil {
			return err
		}
	}
	for _, table := range []string{"checkpoints", "ahead", "parked"} {
		if _, err := tx.Exec(ctx, "UPDATE tidemark."+table+" SET projection = $2 WHERE projection = $1", from, to); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, "UPDATE tidemark.models SET name = $2 WHERE name = $1", from, to)
	return err
}

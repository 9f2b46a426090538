package projections

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/events"
)

// A commit that takes longer has lost its server, whatever the connection says.
const commitPatience = 2 * time.Minute

// postgresSession owns a partition: by an advisory lock while its connection lives, and by the epoch in the
// checkpoint row whatever becomes of the lock.
type postgresSession struct {
	sink      *postgresSink
	conn      *pgx.Conn
	partition int
	epoch     int64
	state     State
}

// load takes the partition over: with the new epoch, whoever had it before is fenced.
func (s *postgresSession) load(ctx context.Context) error {
	name := s.sink.name
	var incarnation string
	var checkpoint, from, through, gate int64
	err := pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO tidemark.checkpoints (projection, partition, incarnation, gate) VALUES ($1, $2, $3, $4)
			ON CONFLICT DO NOTHING`, name, s.partition, s.sink.log.Incarnation(), s.sink.gate)
		if err != nil {
			return err
		}
		err = tx.QueryRow(ctx, `UPDATE tidemark.checkpoints SET epoch = epoch + 1 WHERE projection = $1 AND partition = $2
			RETURNING epoch, incarnation, checkpoint, live_from, live_through, gate`, name, s.partition).
			Scan(&s.epoch, &incarnation, &checkpoint, &from, &through, &gate)
		if err != nil {
			return err
		}
		reactor := ""
		if _, ok := s.sink.handler.(Reactor); ok {
			reactor = s.sink.handler.Name()
		}
		if _, err = tx.Exec(ctx, "SELECT set_config('tidemark.reactor', $1, false), set_config('tidemark.gate', $2, false)",
			reactor, strconv.FormatInt(gate, 10)); err != nil {
			return err
		}
		return s.loadKeys(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("%w: load the progress of %s: %w", ErrTransient, name, err)
	}
	if incarnation != s.sink.log.Incarnation() {
		return fmt.Errorf("%w: the tables of %s belong to the log %s, and this is %s: rebuild them (tidemark projection rebuild %s), or point --postgres at the right database",
			ErrForeign, name, incarnation, s.sink.log.Incarnation(), s.sink.handler.Name())
	}
	s.state.Progress = Progress{Checkpoint: unsigned(checkpoint), LiveFrom: unsigned(from), LiveThrough: unsigned(through)}
	return nil
}

func (s *postgresSession) loadKeys(ctx context.Context, tx pgx.Tx) error {
	s.state.Ahead, s.state.Parked = map[string]uint64{}, map[string]Parked{}
	rows, err := tx.Query(ctx, "SELECT key, sequence FROM tidemark.ahead WHERE projection = $1 AND partition = $2", s.sink.name, s.partition)
	if err != nil {
		return err
	}
	var key string
	var sequence int64
	if _, err := pgx.ForEachRow(rows, []any{&key, &sequence}, func() error {
		s.state.Ahead[key] = unsigned(sequence)
		return nil
	}); err != nil {
		return err
	}
	parked, err := listParked(ctx, tx, "projection = $1 AND partition = $2", s.sink.name, s.partition)
	for _, p := range parked {
		s.state.Parked[p.Key()] = p
	}
	return err
}

func (s *postgresSession) State() State { return s.state }

// Commit takes four round trips, one of them the handler's at least.
func (s *postgresSession) Commit(ctx context.Context, c Commit) (err error) {
	ctx, cancel := context.WithTimeout(ctx, commitPatience)
	defer cancel()
	tx, err := s.conn.Begin(ctx)
	if err != nil {
		return fmt.Errorf("%w: begin: %w", ErrTransient, err)
	}
	committed := false
	defer func() {
		if !committed {
			if failed := tx.Rollback(ctx); failed != nil && !errors.Is(failed, pgx.ErrTxClosed) {
				err = fmt.Errorf("%w: roll back: %w", ErrTransient, errors.Join(failed, err))
			}
		}
	}()
	if err := s.record(ctx, tx, c); err != nil {
		return err
	}
	if len(c.Events) > 0 {
		if err := s.handle(ctx, tx, c.Events); err != nil {
			return judge(ctx, s.conn, err)
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return judge(ctx, s.conn, fmt.Errorf("commit: %w", err))
	}
	committed = true
	return nil
}

// handle turns a panic into an error: one odd event must not take the process down, again and again.
func (s *postgresSession) handle(ctx context.Context, tx pgx.Tx, batch []events.Recorded) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("handler of %s panicked: %v", s.sink.name, r)
		}
	}()
	return s.sink.handler.Apply(ctx, tx, batch)
}

// record writes the progress, and is refused when the epoch is no longer ours.
func (s *postgresSession) record(ctx context.Context, tx pgx.Tx, c Commit) (err error) {
	name := s.sink.name
	var reached *time.Time
	if !c.Time.IsZero() {
		reached = &c.Time
	}
	b := &pgx.Batch{}
	b.Queue(`UPDATE tidemark.checkpoints SET checkpoint = $4, live_from = $5, live_through = $6, reached = coalesce($7, reached), updated_at = now()
		WHERE projection = $1 AND partition = $2 AND epoch = $3`,
		name, s.partition, s.epoch, signed(c.Progress.Checkpoint), signed(c.Progress.LiveFrom), signed(c.Progress.LiveThrough), reached)
	if len(c.Ahead) > 0 {
		keys, sequences := make([]string, 0, len(c.Ahead)), make([]int64, 0, len(c.Ahead))
		for k, seq := range c.Ahead {
			keys, sequences = append(keys, k), append(sequences, signed(seq))
		}
		b.Queue(`INSERT INTO tidemark.ahead (projection, partition, key, sequence) SELECT $1, $2, k, s FROM unnest($3::text[], $4::bigint[]) AS t (k, s)
			ON CONFLICT (projection, partition, key) DO UPDATE SET sequence = excluded.sequence`, name, s.partition, keys, sequences)
	}
	if c.Prune {
		b.Queue("DELETE FROM tidemark.ahead WHERE projection = $1 AND partition = $2 AND sequence <= $3", name, s.partition, signed(c.Progress.Checkpoint))
	}
	if len(c.Unpark) > 0 {
		b.Queue("DELETE FROM tidemark.parked WHERE projection = $1 AND partition = $2 AND key = ANY($3)", name, s.partition, c.Unpark)
	}
	for _, p := range c.Park {
		b.Queue(`INSERT INTO tidemark.parked (projection, partition, key, sequence, type, error, attempts, since) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (projection, partition, key) DO UPDATE SET sequence = excluded.sequence, type = excluded.type, error = excluded.error,
			attempts = excluded.attempts, since = excluded.since, asked = NULL`,
			name, s.partition, p.Key(), signed(p.Sequence), p.Type, cleanText(p.Error), p.Attempts, p.Since)
	}
	results := tx.SendBatch(ctx, b)
	defer func() {
		if failed := results.Close(); failed != nil && err == nil {
			err = fmt.Errorf("%w: record progress of %s: %w", ErrTransient, name, failed)
		}
	}()
	tag, err := results.Exec()
	if err != nil {
		return fmt.Errorf("%w: record progress of %s: %w", ErrTransient, name, err)
	}
	if tag.RowsAffected() != 1 {
		return ErrFenced
	}
	return nil
}

func (s *postgresSession) Requests(ctx context.Context) ([]Request, error) {
	ctx, cancel := context.WithTimeout(ctx, commitPatience)
	defer cancel()
	rows, err := s.conn.Query(ctx, "SELECT key, sequence, asked FROM tidemark.parked WHERE projection = $1 AND partition = $2 AND asked IS NOT NULL",
		s.sink.name, s.partition)
	if err != nil {
		return nil, fmt.Errorf("%w: look for requests: %w", ErrTransient, err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Request, err error) {
		var sequence int64
		err = row.Scan(&r.Key, &sequence, &r.Ask)
		r.Sequence = unsigned(sequence)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("%w: look for requests: %w", ErrTransient, err)
	}
	return out, nil
}

func (s *postgresSession) Close(ctx context.Context) error { return s.conn.Close(ctx) }

// Sequences are kept as bigint; a log that needs the 64th bit is not of this world.
func signed(v uint64) int64   { return int64(v) }  //nolint:gosec // see above
func unsigned(v int64) uint64 { return uint64(v) } //nolint:gosec // see above

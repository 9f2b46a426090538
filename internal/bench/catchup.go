package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/internal/postgres"
)

// catchup measures how fast the read models are made from a log, against COPY of the rows that they end with into
// tables with the same indexes, in the same database.
func catchup(ctx context.Context, o Options, dir string, give func(Result)) error {
	file, data := filepath.Join(dir, "records.jsonl"), filepath.Join(dir, "server")
	_, source, err := records(o, file, o.Size)
	if err != nil {
		return err
	}
	messages, err := importWithoutModels(ctx, o, data, file)
	if err != nil {
		return err
	}
	o.Say("catching up from %d %s", messages, source)
	took, err := buildModels(ctx, o, data)
	if err != nil {
		return err
	}
	o.Say("copying the same rows")
	rows, copied, err := copyModels(ctx, o, data)
	if err != nil {
		return err
	}
	r := Result{
		What:  fmt.Sprintf("read models in Postgres from the log of %d %s, %d rows", messages, source, rows),
		Value: float64(rows) / took.Seconds(), Unit: "rows/s", Raw: float64(rows) / copied.Seconds(),
		Goal: "≥ 0.5 × COPY of the same rows",
	}
	r.Ratio = r.Value / r.Raw
	r.Met = r.Ratio >= 0.5
	give(r)
	return nil
}

func importWithoutModels(ctx context.Context, o Options, data, file string) (messages int, err error) {
	s, err := start(ctx, o, data, "--targets", "api,chat")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.migrated(ctx); err != nil {
		return 0, err
	}
	o.Say("importing, with no read models running")
	messages, _, err = importFile(ctx, o, data, file)
	return messages, err
}

func buildModels(ctx context.Context, o Options, data string) (took time.Duration, err error) {
	s, err := start(ctx, o, data, "--targets", "api,projections")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.migrated(ctx); err != nil { // COPY need not wait for a database that starts either
		return 0, err
	}
	began := time.Now()
	if err := caughtUp(ctx, o, s, readModels); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}

// copyModels copies every table of the read models into one like it, and gives the time that the writing took.
func copyModels(ctx context.Context, o Options, data string) (rows int64, took time.Duration, err error) {
	server, err := postgres.Start(ctx, postgres.Config{Dir: data, Logger: o.Logger})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, server.Stop(context.WithoutCancel(ctx))) }()
	c, err := pgx.Connect(ctx, server.URL())
	if err != nil {
		return 0, 0, fmt.Errorf("connect to the database: %w", err)
	}
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	if _, err := c.Exec(ctx, "SET synchronous_commit = off; CREATE SCHEMA scratch"); err != nil {
		return 0, 0, fmt.Errorf("make a schema: %w", err)
	}
	found, err := c.Query(ctx, "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY ($1)", readModels)
	if err != nil {
		return 0, 0, fmt.Errorf("list tables: %w", err)
	}
	tables, err := pgx.CollectRows(found, pgx.RowToStructByPos[struct{ Schema, Name string }])
	if err != nil {
		return 0, 0, fmt.Errorf("list tables: %w", err)
	}
	for _, t := range tables {
		n, d, err := copyTable(ctx, c, pgx.Identifier{t.Schema, t.Name}.Sanitize(), pgx.Identifier{"scratch", t.Name}.Sanitize())
		if err != nil {
			return 0, 0, err
		}
		rows, took = rows+n, took+d
	}
	return rows, took, nil
}

func copyTable(ctx context.Context, c *pgx.Conn, from, to string) (int64, time.Duration, error) {
	if _, err := c.Exec(ctx, "CREATE TABLE "+to+" (LIKE "+from+" INCLUDING ALL)"); err != nil {
		return 0, 0, fmt.Errorf("make a table like %s: %w", from, err)
	}
	var rows bytes.Buffer
	if _, err := c.PgConn().CopyTo(ctx, &rows, "COPY "+from+" TO STDOUT (FORMAT binary)"); err != nil {
		return 0, 0, fmt.Errorf("read %s: %w", from, err)
	}
	began := time.Now()
	tag, err := c.PgConn().CopyFrom(ctx, &rows, "COPY "+to+" FROM STDIN (FORMAT binary)")
	if err != nil {
		return 0, 0, fmt.Errorf("copy %s: %w", from, err)
	}
	return tag.RowsAffected(), time.Since(began), nil
}

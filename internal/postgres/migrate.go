package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

const (
	migrationsTable = "tidemark_migrations"
	// An advisory lock of the database, so that processes that start together migrate one after the other.
	migrationsLock int64 = 0x7469_6465_6d61_726b // "tidemark"
)

// Migrate brings the database to the newest migration in files, which are goose's SQL files at the top of files. It
// may run in several processes at once: one works, the others wait and find nothing to do.
func Migrate(ctx context.Context, url string, files fs.FS) (err error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return ErrURL.WithCause(err).WithHint("it looks like postgres://user:password@host:5432/tidemark")
	}
	// The table of what was migrated must be found again, also after a migration has made a schema of the user's name.
	cfg.RuntimeParams["search_path"] = "public"
	db := stdlib.OpenDB(*cfg)
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.PingContext(ctx); err != nil {
		return unreachable(err)
	}
	locker, err := lock.NewPostgresSessionLocker(
		lock.WithLockID(migrationsLock),
		lock.WithLockTimeout(1, 300), // seconds between two looks, and how many
	)
	if err != nil {
		return fmt.Errorf("make the migration lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithSessionLocker(locker), goose.WithTableName(migrationsTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		if partial, ok := errors.AsType[*goose.PartialError](err); ok && partial.Failed.Source != nil {
			return fmt.Errorf("migrate: %s: %w", partial.Failed.Source.Path, partial.Err)
		}
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

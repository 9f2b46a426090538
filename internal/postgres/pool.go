package postgres

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

// What can be wrong with a server by URL; compare with errors.Is.
var (
	ErrURL         = fault.New(fault.Invalid, "postgres_url", "the PostgreSQL URL is wrong")
	ErrUnreachable = fault.New(fault.Unavailable, "postgres_unreachable", "PostgreSQL is not reachable")
)

// Options of a pool. The zero value is right for a pool that nothing special is asked of.
type Options struct {
	ApplicationName string // seen in pg_stat_activity; default "tidemark"
	SearchPath      string // schemas for unqualified names, "inbox,timeline"
	MaxConns        int32  // default: 4 for each processor, at least 8
	// Lazy skips the first connection: who must come up while PostgreSQL is down connects when it is used.
	Lazy bool
	// Find tells where the server is each time a connection is made, for an embedded server that is still starting.
	// The URL given to Connect is then only a pattern for the settings. Use it with Lazy.
	Find func(ctx context.Context) (string, error)
}

// Connect opens a pool. Unless it is lazy, the server has answered once when Connect returns. Close the pool.
func Connect(ctx context.Context, url string, o Options) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, ErrURL.WithCause(err).WithHint("it looks like postgres://user:password@host:5432/tidemark")
	}
	params := cfg.ConnConfig.RuntimeParams
	if o.SearchPath != "" {
		params["search_path"] = o.SearchPath
	}
	if o.ApplicationName != "" {
		params["application_name"] = o.ApplicationName
	} else if params["application_name"] == "" {
		params["application_name"] = "tidemark"
	}
	cfg.MaxConns = o.MaxConns
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = int32(max(8, 4*runtime.GOMAXPROCS(0))) //nolint:gosec // a small number
	}
	cfg.MaxConnLifetime = time.Hour
	cfg.MaxConnLifetimeJitter = 10 * time.Minute
	cfg.MaxConnIdleTime = 5 * time.Minute
	cfg.HealthCheckPeriod = 30 * time.Second
	cfg.PingTimeout = 5 * time.Second
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	if o.Find != nil {
		cfg.BeforeConnect = func(ctx context.Context, c *pgx.ConnConfig) error { return redirect(ctx, c, o.Find) }
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, ErrURL.WithCause(err)
	}
	if o.Lazy {
		return pool, nil
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, unreachable(err)
	}
	return pool, nil
}

// unreachable tells a server that refuses us from one that is not there. pgx keeps passwords out of its errors.
func unreachable(err error) error {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return ErrUnreachable.WithCause(err).WithHint("the server answers and refuses (SQLSTATE %s): check user, password and database of the URL", refused.Code)
	}
	return ErrUnreachable.WithCause(err).WithHint("is it running, and is the host and port of the URL right?")
}

// redirect points a connection that is about to be made at the server that find names.
func redirect(ctx context.Context, c *pgx.ConnConfig, find func(ctx context.Context) (string, error)) error {
	url, err := find(ctx)
	if err != nil {
		return err
	}
	to, err := pgx.ParseConfig(url)
	if err != nil {
		return ErrURL.WithCause(err)
	}
	c.Host, c.Port, c.Database, c.User, c.Password = to.Host, to.Port, to.Database, to.User, to.Password
	c.TLSConfig, c.Fallbacks = to.TLSConfig, to.Fallbacks
	return nil
}

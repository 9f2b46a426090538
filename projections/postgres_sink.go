package projections

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Reactor is a Handler that writes intents. Declaring it is what lets WriteIntents work, and what makes the switch
// after a rebuild exact for effects: none is lost and none is asked for twice.
type Reactor interface {
	Handler
	Reacts()
}

// gateShut is the gate of a projection that is being built beside the running one: no intent passes.
const gateShut = int64(1<<63 - 1)

type postgresSink struct {
	pool    *pgxpool.Pool
	handler Handler
	log     Log
	name    string // of the projection and its schema: the handler's, or that with _next
	gate    int64  // of partitions that are new
}

// NewPostgresSink keeps a handler's rows and progress in Postgres, in the schema that has the handler's name. The
// schema is made when it is not there. Each session has a connection of its own, with the pool's configuration.
func NewPostgresSink(pool *pgxpool.Pool, h Handler, log Log) Sink {
	return &postgresSink{pool: pool, handler: h, log: log, name: h.Name()}
}

// newNextSink keeps the rows that are built beside the running ones.
func newNextSink(pool *pgxpool.Pool, h Handler, log Log) *postgresSink {
	return &postgresSink{pool: pool, handler: h, log: log, name: nextOf(h.Name()), gate: gateShut}
}

func (s *postgresSink) Open(ctx context.Context, partition int) (_ Session, err error) {
	conn, err := s.connect(ctx, partition)
	if err != nil {
		return nil, fmt.Errorf("%w: connect: %w", ErrTransient, err)
	}
	session := &postgresSession{sink: s, conn: conn, partition: partition}
	defer func() {
		if err != nil {
			err = errors.Join(err, session.Close(context.WithoutCancel(ctx)))
		}
	}()
	if err := lock(ctx, conn, "projection/"+s.name+"/"+strconv.Itoa(partition)); err != nil {
		return nil, err
	}
	if err := s.ensureSchema(ctx, conn); err != nil {
		return nil, err
	}
	if err := session.load(ctx); err != nil {
		return nil, err
	}
	return session, nil
}

func (s *postgresSink) connect(ctx context.Context, partition int) (*pgx.Conn, error) {
	return dedicated(ctx, s.pool, fmt.Sprintf("tidemark %s/%d", s.name, partition), map[string]string{
		"search_path": pgx.Identifier{s.name}.Sanitize() + ", tidemark",
		// Losing the last commits of a crashed server loses rows and checkpoint together: they are applied again.
		"synchronous_commit": "off",
	})
}

// dedicated is a connection outside the pool, for who holds a lock on it. A host that vanishes gives its locks up
// within seconds.
func dedicated(ctx context.Context, pool *pgxpool.Pool, application string, params map[string]string) (*pgx.Conn, error) {
	of := pool.Config()
	cfg := of.ConnConfig
	if of.BeforeConnect != nil { // it may know better where the server is
		if err := of.BeforeConnect(ctx, cfg); err != nil {
			return nil, err
		}
	}
	p := cfg.RuntimeParams
	p["application_name"] = application
	p["tcp_keepalives_idle"], p["tcp_keepalives_interval"], p["tcp_keepalives_count"] = "5", "2", "3"
	maps.Copy(p, params)
	return pgx.ConnectConfig(ctx, cfg)
}

// lock takes an advisory lock for the life of the connection, or fails with ErrHeld.
func lock(ctx context.Context, conn *pgx.Conn, name string) error {
	var held bool
	err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock(hashtextextended($1, 0))", "tidemark/"+name).Scan(&held)
	if err != nil {
		return fmt.Errorf("%w: lock %s: %w", ErrTransient, name, err)
	}
	if !held {
		return ErrHeld
	}
	return nil
}

// ensureSchema makes the handler's tables. When they are gone, so is the progress that spoke of them; when they have
// another shape, only a rebuild helps.
func (s *postgresSink) ensureSchema(ctx context.Context, conn *pgx.Conn) error {
	digest := digestOf(s.handler)
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", "tidemark/schema/"+s.name); err != nil {
			return err
		}
		var there bool
		var made *string
		err := tx.QueryRow(ctx, `SELECT to_regnamespace($1) IS NOT NULL, (SELECT digest FROM tidemark.models WHERE name = $2)`,
			pgx.Identifier{s.name}.Sanitize(), s.name).Scan(&there, &made)
		if err != nil {
			return err
		}
		if there && made != nil {
			if *made != digest {
				return fmt.Errorf("%w: the tables of %s have another shape than this version needs: run tidemark projection rebuild %s, and then switch",
					ErrForeign, s.name, s.handler.Name())
			}
			return nil
		}
		if err := forget(ctx, tx, s.name); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "CREATE SCHEMA "+pgx.Identifier{s.name}.Sanitize()); err != nil {
			return err
		}
		// Several statements without arguments go as one simple query.
		if _, err := tx.Conn().PgConn().Exec(ctx, s.handler.Schema()).ReadAll(); err != nil {
			return fmt.Errorf("tables of %s: %w", s.name, err)
		}
		_, err = tx.Exec(ctx, "INSERT INTO tidemark.models (name, digest) VALUES ($1, $2)", s.name, digest)
		return err
	})
	if err != nil && !errors.Is(err, ErrForeign) {
		return fmt.Errorf("%w: make schema %s: %w", ErrTransient, s.name, err)
	}
	return err
}

// digestOf tells shapes of tables apart.
func digestOf(h Handler) string {
	sum := sha256.Sum256([]byte(h.Schema()))
	return hex.EncodeToString(sum[:8])
}

// forget removes a read model: its schema, and what the engine knows of it.
func forget(ctx context.Context, tx pgx.Tx, name string) error {
	if _, err := tx.Exec(ctx, "DROP SCHEMA IF EXISTS "+pgx.Identifier{name}.Sanitize()+" CASCADE"); err != nil {
		return err
	}
	for _, table := range []string{"checkpoints", "ahead", "parked"} {
		if _, err := tx.Exec(ctx, "DELETE FROM tidemark."+table+" WHERE projection = $1", name); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, "DELETE FROM tidemark.models WHERE name = $1", name)
	return err
}

// transient classes and codes of SQLSTATE: they say nothing about the events that were applied. Missing tables and
// columns are there because a switch renames schemas under whoever was too slow.
var transient = []string{"08", "25", "40", "53", "55", "57", "58", "XX", "3F000", "42P01", "42703", "42501", "26000", "0A000"}

// judge marks errors that do not blame the events.
func judge(ctx context.Context, conn *pgx.Conn, err error) error {
	if err == nil || errors.Is(err, ErrTransient) || errors.Is(err, ErrFenced) {
		return err
	}
	refused, isRefused := errors.AsType[*pgconn.PgError](err)
	away := ctx.Err() != nil || conn.IsClosed() || pgconn.Timeout(err) || pgconn.SafeToRetry(err)
	if isRefused {
		for _, code := range transient {
			away = away || strings.HasPrefix(refused.Code, code)
		}
	}
	if away {
		return fmt.Errorf("%w: %w", ErrTransient, err)
	}
	return err
}

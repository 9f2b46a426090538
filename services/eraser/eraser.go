// Package eraser ends what internal/erasure begins: it finds the conversations of whoever is erased, and has everything
// that precedes the tombstones purged from the log.
//
// It is a reactor. A projection folds the log into whose each conversation is; a customer's tombstone, and every
// conversation that is heard of after it, becomes an intent in the same transaction. So the list of conversations is the
// log's own, however late it is read, and an erasure that was interrupted goes on by itself, here or in another process,
// also when the database was lost meanwhile: the tombstones are still in the log. Purging what is purged is nothing.
//
// The customer comes last, once every partition has read up to the tombstone and nothing else is waiting, because a
// history that begins with its tombstone says that the erasure has ended. An erasure is never given up.
package eraser

import (
	"context"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/projections"
)

// Name of the projection behind it, and of its schema.
const Name = "erasure"

// Eraser takes what precedes tombstones out of the log. Both may be repeated.
type Eraser interface {
	PurgeConversation(ctx context.Context, org, id string, m command.Meta) error
	PurgeCustomer(ctx context.Context, org, id string) error
}

// Deps is all that the service needs.
type Deps struct {
	Log        projections.Log
	Pool       *pgxpool.Pool
	Eraser     Eraser
	Logger     *slog.Logger
	Registerer prometheus.Registerer // may be nil
	Pace       *projections.Pace     // of the process; nil: one of its own
}

// New makes the service; nothing happens before Run.
func New(d Deps) *projections.Service {
	p := &performer{log: d.Log, pool: d.Pool, fresh: projections.NewFreshness(d.Pool, d.Log), eraser: d.Eraser}
	return projections.NewService(projections.ServiceConfig{
		Reactor: handler{}, Perform: p.perform, Log: d.Log, Pool: d.Pool,
		Logger: d.Logger, Registerer: d.Registerer, Pace: d.Pace,
	})
}

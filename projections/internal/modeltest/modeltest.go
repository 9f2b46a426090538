// Package modeltest is what the tests of the read models share: a database with a model's tables, streams of events as
// the log could hold them, and the ways in which the engine could hand them over. It is for tests alone.
package modeltest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// Handler is a read model, as the engine knows it.
type Handler interface {
	Name() string
	Kinds() []events.Kind
	Schema() string
	Apply(ctx context.Context, tx pgx.Tx, batch []events.Recorded) error
}

// Pool is a fresh database with the tables of a model, and its search_path set as the engine sets it.
func Pool(tb testing.TB, h Handler) *pgxpool.Pool {
	tb.Helper()
	config, err := pgxpool.ParseConfig(testkit.Postgres(tb))
	if err != nil {
		tb.Fatal(err)
	}
	config.ConnConfig.RuntimeParams["search_path"] = h.Name()
	config.ConnConfig.RuntimeParams["synchronous_commit"] = "off"
	config.MaxConns = 20
	pool, err := pgxpool.NewWithConfig(tb.Context(), config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	if _, err := pool.Exec(tb.Context(), "CREATE SCHEMA "+h.Name()+"; "+h.Schema()); err != nil {
		tb.Fatal(err)
	}
	return pool
}

// Apply hands over one batch, in a transaction of its own.
func Apply(ctx context.Context, pool *pgxpool.Pool, h Handler, batch []events.Recorded) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return h.Apply(ctx, tx, batch) })
}

// Empty empties the tables.
func Empty(ctx context.Context, pool *pgxpool.Pool, tables ...string) error {
	var errs []error
	for _, t := range tables {
		_, err := pool.Exec(ctx, "DELETE FROM "+pgx.Identifier{t}.Sanitize())
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Log makes events as the log would record them.
type Log struct {
	Events    []events.Recorded
	sequence  uint64
	revisions map[events.Aggregate]uint64
}

// Epoch is the time of the first event; each is a second later than the one before.
var Epoch = time.Date(2026, 3, 1, 8, 0, 0, 123456789, time.UTC)

// Add records one event of an aggregate, done by an agent.
func (l *Log) Add(org string, kind events.Kind, id string, e events.Event) events.Recorded {
	if l.revisions == nil {
		l.revisions = map[events.Aggregate]uint64{}
	}
	a := events.Aggregate{Org: org, Kind: kind, ID: id}
	l.sequence++
	l.revisions[a]++
	r := events.Recorded{
		Metadata: events.Metadata{
			ID: fmt.Sprintf("e%d", l.sequence), Time: Epoch.Add(time.Duration(len(l.Events)+1) * time.Second),
			Actor: events.Actor{Type: events.ActorAgent, ID: "ann"}, Revision: l.revisions[a],
		},
		Aggregate: a, Sequence: l.sequence, Event: e,
	}
	l.Events = append(l.Events, r)
	return r
}

// Conversation records events of a conversation.
func (l *Log) Conversation(org, id string, list ...events.Event) {
	for _, e := range list {
		l.Add(org, events.KindConversation, id, e)
	}
}

// Customer records events of a customer.
func (l *Log) Customer(org, id string, list ...events.Event) {
	for _, e := range list {
		l.Add(org, events.KindCustomer, id, e)
	}
}

package api

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/projections"
)

// Operator is the Admin of the projections that are kept in Postgres, and of the search index.
type Operator struct {
	Pool  *pgxpool.Pool
	Index Index
}

// Index is what operators ask of the search index, wherever it is.
type Index interface {
	Parked(ctx context.Context) ([]projections.Parked, error)
	RetryParked(ctx context.Context, key string, sequence uint64) error
	DropParked(ctx context.Context, key string, sequence uint64) error
}

// Rebuilds lists the newest rebuild of every projection.
func (o Operator) Rebuilds(ctx context.Context) ([]projections.Rebuild, error) {
	return projections.ListRebuilds(ctx, o.Pool)
}

// Rebuild asks for a rebuild.
func (o Operator) Rebuild(ctx context.Context, name string) error {
	return projections.RequestRebuild(ctx, o.Pool, name)
}

// Ask asks a rebuild for its next step.
func (o Operator) Ask(ctx context.Context, name, what string) error {
	return projections.AskRebuild(ctx, o.Pool, name, what)
}

// Parked lists the keys that wait; an empty name means those of every projection in Postgres.
func (o Operator) Parked(ctx context.Context, name string) ([]projections.Parked, error) {
	if name == searchIndex {
		return o.Index.Parked(ctx)
	}
	return projections.ListParked(ctx, o.Pool, name)
}

// RetryParked asks to apply what failed again.
func (o Operator) RetryParked(ctx context.Context, name, key string, sequence uint64) error {
	if name == searchIndex {
		return o.Index.RetryParked(ctx, key, sequence)
	}
	return projections.RetryParked(ctx, o.Pool, name, key, sequence)
}

// DropParked asks to skip what failed.
func (o Operator) DropParked(ctx context.Context, name, key string, sequence uint64) error {
	if name == searchIndex {
		return o.Index.DropParked(ctx, key, sequence)
	}
	return projections.DropParked(ctx, o.Pool, name, key, sequence)
}

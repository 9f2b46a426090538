// Package reactortest is what the tests of reactors share: a database with the engine's tables, running one as a process
// does, and a rebuild from its beginning to its end.
package reactortest

import (
	"context"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/internal/postgres"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/migrations"
)

// Database is a fresh one with the engine's tables.
func Database(tb testing.TB) (url string) {
	tb.Helper()
	url = testkit.Postgres(tb)
	if err := postgres.Migrate(tb.Context(), url, migrations.Files); err != nil {
		tb.Fatal(err)
	}
	return url
}

// Connect is a pool of a process's own.
func Connect(tb testing.TB, url string) *pgxpool.Pool {
	tb.Helper()
	pool, err := postgres.Connect(tb.Context(), url, postgres.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return pool
}

// Run runs the parts of a process over its pool until the test ends or stop is called, which waits for them. An error of
// a part fails the test.
func Run(tb testing.TB, pool *pgxpool.Pool, parts ...func(context.Context) error) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	var running sync.WaitGroup
	for _, part := range parts {
		running.Go(func() {
			if err := part(ctx); err != nil {
				tb.Error(err)
			}
		})
	}
	stop = sync.OnceFunc(func() { cancel(); running.Wait(); pool.Close() })
	tb.Cleanup(stop)
	return stop
}

// Rebuild builds the tables of a running reactor anew beside them, which must be equal, and switches to them.
func Rebuild(tb testing.TB, pool *pgxpool.Pool, name string) {
	tb.Helper()
	if err := projections.RequestRebuild(tb.Context(), pool, name); err != nil {
		tb.Fatal(err)
	}
	comesTo := func(state projections.RebuildState) projections.Rebuild {
		tb.Helper()
		var r projections.Rebuild
		testkit.Until(tb, "the rebuild is "+string(state), func() bool {
			var err error
			if r, err = projections.FindRebuild(tb.Context(), pool, name); err != nil {
				tb.Fatal(err)
			}
			return r.State == state && r.Asked == ""
		})
		return r
	}
	ask := func(what string, then projections.RebuildState) projections.Rebuild {
		tb.Helper()
		if err := projections.AskRebuild(tb.Context(), pool, name, what); err != nil {
			tb.Fatal(err)
		}
		return comesTo(then)
	}
	comesTo(projections.RebuildReady)
	if r := ask(projections.AskCompare, projections.RebuildCompared); !*r.Equal {
		tb.Errorf("the rebuilt tables differ: %s", r.Detail)
	}
	ask(projections.AskSwitch, projections.RebuildSwitched)
}

package api_test

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/internal/postgres"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/inbox"
	"github.com/tidemark-desk/tidemark/projections/ledger"
	"github.com/tidemark-desk/tidemark/services/api"
)

// frozen is a pool on a database that takes connections and never answers a query.
func frozen(t *testing.T) *pgxpool.Pool {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { freeze(conn) })
		}
	})
	pool, err := postgres.Connect(t.Context(), "postgres://u@"+listener.Addr().String()+"/d?sslmode=disable", postgres.Options{Lazy: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		pool.Close()
		_ = listener.Close()
		serving.Wait()
	})
	return pool
}

// freeze greets a client as PostgreSQL does, and then only listens until it leaves.
func freeze(conn net.Conn) {
	defer conn.Close()
	backend := pgproto3.NewBackend(conn, conn)
	first, err := backend.ReceiveStartupMessage()
	if _, gaveUp := first.(*pgproto3.CancelRequest); err != nil || gaveUp {
		return
	}
	backend.Send(&pgproto3.AuthenticationOk{})
	backend.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if backend.Flush() != nil {
		return
	}
	for {
		m, err := backend.Receive()
		if _, bye := m.(*pgproto3.Terminate); err != nil || bye {
			return
		}
	}
}

// TestADatabaseThatNeverAnswers: reads end as a problem, all of those that wait at once.
func TestADatabaseThatNeverAnswers(t *testing.T) {
	t.Parallel()
	b := setup(t, func(_ *bundle, d *api.Deps) {
		d.Reads.Inbox, d.Timeout, d.Logger = inbox.NewReader(frozen(t)), 100*time.Millisecond, nil
	})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			p := b.refused(503, "timeout", "GET", "/v1/conversations", b.acme.userKey, nil)
			if p.Hint == "" {
				t.Errorf("%+v", p)
			}
		})
	}
	all.Wait()
}

// TestProgressThatNeverComes: those who ask how far the read models are take turns, and each turn ends.
func TestProgressThatNeverComes(t *testing.T) {
	t.Parallel()
	b := setup(t, func(b *bundle, d *api.Deps) {
		d.Reads.Freshness, d.Timeout, d.Logger = projections.NewFreshness(frozen(t), b.log), 100*time.Millisecond, nil
	})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			a := b.do("GET", "/v1/conversations", b.acme.userKey, nil)
			if a.status != 503 || !slices.Contains([]string{"timeout", "read_models_unavailable"}, a.str("code")) {
				t.Errorf("%d %s", a.status, a.raw)
			}
		})
	}
	all.Wait()
}

// patient is a ledger that tells how long it may take.
type patient struct{ left time.Duration }

func (p *patient) Account(ctx context.Context, _ ledger.Question) (ledger.Report, error) {
	if until, ok := ctx.Deadline(); ok {
		p.left = time.Until(until)
	}
	return ledger.Report{}, nil
}

// TestTheLedgerMayTakeLonger: it reads the whole log, and is not cut off when another answer would be.
func TestTheLedgerMayTakeLonger(t *testing.T) {
	t.Parallel()
	books := &patient{}
	b := setup(t, func(_ *bundle, d *api.Deps) { d.Ledger, d.Timeout = books, 5*time.Second })
	b.ok(200, "GET", "/v1/admin/ledger", b.acme.adminKey, nil)
	if books.left <= time.Minute {
		t.Errorf("it has %s", books.left)
	}
}

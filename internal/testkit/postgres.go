package testkit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/internal/postgres"
)

// PostgresVariable names the server whose databases tests use: a URL of a user who may create databases.
const PostgresVariable = "TIDEMARK_TEST_POSTGRES"

// shared is the server of this test binary, when no other is named.
var shared struct {
	sync.Mutex
	server *postgres.Server
	dir    string
}

// Postgres is the URL of a fresh, empty database. It is dropped with the test, whoever is still connected.
func Postgres(tb testing.TB) string {
	tb.Helper()
	admin, err := adminURL(tb.Context())
	if err != nil {
		tb.Fatalf("a PostgreSQL for tests: %v", err)
	}
	name := "t_" + strings.ToLower(rand.Text())
	if err := execute(tb.Context(), admin, "CREATE DATABASE "+name); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := execute(context.WithoutCancel(tb.Context()), admin, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			tb.Error(err)
		}
	})
	u, err := url.Parse(admin)
	if err != nil {
		tb.Fatalf("%s is no URL: %v", PostgresVariable, err)
	}
	u.Path = "/" + name
	return u.String()
}

// PostgresServer is a server for this test alone, to be stopped, started and killed by it.
func PostgresServer(tb testing.TB) *postgres.Server {
	tb.Helper()
	server, err := postgres.Start(tb.Context(), postgres.Config{Dir: Dir(tb), Volatile: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := server.Stop(context.WithoutCancel(tb.Context())); err != nil {
			tb.Error(err)
		}
	})
	return server
}

// adminURL starts the shared server at its first use.
func adminURL(ctx context.Context) (string, error) {
	if named := os.Getenv(PostgresVariable); named != "" {
		return named, nil
	}
	if !mainRuns.Load() {
		return "", errors.New("nobody would stop it: add func TestMain(m *testing.M) { testkit.Main(m) } to the package")
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		SweepDirs(ctx)
		dir, err := NewDir()
		if err != nil {
			return "", err
		}
		server, err := postgres.Start(ctx, postgres.Config{Dir: dir, Volatile: true})
		if err != nil {
			return "", errors.Join(err, os.RemoveAll(dir))
		}
		shared.server, shared.dir = server, dir
	}
	return shared.server.ConnString("postgres"), nil
}

func stopShared() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // the end of a test binary has no caller
	cancel()                                                // nothing in there is worth a checkpoint
	err := errors.Join(shared.server.Stop(ctx), os.RemoveAll(shared.dir))
	shared.server = nil
	return err
}

func execute(ctx context.Context, url, statement string) (err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect to the test server: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

package postgres_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/internal/postgres"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// childVariable makes this test binary a Tidemark that owns the server in the directory it names, and can be killed.
const childVariable = "TIDEMARK_POSTGRES_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		if _, err := postgres.Start(context.Background(), postgres.Config{Dir: dir, Volatile: true}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Fprintln(os.Stdout, "ready")
		select {}
	}
	testkit.Main(m)
}

// start runs a server of the test's own in dir, and stops it with the test.
func start(t *testing.T, cfg postgres.Config) *postgres.Server {
	t.Helper()
	cfg.Volatile = true
	s, err := postgres.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return s
}

// exec runs a statement on a connection of its own.
func exec(t *testing.T, s *postgres.Server, statement string) {
	t.Helper()
	conn := connect(t, s)
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// ask returns the one value that the query gives.
func ask(t *testing.T, s *postgres.Server, query string) string {
	t.Helper()
	var answer string
	if err := connect(t, s).QueryRow(t.Context(), query).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return answer
}

func connect(t *testing.T, s *postgres.Server) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// await returns when the condition holds, or fails the test with what it saw last.
func await(t *testing.T, s *postgres.Server, holds func(postgres.State) bool) postgres.State {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		state := s.State()
		if holds(state) {
			return state
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("still %+v", state)
		}
	}
}

func TestStopLeavesTheData(t *testing.T) {
	t.Parallel()
	s := start(t, postgres.Config{Dir: testkit.Dir(t)})
	exec(t, s, "CREATE TABLE kept AS SELECT 'yes' AS answer")
	for name, hurried := range map[string]bool{"patient": false, "hurried": true} {
		ctx, cancel := context.WithCancel(t.Context())
		if hurried {
			cancel()
		}
		if err := s.Stop(ctx); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		cancel()
		if got := s.State(); got.Phase != postgres.Stopped {
			t.Errorf("%s: state after Stop is %+v", name, got)
		}
		if conn, err := pgx.Connect(t.Context(), s.URL()); err == nil {
			_ = conn.Close(t.Context())
			t.Errorf("%s: a stopped server answers", name)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Errorf("%s: stop again: %v", name, err)
		}
		if err := s.Start(t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := s.State(); got.Phase != postgres.Running || got.PID == 0 || got.Adopted {
			t.Errorf("%s: state after Start is %+v", name, got)
		}
		if got := ask(t, s, "SELECT answer FROM kept"); got != "yes" {
			t.Errorf("%s: answer = %q", name, got)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	dir := testkit.Dir(t)
	s := start(t, postgres.Config{Dir: dir})
	for query, want := range map[string]string{
		"SHOW listen_addresses":        "", // no TCP
		"SHOW unix_socket_permissions": "0700",
		"SHOW wal_level":               "minimal",
		"SHOW jit":                     "off",
		"SHOW data_checksums":          "on",
		"SHOW timezone":                "UTC",
		"SELECT lower('ÅÉ')":           "åé",
		"SELECT current_database()":    "tidemark",
		"SELECT (SELECT min(c) FROM (VALUES ('a'), ('B')) AS v(c))": "B", // byte order
	} {
		if got := ask(t, s, query); got != want {
			t.Errorf("%s = %q, want %q", query, got, want)
		}
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/postgres/data/local.conf", []byte("work_mem = '11MB'\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, s, "SHOW work_mem"); got != "11MB" {
		t.Errorf("work_mem = %s: local.conf does not win", got)
	}
}

func TestStartRepairsAnUnfinishedInitdb(t *testing.T) {
	t.Parallel()
	dir := testkit.Dir(t)
	if err := os.MkdirAll(dir+"/postgres/data.new/base", 0o700); err != nil {
		t.Fatal(err)
	}
	s := start(t, postgres.Config{Dir: dir})
	if got := ask(t, s, "SELECT 'up'"); got != "up" {
		t.Error(got)
	}
}

package postgres_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/postgres"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

const nobodyThere = "postgres:///tidemark?host=/nowhere&user=tidemark"

func TestConnect(t *testing.T) {
	t.Parallel()
	pool, err := postgres.Connect(t.Context(), testkit.Postgres(t),
		postgres.Options{ApplicationName: "inbox reader", SearchPath: "inbox, timeline"})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for query, want := range map[string]string{
		"SHOW application_name": "inbox reader",
		"SHOW search_path":      "inbox, timeline",
	} {
		var got string
		if err := pool.QueryRow(t.Context(), query).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, %v, want %q", query, got, err, want)
		}
	}
}

func TestConnectTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	noDatabase, _, _ := strings.Cut(testkit.Postgres(t), "?")
	whole := testkit.Postgres(t)
	for name, c := range map[string]struct {
		url   string
		want  *fault.Fault
		words string
	}{
		"no URL":      {"host port", postgres.ErrURL, "it looks like postgres://"},
		"nobody":      {nobodyThere, postgres.ErrUnreachable, "is it running"},
		"no database": {strings.Replace(whole, whole[strings.LastIndex(noDatabase, "/t_"):len(noDatabase)], "/none", 1), postgres.ErrUnreachable, "SQLSTATE 3D000"},
		"secret":      {"postgres://u:hunter2@/x?host=/nowhere", postgres.ErrUnreachable, "is it running"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := postgres.Connect(t.Context(), c.url, postgres.Options{})
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.words) {
				t.Errorf("error is %v, want %v with %q", err, c.want, c.words)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the password is in %q", err)
			}
			if err := postgres.Migrate(t.Context(), c.url, migrations); !errors.Is(err, c.want) {
				t.Errorf("migrate: %v", err)
			}
		})
	}
}

func TestLazyPoolComesUpWithoutTheServer(t *testing.T) {
	t.Parallel()
	s := testkit.PostgresServer(t)
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	pool, err := postgres.Connect(t.Context(), s.URL(), postgres.Options{Lazy: true})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if err := pool.Ping(t.Context()); err == nil {
		t.Error("a stopped server answers")
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := pool.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

var migrations = fstest.MapFS{
	"0001_desk.sql": {Data: []byte("-- +goose Up\nCREATE SCHEMA desk;\nCREATE TABLE desk.runs (n bigint GENERATED ALWAYS AS IDENTITY);\n")},
	"0002_run.sql":  {Data: []byte("-- +goose Up\nINSERT INTO desk.runs DEFAULT VALUES;\n")},
}

func TestMigrateTogether(t *testing.T) {
	t.Parallel()
	url := testkit.Postgres(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := postgres.Migrate(t.Context(), url, migrations); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	var runs int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM desk.runs").Scan(&runs); err != nil || runs != 1 {
		t.Errorf("%d runs, %v, want one", runs, err)
	}
}

// The embedded server's user is called as the engine's schema is, and unqualified names prefer a schema of that name.
func TestMigrateAgainAfterASchemaOfTheUsersName(t *testing.T) {
	t.Parallel()
	url := testkit.Postgres(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	var user string
	if err := conn.QueryRow(t.Context(), "SELECT current_user").Scan(&user); err != nil {
		t.Fatal(err)
	}
	own := pgx.Identifier{user}.Sanitize()
	files := fstest.MapFS{"0001_own.sql": {Data: []byte("-- +goose Up\nCREATE SCHEMA " + own + ";\nCREATE TABLE " + own + ".rows ();\n")}}
	for range 2 {
		if err := postgres.Migrate(t.Context(), url, files); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMigrateFailsWhole(t *testing.T) {
	t.Parallel()
	url := testkit.Postgres(t)
	broken := fstest.MapFS{"0001_half.sql": {Data: []byte("-- +goose Up\nCREATE TABLE half ();\nCREATE TABLE nowhere.half ();\n")}}
	if err := postgres.Migrate(t.Context(), url, broken); err == nil || !strings.Contains(err.Error(), "0001_half.sql") {
		t.Errorf("error is %v, want one that names the file", err)
	}
	mended := fstest.MapFS{"0001_half.sql": {Data: []byte("-- +goose Up\nCREATE TABLE half ();\n")}}
	if err := postgres.Migrate(t.Context(), url, mended); err != nil {
		t.Errorf("half of a migration was left: %v", err)
	}
}

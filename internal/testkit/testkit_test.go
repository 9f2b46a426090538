package testkit_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestPostgresGivesEachTestItsOwnDatabase(t *testing.T) {
	t.Parallel()
	for _, url := range []string{testkit.Postgres(t), testkit.Postgres(t)} {
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		// The second would fail in the database of the first.
		if _, err := conn.Exec(t.Context(), "CREATE TABLE only_once ()"); err != nil {
			t.Error(err)
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestPostgresDropsTheDatabaseInUse(t *testing.T) {
	t.Parallel()
	var url string
	var conn *pgx.Conn
	t.Run("inner", func(t *testing.T) { // its end is what the rest looks at
		var err error
		url = testkit.Postgres(t)
		if conn, err = pgx.Connect(t.Context(), url); err != nil {
			t.Fatal(err)
		}
	})
	defer conn.Close(t.Context())
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("still connected to the database of a test that has ended")
	}
	if again, err := pgx.Connect(t.Context(), url); err == nil {
		_ = again.Close(t.Context())
		t.Error("the database is still there")
	}
}

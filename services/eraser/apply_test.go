package eraser

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/postgres"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections/migrations"
)

// tables is a database with the engine's tables and the handler's.
func tables(t *testing.T) *pgxpool.Pool {
	t.Helper()
	url := testkit.Postgres(t)
	if err := postgres.Migrate(t.Context(), url, migrations.Files); err != nil {
		t.Fatal(err)
	}
	pool, err := postgres.Connect(t.Context(), url, postgres.Options{SearchPath: Name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if _, err := pool.Exec(t.Context(), "CREATE SCHEMA "+Name+"; "+schema); err != nil {
		t.Fatal(err)
	}
	return pool
}

// begin is a transaction as the engine opens it for a reactor.
func begin(ctx context.Context, pool *pgxpool.Pool) (pgx.Tx, error) {
	tx, err := pool.Begin(ctx)
	if err == nil {
		_, err = tx.Exec(ctx, "SELECT set_config('tidemark.reactor', $1, true), set_config('tidemark.gate', '0', true)", Name)
	}
	return tx, err
}

func apply(ctx context.Context, pool *pgxpool.Pool, batch ...events.Recorded) error {
	tx, err := begin(ctx, pool)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx) // what was committed stays
	if err := (handler{}).Apply(ctx, tx, batch); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// asked is what the intents ask for, by key: conversations, and customers in the order of their intents.
func asked(t *testing.T, pool *pgxpool.Pool) (conversationsOf, peopleOf map[string][]string) {
	t.Helper()
	rows, err := pool.Query(t.Context(), "SELECT org || '/' || key, kind, payload FROM tidemark.intents ORDER BY cause, id")
	if err != nil {
		t.Fatal(err)
	}
	conversationsOf, peopleOf = map[string][]string{}, map[string][]string{}
	var k, kind string
	var payload []byte
	_, err = pgx.ForEachRow(rows, []any{&k, &kind, &payload}, func() error {
		if kind == intentConversations {
			var what conversations
			err := json.Unmarshal(payload, &what)
			conversationsOf[k] = append(conversationsOf[k], what.IDs...)
			return err
		}
		var who person
		err := json.Unmarshal(payload, &who)
		peopleOf[k] = append(peopleOf[k], fmt.Sprint(who.ID, who.Root))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, ids := range conversationsOf {
		slices.Sort(ids)
	}
	return conversationsOf, peopleOf
}

func recorded(sequence uint64, org string, kind events.Kind, id string, e events.Event) events.Recorded {
	return events.Recorded{Aggregate: events.Aggregate{Org: org, Kind: kind, ID: id}, Sequence: sequence, Event: e}
}

func opened(sequence uint64, org, id, customer string) events.Recorded {
	return recorded(sequence, org, events.KindConversation, id, events.ConversationOpened{CustomerID: customer})
}

func stone(sequence uint64, org, id, with string) events.Recorded {
	return recorded(sequence, org, events.KindCustomer, id, events.CustomerErased{Reason: "requested", WithID: with})
}

// TestAnyOrder: whatever is heard of first, every conversation of whoever is erased is asked for once, and nobody else's.
func TestAnyOrder(t *testing.T) {
	t.Parallel()
	pool := tables(t)
	story := []events.Recorded{
		opened(1, "acme", "c1", "old"),
		opened(2, "acme", "c2", "zoe"),
		stone(3, "acme", "old", "zoe"),
		stone(4, "acme", "zoe", ""),
		opened(5, "acme", "late", "zoe"),
	}
	others := []events.Recorded{opened(6, "acme", "kept", "bob"), opened(7, "rival", "c1", "zoe"), opened(8, "rival", "x", "old")}
	orders := 0
	permute(story, func(order []events.Recorded) {
		orders++
		if _, err := pool.Exec(t.Context(), "DELETE FROM tidemark.intents; DELETE FROM erasure_conversations; DELETE FROM erasure_customers"); err != nil {
			t.Fatal(err)
		}
		batches := [][]events.Recorded{others}
		for i := 0; i < len(order); { // cut into batches of one and of two, differently in each order
			n := min(1+(orders+i)%2, len(order)-i)
			batches = append(batches, order[i:i+n])
			i += n
		}
		for _, batch := range batches {
			if err := apply(t.Context(), pool, batch...); err != nil {
				t.Fatal(err)
			}
		}
		gotConversations, gotPeople := asked(t, pool)
		if want := map[string][]string{"acme/zoe": {"c1", "c2", "late"}}; !maps.EqualFunc(gotConversations, want, slices.Equal[[]string]) {
			t.Errorf("%v: conversations %v", order, gotConversations)
		}
		if want := map[string][]string{"acme/zoe": {"oldfalse", "zoetrue"}}; !maps.EqualFunc(gotPeople, want, slices.Equal[[]string]) {
			t.Errorf("%v: people %v", order, gotPeople)
		}
	})
	if orders != 120 {
		t.Errorf("%d orders", orders)
	}
}

// permute calls fn with every order of a list.
func permute[T any](list []T, fn func([]T)) {
	var with func(done, left []T)
	with = func(done, left []T) {
		if len(left) == 0 {
			fn(done)
		}
		for i := range left {
			with(append(slices.Clip(done), left[i]), slices.Delete(slices.Clone(left), i, i+1))
		}
	}
	with(nil, list)
}

// TestNeitherMissesTheOther has a tombstone and a conversation meet while one of them is not committed yet.
func TestNeitherMissesTheOther(t *testing.T) {
	t.Parallel()
	conversation, tombstone := opened(1, "acme", "c", "zoe"), stone(2, "acme", "zoe", "")
	for name, order := range map[string][2]events.Recorded{
		"the conversation first": {conversation, tombstone},
		"the tombstone first":    {tombstone, conversation},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := tables(t)
			first, err := begin(t.Context(), pool)
			if err != nil {
				t.Fatal(err)
			}
			if err := (handler{}).Apply(t.Context(), first, order[:1]); err != nil {
				t.Fatal(err)
			}
			second := make(chan error, 1)
			go func() { second <- apply(t.Context(), pool, order[1]) }()
			testkit.Until(t, "the second waits for the first", func() (waits bool) {
				err := pool.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'erasure_customers'::regclass)").Scan(&waits)
				if err != nil {
					t.Fatal(err)
				}
				return waits
			})
			if err := first.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := <-second; err != nil {
				t.Fatal(err)
			}
			if got, _ := asked(t, pool); !slices.Equal(got["acme/zoe"], []string{"c"}) {
				t.Errorf("asked for %v", got)
			}
		})
	}
}

package customers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections/customers/db"
	"github.com/tidemark-desk/tidemark/projections/internal/keyset"
	"github.com/tidemark-desk/tidemark/projections/internal/modeltest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func folded(stream []events.Recorded) map[key]*state {
	states := map[key]*state{}
	for _, r := range stream {
		if r.Kind != events.KindCustomer {
			continue
		}
		k := key{r.Org, r.Aggregate.ID}
		if states[k] == nil {
			states[k] = &state{}
		}
		states[k].fold(r)
	}
	return states
}

func all[T any](ctx context.Context, tb rapid.TB, pool *pgxpool.Pool, table string) []T {
	tb.Helper()
	rows, err := pool.Query(ctx, "SELECT * FROM "+table)
	if err != nil {
		tb.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[T])
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

func TestRowsEqualAFold(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	ctx := t.Context()
	rapid.Check(t, func(rt *rapid.T) {
		if err := modeltest.Empty(ctx, pool, "customer_profiles", "customer_identities", "customer_erasures"); err != nil {
			rt.Fatal(err)
		}
		stream := modeltest.Draw(rt)
		for _, batch := range modeltest.Batches(rt, stream) {
			if err := modeltest.Apply(ctx, pool, Projection{}, batch); err != nil {
				rt.Fatal(err)
			}
		}
		identities := map[key][]db.CustomerIdentity{}
		for _, i := range all[db.CustomerIdentity](ctx, rt, pool, "customer_identities") {
			identities[key{i.Org, i.CustomerID}] = append(identities[key{i.Org, i.CustomerID}], i)
		}
		got := map[key]Customer{}
		for _, row := range all[db.CustomerProfile](ctx, rt, pool, "customer_profiles") {
			c, err := customer(row, identities[key{row.Org, row.ID}])
			if err != nil {
				rt.Fatal(err)
			}
			got[key{row.Org, row.ID}] = c
			delete(identities, key{row.Org, row.ID})
		}
		if len(identities) > 0 {
			rt.Fatalf("identities of nobody: %v", identities)
		}
		want, erasures := map[key]Customer{}, map[key]uint64{}
		for k, s := range folded(stream) {
			if s.erased {
				erasures[k] = s.Sequence
				continue
			}
			want[k] = s.Customer
		}
		if !reflect.DeepEqual(got, want) {
			rt.Fatalf("rows %+v\nfold %+v", got, want)
		}
		tombstones := map[key]uint64{}
		for _, e := range all[db.CustomerErasure](ctx, rt, pool, "customer_erasures") {
			tombstones[key{e.Org, e.ID}] = uint64(e.Sequence)
		}
		if !maps.Equal(tombstones, erasures) {
			rt.Fatalf("erasures %v, the fold has %v", tombstones, erasures)
		}
	})
}

// TestRebuiltFromWhatIsLeft: once an erasure has ended, the tables are those that a replay of the purged log gives.
func TestRebuiltFromWhatIsLeft(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	tables := []string{"customer_profiles", "customer_identities", "customer_erasures"}
	rapid.Check(t, func(rt *rapid.T) {
		whole, left := modeltest.Erase(modeltest.Draw(rt))
		var dumps [2][]string
		for i, stream := range [][]events.Recorded{whole, left} {
			if err := modeltest.Empty(t.Context(), pool, tables...); err != nil {
				rt.Fatal(err)
			}
			for _, batch := range modeltest.Batches(rt, stream) {
				if err := modeltest.Apply(t.Context(), pool, Projection{}, batch); err != nil {
					rt.Fatal(err)
				}
			}
			var err error
			if dumps[i], err = modeltest.Dump(t.Context(), pool, tables...); err != nil {
				rt.Fatal(err)
			}
		}
		if !slices.Equal(dumps[0], dumps[1]) {
			rt.Fatalf("live    %q\nrebuilt %q", dumps[0], dumps[1])
		}
	})
}

func email(address string) events.Identity {
	return events.Identity{Type: events.IdentityEmail, Value: address}
}

func identified(address string) events.Event {
	return events.CustomerIdentified{Identity: email(address)}
}

// people are customers with all sorts of names, the same ids in two orgs.
func people(tb testing.TB, pool *pgxpool.Pool) *modeltest.Log {
	tb.Helper()
	log := &modeltest.Log{}
	for i, name := range []string{
		"Ann", "ann", "ANNA", "Bob", "Änne", "", "  Ann Lee", "李雷", "😀", "o'Neil; --", "100%", "_", strings.Repeat("Ann", 5000),
		"\x00", "Ann\U0010FFFFx",
	} {
		log.Customer("acme", fmt.Sprintf("u%02d", i), events.CustomerCreated{Name: name}, identified(fmt.Sprintf("%d@example.org", i)))
		log.Customer("globex", fmt.Sprintf("u%02d", i), events.CustomerCreated{Name: "Ann of theirs"})
	}
	log.Customer("acme", "old", events.CustomerCreated{Name: "Ann Old"}, identified("old@example.org"), events.CustomerMerged{IntoID: "u00"})
	log.Customer("acme", "u00", events.CustomerAbsorbed{FromID: "old", Identities: []events.Identity{email("old@example.org")}})
	log.Customer("acme", "gone", events.CustomerCreated{Name: "Ann Gone"}, identified("gone@example.org"), events.CustomerErased{Reason: "asked"})
	if err := modeltest.Apply(tb.Context(), pool, Projection{}, log.Events); err != nil {
		tb.Fatal(err)
	}
	return log
}

func TestList(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	states := folded(people(t, pool).Events)
	reader := NewReader(pool)
	for _, prefix := range []string{"", "a", "Ann", "ANN ", "Ä", "李", "😀", "o'neil; --", "%", "_", "zzz", "\x00", strings.Repeat("Ann", 40)} {
		var want []Customer
		for k, s := range states {
			in := strings.HasPrefix(nameKey(s.Name), nameKey(strings.ReplaceAll(prefix, "\x00", "\uFFFD")))
			if k.org == "acme" && in && s.MergedInto == "" && !s.erased {
				want = append(want, s.Customer)
			}
		}
		slices.SortFunc(want, func(a, b Customer) int {
			return cmp.Or(cmp.Compare(nameKey(a.Name), nameKey(b.Name)), cmp.Compare(a.ID, b.ID))
		})
		var got []Customer
		for q := (Query{NamePrefix: prefix, Limit: 2}); ; {
			page, err := reader.List(t.Context(), "acme", q)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, page.Items...)
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%.20q: %d customers, want %d", prefix, len(got), len(want))
		}
	}
}

func TestByIdentity(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	log := people(t, pool)
	reader := NewReader(pool)
	find := func(org, address string) string {
		c, err := reader.ByIdentity(t.Context(), org, email(address))
		if err != nil && !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		page, err := reader.List(t.Context(), org, Query{Identity: email(address)})
		if err != nil {
			t.Fatal(err)
		}
		if (len(page.Items) == 1) != (c.ID != "") || len(page.Items) == 1 && !reflect.DeepEqual(page.Items[0], c) {
			t.Errorf("%s: List %v, ByIdentity %v", address, page.Items, c)
		}
		return c.ID
	}
	long := strings.Repeat("x", 5000)
	first := len(log.Events)
	log.Customer("acme", "u03", identified(long+"1"))
	log.Customer("acme", "u04", identified(long+"2"))
	log.Customer("acme", "u05", events.CustomerIdentityRemoved{Identity: email("5@example.org")})
	if err := modeltest.Apply(t.Context(), pool, Projection{}, log.Events[first:]); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"1@example.org": "u01", "old@example.org": "u00", "gone@example.org": "", "5@example.org": "",
		long + "1": "u03", long + "2": "u04", long: "", "": "", "\x00": "",
	} {
		if got := find("acme", address); got != want {
			t.Errorf("%.20s: %q, want %q", address, got, want)
		}
	}
	if got := find("globex", "1@example.org"); got != "" {
		t.Errorf("another org's customer: %q", got)
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	people(t, pool)
	reader := NewReader(pool)
	if c, err := reader.Get(t.Context(), "acme", "u00"); err != nil || c.Name != "Ann" || len(c.Identities) != 2 {
		t.Errorf("%+v, %v", c, err)
	}
	c, err := reader.Get(t.Context(), "acme", "old")
	if err != nil || c.MergedInto != "u00" || c.Name != "" || len(c.Identities) != 0 {
		t.Errorf("a merged customer has kept something: %+v, %v", c, err)
	}
	if _, err := reader.Get(t.Context(), "acme", "gone"); !errors.Is(err, ErrErased) {
		t.Errorf("an erased customer: %v", err)
	}
	for _, id := range []string{"nobody", "\x00", ""} {
		if _, err := reader.Get(t.Context(), "acme", id); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if _, err := reader.Get(t.Context(), "globex", "old"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another org's customer: %v", err)
	}
}

func TestListRefuses(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	reader := NewReader(pool)
	for code, q := range map[string]Query{
		"cursor_invalid":  {Cursor: "?"},
		"cursor_mismatch": {Cursor: keyset.Encode("inbox -updated_at", "0", "u")},
		"limit_invalid":   {Limit: 101},
	} {
		if _, err := reader.List(t.Context(), "acme", q); fault.CodeOf(err) != code {
			t.Errorf("%+v: %v, want %s", q, err, code)
		}
	}
	for _, keys := range [][]string{{"a", "\x00"}, {"\x00", "u"}, {"a"}} {
		_, err := reader.List(t.Context(), "acme", Query{Cursor: keyset.Encode(listOrder, keys...)})
		if !errors.Is(err, keyset.ErrInvalid) {
			t.Errorf("%q: %v", keys, err)
		}
	}
}

func TestUnknownEventIsRefused(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	var log modeltest.Log
	log.Customer("acme", "u", events.Unknown{Type: "customer.cloned.v9", Reason: "new"})
	if err := modeltest.Apply(t.Context(), pool, Projection{}, log.Events); err == nil {
		t.Error("an unknown event was passed over")
	}
}

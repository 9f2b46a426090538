package api_test

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/postgres"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/migrations"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/services/api"
)

// TestSearchIndexIsLookedAfter drives the admin pages over the wire to the search index: away it hides nothing, and its
// parked keys are listed, retried and dropped as those of Postgres are.
func TestSearchIndexIsLookedAfter(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: needs PostgreSQL")
	}
	b := setup(t, func(b *bundle, d *api.Deps) {
		url := testkit.Postgres(t)
		if err := postgres.Migrate(t.Context(), url, migrations.Files); err != nil {
			t.Fatal(err)
		}
		pool, err := postgres.Connect(t.Context(), url, postgres.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		client := &search.Client{Conn: b.log.Conn()}
		d.Reads.Search = client
		d.Admin = api.Operator{Pool: pool, Index: client}
	})
	admin := b.acme.adminKey

	lag := b.ok(200, "GET", "/v1/admin/lag", admin, nil)
	if lag.get("items.0.lag_events") != 0.0 || lag.str("items.1.name") != "search" || lag.str("items.1.reason") == "" || lag.get("items.1.lag_events") != nil {
		t.Errorf("away: %s", lag.raw)
	}
	list := b.ok(200, "GET", "/v1/admin/projections", admin, nil)
	if list.str("items.0.as_of.position") == "" || list.get("items.1.as_of") != nil || list.str("items.1.reason") == "" {
		t.Errorf("away: %s", list.raw)
	}
	parked := b.ok(200, "GET", "/v1/admin/parked", admin, nil)
	if parked.str("unreachable.0.projection") != "search" || parked.str("unreachable.0.reason") == "" {
		t.Errorf("away: %s", parked.raw)
	}
	b.refused(503, "search_unavailable", "GET", "/v1/admin/parked?projection=search", admin, nil)

	serveIndex(t, b.log)
	const at = "/v1/admin/parked/search/conversation.odd"
	if p := b.ok(200, "GET", at, admin, nil); p.str("type") != "conversation.sung.v9" || p.get("attempts") != 3.0 {
		t.Errorf("%s", p.raw)
	}
	b.refused(404, "not_found", "GET", at, b.other.adminKey, nil)
	if p := b.ok(200, "GET", "/v1/admin/parked", admin, nil); p.str("items.0.projection") != "search" || p.get("unreachable") != nil {
		t.Errorf("%s", p.raw)
	}
	b.ok(202, "POST", at+"/retry", admin, nil)
	if p := b.ok(200, "GET", at, admin, nil); p.get("attempts") != 4.0 {
		t.Errorf("after a retry: %s", p.raw)
	}
	lag = b.ok(200, "GET", "/v1/admin/lag", admin, nil)
	if lag.get("items.1.lag_events") != 7.0 || lag.get("items.1.finish_seconds") != 1.5 || lag.str("items.1.position") == "" || lag.get("items.1.reason") != nil {
		t.Errorf("%s", lag.raw)
	}
	b.ok(202, "POST", at+"/drop", admin, nil)
	b.refused(404, "not_found", "GET", at, admin, nil)
	lag = b.ok(200, "GET", "/v1/admin/lag", admin, nil)
	if lag.get("items.1.lag_events") != 7.0 || lag.str("items.1.reason") == "" {
		t.Errorf("without its engine: %s", lag.raw)
	}
}

// serveIndex answers as the search indexer does, with one parked key: a retry fails again, a drop frees it.
func serveIndex(t *testing.T, log *eventlog.Log) {
	t.Helper()
	odd := projections.Parked{
		Projection: "search", Aggregate: events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: "odd"},
		Sequence: 7, Type: "conversation.sung.v9", Error: "unknown", Attempts: 3, Since: time.Now(),
	}
	parked := []projections.Parked{odd}
	var mu sync.Mutex
	for subject, answer := range map[string]func(body []byte) (any, error){
		search.SubjectParked: func([]byte) (any, error) { return parked, nil },
		search.SubjectStatus: func([]byte) (any, error) {
			left := 1.5
			// It has parked something, and has lost its engine when it is dropped.
			return search.Status{State: "running", Healthy: len(parked) > 0, FinishSeconds: &left, AsOf: projections.AsOf{
				Position: events.Position{Incarnation: log.Incarnation(), Sequence: 1}, LagEvents: 7,
			}}, nil
		},
		search.SubjectAsk: func(body []byte) (any, error) {
			var r search.AskRequest
			if err := json.Unmarshal(body, &r); err != nil || len(parked) == 0 || r.Key != odd.Key() || r.Sequence != odd.Sequence {
				return nil, projections.ErrNotParked
			}
			if r.Ask == projections.AskDrop {
				parked = []projections.Parked{}
			} else {
				parked[0].Attempts++
			}
			return struct{}{}, nil
		},
	} {
		sub, err := log.Conn().Subscribe(subject, func(msg *nats.Msg) {
			mu.Lock()
			defer mu.Unlock()
			if err := msg.Respond(search.Encode(answer(msg.Data))); err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = sub.Unsubscribe() })
	}
}

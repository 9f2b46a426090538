package api_test

import (
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/postgres"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/customers"
	"github.com/tidemark-desk/tidemark/projections/inbox"
	"github.com/tidemark-desk/tidemark/projections/migrations"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/timeline"
	"github.com/tidemark-desk/tidemark/services/api"
)

// TestMainJob runs the main job on the real read models: a customer writes, an agent finds it, answers, closes.
func TestMainJob(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: needs PostgreSQL")
	}
	b := setup(t, func(b *bundle, d *api.Deps) {
		url := testkit.Postgres(t)
		if err := postgres.Migrate(t.Context(), url, migrations.Files); err != nil {
			t.Fatal(err)
		}
		write, err := postgres.Connect(t.Context(), url, postgres.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(write.Close)
		read, err := postgres.Connect(t.Context(), url, postgres.Options{SearchPath: "inbox,timeline,customers"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(read.Close)
		for _, h := range []projections.Handler{inbox.Projection{}, timeline.Projection{}, customers.Projection{}} {
			r := projections.NewRunner(projections.RunnerConfig{
				Name: h.Name(), Kinds: h.Kinds(), Log: b.log, Sink: projections.NewPostgresSink(write, h, b.log),
			})
			b.run(r.Run)
		}
		index := &search.Client{Conn: b.log.Conn()}
		d.Reads = api.Reads{
			Search: index,
			Inbox:  inbox.NewReader(read), Timeline: timeline.NewReader(read), Customers: customers.NewReader(read),
			Freshness: projections.NewFreshness(read, b.log),
		}
		d.Admin, d.Models, d.MaxWait = api.Operator{Pool: write, Index: index}, []string{"inbox", "timeline", "customers"}, 30*time.Second
	})
	key := b.acme.userKey
	opened := b.ok(201, "POST", "/v1/conversations", key, map[string]any{
		"channel": "chat", "subject": "Refund", "customer": map[string]any{"name": "Zoë", "email": "zoe@example.com"},
		"message": map[string]any{"text": "I want a refund."},
	})
	id := opened.str("id")
	got := b.ok(200, "GET", "/v1/conversations/"+id+"?min_position="+opened.str("position"), key, nil)
	if got.str("messages.items.0.text") != "I want a refund." || got.str("customer_id") != opened.str("customer_id") {
		t.Fatalf("%s", got.raw)
	}
	b.ok(200, "GET", "/v1/conversations/"+b.open(b.acme, "seen at once, without min_position too"), key, nil)
	queue := b.ok(201, "POST", "/v1/queues", b.acme.adminKey, map[string]any{"name": "Refunds"}).str("id")
	b.ok(200, "PUT", "/v1/conversations/"+id+"/queue", key, map[string]any{"queue_id": queue})
	b.ok(200, "PUT", "/v1/conversations/"+id+"/tags/refund", key, nil)
	position := b.ok(200, "PUT", "/v1/conversations/"+id+"/assignee", key, map[string]any{"agent_id": b.acme.agent}).str("position")
	list := b.ok(200, "GET", "/v1/conversations?assignee=me&tag=refund&queue="+queue+"&min_position="+position, key, nil)
	if list.str("items.0.id") != id || list.str("items.0.tags.0") != "refund" || list.str("items.0.last_message.preview") == "" {
		t.Fatalf("%s", list.raw)
	}
	b.ok(201, "POST", "/v1/conversations/"+id+"/messages", key, map[string]any{"text": "It is on its way."})
	closed := b.ok(200, "PUT", "/v1/conversations/"+id+"/status", key, map[string]any{"status": "closed"})
	after := "min_position=" + closed.str("position")
	got = b.ok(200, "GET", "/v1/conversations/"+id+"?"+after, key, nil)
	if got.str("status") != "closed" || got.str("messages.items.1.text") != "It is on its way." || got.get("counts.messages") != 2.0 {
		t.Fatalf("%s", got.raw)
	}
	if open := b.ok(200, "GET", "/v1/conversations?"+after, key, nil); open.get("items.1") != nil || open.str("items.0.id") == id {
		t.Errorf("%s", open.raw)
	}
	if c := b.ok(200, "GET", "/v1/customers?email=zoe@example.com&"+after, key, nil); c.str("items.0.name") != "Zoë" {
		t.Errorf("%s", c.raw)
	}
	if tl := b.ok(200, "GET", "/v1/customers/"+opened.str("customer_id")+"/timeline?"+after, key, nil); tl.str("items.0.kind") != "closed" {
		t.Errorf("%s", tl.raw)
	}
	page := b.ok(200, "GET", "/v1/conversations/"+id+"/messages?limit=1", key, nil)
	if second := b.ok(200, "GET", page.str("links.next"), key, nil); second.str("items.0.text") != "It is on its way." || second.str("links.next") != "" {
		t.Errorf("%s", second.raw)
	}
	b.refused(404, "conversation_not_found", "GET", "/v1/conversations/"+id, b.other.userKey, nil)
	b.refused(404, "conversation_not_found", "GET", "/v1/conversations/"+id+"/messages", b.other.userKey, nil)
	b.refused(422, "cursor_invalid", "GET", "/v1/conversations?cursor=x", key, nil)
	b.refused(422, "position_unknown", "GET", "/v1/conversations?min_position="+events.Position{Incarnation: "anotherlog", Sequence: 1}.String(), key, nil)
	if p := b.ok(200, "GET", "/v1/admin/projections", b.acme.adminKey, nil); p.str("items.0.as_of.position") == "" || p.get("items.0.rebuild") != nil {
		t.Errorf("%s", p.raw)
	}
	if p := b.ok(200, "GET", "/v1/admin/parked", b.acme.adminKey, nil); p.get("items.0") != nil {
		t.Errorf("%s", p.raw)
	}
	b.refused(404, "no_rebuild", "POST", "/v1/admin/projections/inbox/compare", b.acme.adminKey, nil)
}

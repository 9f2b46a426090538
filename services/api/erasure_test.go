package api_test

import (
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/aggregates"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/customer"
	"github.com/tidemark-desk/tidemark/internal/erasure"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

func TestEraseCustomer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	zoe := map[string]any{"name": "Zoe", "email": "zoe@example.com"}
	opened := b.ok(201, "POST", "/v1/conversations", b.acme.userKey, map[string]any{"channel": "email", "customer": zoe, "message": map[string]any{"text": "hello"}})
	id, conversation := opened.str("customer_id"), opened.str("id")
	at := "/v1/customers/" + id

	b.refused(403, "forbidden", "DELETE", at, b.acme.userKey, nil)
	b.refused(404, "customer_not_found", "DELETE", at, b.other.adminKey, nil)
	b.refused(404, "customer_not_found", "GET", at+"/erasure", b.other.adminKey, nil)
	b.refused(404, "customer_not_found", "DELETE", "/v1/customers/nobody", b.acme.adminKey, nil)
	b.refused(404, "erasure_not_found", "GET", at+"/erasure", b.acme.adminKey, nil)
	merged, err := aggregates.Customers(b.loop).Handle(t.Context(), "acme", "old", command.Meta{}, customer.Create{Name: "Old"})
	if err == nil {
		merged, err = aggregates.Customers(b.loop).Handle(t.Context(), "acme", "old", command.Meta{}, customer.MergeInto{IntoID: id, Reason: "same"})
	}
	if err != nil || merged.Position.IsZero() {
		t.Fatal(err)
	}
	if p := b.refused(409, "customer_merged", "DELETE", "/v1/customers/old", b.acme.adminKey, nil); !strings.Contains(p.Hint, id) {
		t.Errorf("who took over is not named: %q", p.Hint)
	}

	start := b.log.Position(events.Aggregate{Org: "acme", Kind: events.KindCustomer, ID: id}, b.settled(merged.Position.String())).String()
	first := b.ok(202, "DELETE", at, b.acme.adminKey, nil, "Idempotency-Key", "forget zoe")
	fields(t, first.raw, "customer_id", "status", "asked_at", "position")
	if first.str("status") != "running" || first.str("customer_id") != id || first.header.Get("Location") != at+"/erasure" ||
		first.header.Get("Tidemark-Position") != first.str("position") {
		t.Errorf("%s %v", first.raw, first.header)
	}
	head := b.settled(first.str("position"))
	for _, key := range []string{"forget zoe", "forget her again"} {
		if again := b.ok(202, "DELETE", at, b.acme.adminKey, nil, "Idempotency-Key", key); string(again.raw) != string(first.raw) {
			t.Errorf("with %q: %s, was %s", key, again.raw, first.raw)
		}
	}
	b.refused(409, "idempotency_key_reused", "POST", "/v1/conversations", b.acme.adminKey, map[string]any{
		"channel": "email", "customer": map[string]any{"id": id}, "message": map[string]any{"text": "hello"},
	}, "Idempotency-Key", "forget zoe")
	if testkit.Head(t, b.log) != head {
		t.Errorf("asking again added %d events", testkit.Head(t, b.log)-head)
	}
	if now := b.ok(200, "GET", at+"/erasure", b.acme.adminKey, nil); string(now.raw) != string(first.raw) {
		t.Errorf("%s, was %s", now.raw, first.raw)
	}
	b.refused(403, "forbidden", "GET", at+"/erasure", b.acme.userKey, nil)

	// Nobody writes for who is erased; the address is somebody else's now.
	b.refused(404, "customer_erased", "POST", "/v1/conversations", b.acme.userKey, map[string]any{
		"channel": "email", "customer": map[string]any{"id": id}, "message": map[string]any{"text": "hello"},
	})
	if next := b.ok(201, "POST", "/v1/customers", b.acme.userKey, zoe); next.str("id") == id {
		t.Error("the address led to who is erased")
	}

	eraser := erasure.New(b.log, command.NewLoop(b.log, command.Options{}), b.dir, nil) // in another process
	if err := eraser.PurgeConversation(t.Context(), "acme", conversation, command.Meta{}); err != nil {
		t.Fatal(err)
	}
	if err := eraser.PurgeCustomer(t.Context(), "acme", id); err != nil {
		t.Fatal(err)
	}
	for path, body := range map[string]any{
		"/messages": map[string]any{"text": "still there?"},
		"/notes":    map[string]any{"text": "where is she?"},
	} {
		b.refused(404, "conversation_erased", "POST", "/v1/conversations/"+conversation+path, b.acme.userKey, body)
	}
	b.refused(404, "conversation_erased", "PUT", "/v1/conversations/"+conversation+"/assignee", b.acme.userKey, map[string]any{"agent_id": b.acme.agent})
	if done := b.ok(202, "DELETE", at, b.acme.adminKey, nil, "Idempotency-Key", "forget zoe"); done.str("status") != "done" || done.str("position") != first.str("position") {
		t.Errorf("in the end: %s", done.raw)
	}

	next := b.follow(b.acme.userKey, "", start)
	var names []string
	for {
		_, name, data := next()
		if names = append(names, name); name == "conversation.erased" || name == "" {
			if !strings.Contains(data, conversation) {
				t.Errorf("%s", data)
			}
			break
		}
	}
	if got := strings.Join(names, " "); got != "customer.erased customer.created customer.identified conversation.erased" {
		t.Errorf("the stream has %s", got)
	}
}

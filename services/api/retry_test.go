package api_test

import (
	"testing"

	"github.com/tidemark-desk/tidemark/internal/aggregates"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/queue"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// TestRetriesOutliveTheConfiguration: what was done once answers as the first time for ever, also when the agent, queue
// or channel that it names has gone since; done for the first time, it is refused.
func TestRetriesOutliveTheConfiguration(t *testing.T) {
	t.Parallel()
	b := setup(t)
	admin := b.acme.adminKey
	conversation := "/v1/conversations/" + b.open(b.acme, "hello")
	desk := b.ok(201, "POST", "/v1/queues", admin, map[string]any{"name": "Desk"}).str("id")
	lea := b.ok(201, "POST", "/v1/agents", admin, map[string]any{"name": "Lea", "email": "lea@example.com"}).str("id")
	bikes := b.ok(201, "POST", "/v1/queues", admin, map[string]any{"name": "Bikes"}).str("id")
	site := b.ok(201, "POST", "/v1/channels", admin, map[string]any{"type": "chat", "name": "Site"}).str("id")

	requests := []struct {
		name, method, path string
		body, another      any
		status             int // of the refusal when it is the first time
		code               string
	}{
		{"assign", "PUT", conversation + "/assignee", map[string]any{"agent_id": lea}, map[string]any{"agent_id": nil}, 422, "validation_failed"},
		{"queue", "PUT", conversation + "/queue", map[string]any{"queue_id": bikes}, map[string]any{"queue_id": desk}, 422, "validation_failed"},
		{"key", "POST", "/v1/keys", map[string]any{"name": "laptop", "agent_id": lea}, map[string]any{"name": "phone", "agent_id": lea}, 422, "validation_failed"},
		{"new queue", "POST", "/v1/queues", map[string]any{"name": "Cars", "members": []string{lea}}, map[string]any{"name": "Boats", "members": []string{lea}}, 422, "validation_failed"},
		{"member", "PUT", "/v1/queues/" + desk + "/members/" + lea, nil, nil, 422, "validation_failed"},
		{"org", "PATCH", "/v1/org", map[string]any{"default_queue_id": bikes}, map[string]any{"default_queue_id": ""}, 422, "validation_failed"},
		{"renamed org", "PATCH", "/v1/org", map[string]any{"name": "Acme & Co", "default_queue_id": bikes}, map[string]any{"name": "Acme"}, 422, "validation_failed"},
		{
			"conversation", "POST", "/v1/conversations",
			map[string]any{"channel": "chat", "channel_id": site, "customer": map[string]any{"name": "Ann"}, "message": map[string]any{"text": "hi"}},
			map[string]any{"channel": "chat", "channel_id": site, "customer": map[string]any{"name": "Ann"}, "message": map[string]any{"text": "ho"}},
			409, "channel_disabled",
		},
	}
	first := map[string]answer{}
	for _, r := range requests {
		first[r.name] = b.do(r.method, r.path, admin, r.body, "Idempotency-Key", r.name)
		if first[r.name].status >= 300 {
			t.Fatalf("%s: %d %s", r.name, first[r.name].status, first[r.name].raw)
		}
	}
	b.ok(200, "POST", "/v1/agents/"+lea+"/deactivation", admin, nil)
	b.ok(200, "PUT", "/v1/channels/"+site+"/enabled", admin, map[string]any{"enabled": false})
	archived, err := aggregates.Queues(b.loop).Handle(t.Context(), "acme", bikes, command.Meta{}, queue.Archive{})
	if err == nil {
		err = b.dir.WaitFor(t.Context(), archived.Position.Sequence)
	}
	if err != nil {
		t.Fatal(err)
	}
	head := b.settled(archived.Position.String())
	for _, r := range requests {
		again := b.do(r.method, r.path, admin, r.body, "Idempotency-Key", r.name)
		was := first[r.name]
		if again.status != was.status || again.str("id") != was.str("id") || again.str("position") != was.str("position") ||
			again.str("customer_id") != was.str("customer_id") || again.str("message_id") != was.str("message_id") {
			t.Errorf("%s: first %s, again %d %s", r.name, was.raw, again.status, again.raw)
		}
		if r.another != nil {
			b.refused(409, "idempotency_key_reused", r.method, r.path, admin, r.another, "Idempotency-Key", r.name)
		}
		b.refused(r.status, r.code, r.method, r.path, admin, r.body, "Idempotency-Key", r.name+" for the first time")
		b.refused(r.status, r.code, r.method, r.path, admin, r.body)
	}
	if testkit.Head(t, b.log) != head {
		t.Errorf("the retries added %d events", testkit.Head(t, b.log)-head)
	}
}

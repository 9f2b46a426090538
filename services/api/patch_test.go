package api_test

import (
	"testing"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// TestPatchOfNothing: a change of nothing, and one to what is there already, is no change and no failure.
func TestPatchOfNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	admin := b.acme.adminKey
	site := b.ok(201, "POST", "/v1/channels", admin, map[string]any{"type": "chat", "name": "Site"}).str("id")
	id := b.open(b.acme, "hello")
	b.ok(200, "PATCH", "/v1/org", admin, map[string]any{"default_queue_id": ""}) // before there are settings
	b.ok(200, "PATCH", "/v1/org", admin, map[string]any{"timezone": "Europe/Berlin"})
	org := b.ok(200, "GET", "/v1/org", admin, nil)
	head := b.settled(b.ok(200, "PUT", "/v1/channels/"+site+"/enabled", admin, map[string]any{"enabled": false}).str("position"))
	for _, c := range []struct {
		path string
		body map[string]any
	}{
		{"/v1/org", map[string]any{}},
		{"/v1/org", map[string]any{"name": org.str("name")}},
		{"/v1/org", map[string]any{"timezone": org.str("timezone")}},
		{"/v1/org", map[string]any{"default_queue_id": org.str("default_queue_id")}},
		{"/v1/org", map[string]any{"name": org.str("name"), "timezone": org.str("timezone"), "default_queue_id": org.str("default_queue_id")}},
		{"/v1/channels/" + site, map[string]any{}},
		{"/v1/channels/" + site, map[string]any{"name": "Site", "theme": map[string]any{}, "greeting": ""}},
		{"/v1/conversations/" + id + "/attributes", map[string]any{}},
		{"/v1/conversations/" + id + "/attributes", map[string]any{"unknown": nil}},
	} {
		for range 2 {
			a := b.ok(200, "PATCH", c.path, admin, c.body, "Idempotency-Key", "nothing")
			if a.str("position") == "" || a.header.Get("Tidemark-Position") != a.str("position") {
				t.Errorf("%s %v: %s", c.path, c.body, a.raw)
			}
		}
	}
	if now := testkit.Head(t, b.log); now != head {
		t.Errorf("nothing left %d events", now-head)
	}
	b.refused(404, "channel_not_found", "PATCH", "/v1/channels/none", admin, map[string]any{})
	b.refused(404, "conversation_not_found", "PATCH", "/v1/conversations/none/attributes", admin, map[string]any{})
}

package api_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/services/api"
)

func TestMainShapes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	opened := b.ok(201, "POST", "/v1/conversations", b.acme.userKey, map[string]any{
		"channel": "email", "subject": "Broken", "customer": map[string]any{"name": "Zoë", "email": "Zoe@Example.com", "external_id": "z-1"},
		"message": map[string]any{"text": "My bike is broken."},
	})
	fields(t, opened.raw, "id", "customer_id", "message_id", "status", "position")
	id := opened.str("id")
	if opened.str("status") != "open" || opened.header.Get("Tidemark-Position") != opened.str("position") || opened.str("position") == "" {
		t.Fatalf("%s %v", opened.raw, opened.header)
	}
	if _, err := events.ParsePosition(opened.str("position")); err != nil {
		t.Fatal(err)
	}

	posted := b.ok(201, "POST", "/v1/conversations/"+id+"/messages", b.acme.userKey, map[string]any{"text": "We will mend it."})
	fields(t, posted.raw, "id", "position")
	b.ok(201, "POST", "/v1/conversations/"+id+"/messages", b.acme.userKey, map[string]any{"text": "Thanks!", "author": map[string]any{"type": "customer"}})
	note := b.ok(201, "POST", "/v1/conversations/"+id+"/notes", b.acme.userKey, map[string]any{"text": "He is nice."})

	got := b.ok(200, "GET", "/v1/conversations/"+id+"?min_position="+note.str("position"), b.acme.userKey, nil)
	fields(t, got.raw, "id", "customer_id", "channel", "channel_id", "subject", "status", "queue_id", "assignee_id", "priority", "tags",
		"attributes", "created_at", "updated_at", "snoozed_until", "waiting_since", "last_message", "counts", "merged_into", "messages", "as_of")
	if got.str("channel") != "email" || got.str("subject") != "Broken" || got.get("queue_id") != nil || got.str("priority") != "normal" {
		t.Fatalf("%s", got.raw)
	}
	messages, _ := got.get("messages.items").([]any)
	if len(messages) != 3 || got.str("messages.items.0.text") != "My bike is broken." || got.str("messages.items.2.text") != "Thanks!" ||
		got.str("messages.items.1.author.id") != b.acme.agent || got.str("messages.items.1.author.type") != "agent" ||
		got.str("messages.items.2.author.type") != "customer" || got.str("messages.items.1.id") != posted.str("id") {
		t.Fatalf("%s", got.raw)
	}
	for _, list := range []string{
		"/v1/conversations", "/v1/conversations?status=any&limit=1", "/v1/conversations/" + id + "/messages", "/v1/conversations/" + id + "/notes", "/v1/customers",
		"/v1/customers?email=zoe@example.com", "/v1/customers/" + opened.str("customer_id") + "/timeline",
	} {
		a := b.ok(200, "GET", list, b.acme.userKey, nil)
		fields(t, a.raw, "items", "links", "as_of")
		fields(t, raw(t, a.get("as_of")), "position", "time", "lag_seconds", "lag_events")
		if items, _ := a.get("items").([]any); len(items) == 0 {
			t.Errorf("%s: empty", list)
		}
	}
	second := b.ok(200, "GET", "/v1/conversations/"+id+"/messages?limit=1&order=newest", b.acme.userKey, nil)
	if got, want := second.str("links.next"), "/v1/conversations/"+id+"/messages?cursor=more&limit=1&order=newest"; got != want {
		t.Errorf("next %q, want %q", got, want)
	}
}

// TestWork does everything that can be done with a conversation, and reads it back.
func TestWork(t *testing.T) {
	t.Parallel()
	b := setup(t)
	queue := b.ok(201, "POST", "/v1/queues", b.acme.adminKey, map[string]any{"name": "Bikes", "members": []string{b.acme.agent}}).str("id")
	id := b.open(b.acme, "hello")
	at := "/v1/conversations/" + id
	for _, step := range []struct {
		method, path string
		body         any
		field        string
		want         any
	}{
		{"PUT", "/queue", map[string]any{"queue_id": queue, "reason": "skill"}, "queue_id", queue},
		{"PUT", "/assignee", map[string]any{"agent_id": b.acme.agent}, "assignee_id", b.acme.agent},
		{"PUT", "/priority", map[string]any{"priority": "urgent"}, "priority", "urgent"},
		{"PUT", "/subject", map[string]any{"subject": "Another"}, "subject", "Another"},
		{"PUT", "/tags/VIP", nil, "tags.0", "vip"},
		{"PUT", "/tags/a%20b", nil, "tags.1", "a b"},
		{"DELETE", "/tags/vip", nil, "tags.0", "a b"},
		{"PATCH", "/attributes", map[string]any{"plan": "pro", "seats": 3}, "attributes.seats", 3.0},
		{"PUT", "/status", map[string]any{"status": "snoozed", "until": "2999-01-01T00:00:00Z"}, "", nil},
		{"PUT", "/assignee", map[string]any{"agent_id": nil}, "assignee_id", nil},
		{"PUT", "/status", map[string]any{"status": "closed", "reason": "done"}, "status", "closed"},
		{"PUT", "/status", map[string]any{"status": "open"}, "status", "open"},
	} {
		if step.field == "" { // ten years is the longest snooze
			b.refused(422, "snooze_invalid", step.method, at+step.path, b.acme.userKey, step.body)
			continue
		}
		a := b.ok(200, step.method, at+step.path, b.acme.userKey, step.body)
		fields(t, a.raw, "id", "position")
		if a.header.Get("Tidemark-Position") == "" {
			t.Errorf("%s: no position", step.path)
		}
		got := b.ok(200, "GET", at+"?min_position="+a.str("position"), b.acme.userKey, nil)
		if got.get(step.field) != step.want {
			t.Errorf("%s %s: %s is %v, want %v", step.method, step.path, step.field, got.get(step.field), step.want)
		}
	}
	b.refused(422, "validation_failed", "PUT", at+"/queue", b.acme.userKey, map[string]any{"queue_id": "nowhere"})
	b.refused(422, "validation_failed", "PUT", at+"/assignee", b.acme.userKey, map[string]any{"agent_id": b.other.agent})
	b.refused(422, "validation_failed", "PUT", at+"/status", b.acme.userKey, map[string]any{"status": "snoozed"})
	b.refused(422, "tag_invalid", "PUT", at+"/tags/a,b", b.acme.userKey, nil)
	p := b.refused(422, "text_invalid", "PUT", at+"/subject", b.acme.userKey, map[string]any{"subject": "a\nb"})
	if len(p.Errors) != 1 || p.Errors[0].Location != "body.subject" {
		t.Errorf("%+v", p)
	}
}

// TestConfiguration makes each thing and finds it with the very next request.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	b := setup(t)
	admin := b.acme.adminKey
	agent := b.ok(201, "POST", "/v1/agents", admin, map[string]any{"name": "Kim", "email": "kim@example.com"}).str("id")
	if a := b.ok(200, "GET", "/v1/agents/"+agent, admin, nil); a.str("presence") != "offline" || a.str("role") != "agent" || a.get("capacity") != 5.0 {
		t.Errorf("%s", a.raw)
	}
	b.ok(200, "PUT", "/v1/agents/"+agent+"/capacity", admin, map[string]any{"capacity": 2})
	b.ok(200, "PUT", "/v1/agents/"+agent+"/presence", admin, map[string]any{"presence": "online"})
	if a := b.ok(200, "GET", "/v1/agents/"+agent, admin, nil); a.str("presence") != "online" || a.get("capacity") != 2.0 {
		t.Errorf("%s", a.raw)
	}
	for _, capacity := range []int{0, 1} { // none is an answer too: an agent who only reads
		id := b.ok(201, "POST", "/v1/agents", admin, map[string]any{"name": "Lea", "email": "lea@example.com", "capacity": capacity}).str("id")
		if a := b.ok(200, "GET", "/v1/agents/"+id, admin, nil); a.get("capacity") != float64(capacity) {
			t.Errorf("made with a capacity of %d: %s", capacity, a.raw)
		}
	}
	issued := b.ok(201, "POST", "/v1/keys", admin, map[string]any{"name": "laptop", "agent_id": agent})
	if me := b.ok(200, "GET", "/v1/agents/me", issued.str("secret"), nil); me.str("id") != agent {
		t.Errorf("%s", me.raw)
	}
	b.refused(403, "forbidden", "PUT", "/v1/agents/"+b.acme.admin+"/presence", issued.str("secret"), map[string]any{"presence": "online"})
	b.ok(200, "PUT", "/v1/agents/me/presence", issued.str("secret"), map[string]any{"presence": "away"})
	if list := b.ok(200, "GET", "/v1/keys", admin, nil); strings.Contains(string(list.raw), issued.str("secret")) || !strings.Contains(string(list.raw), issued.str("id")) {
		t.Errorf("%s", list.raw)
	}
	b.ok(200, "DELETE", "/v1/keys/"+issued.str("id"), admin, nil)
	b.refused(401, "unauthenticated", "GET", "/v1/agents/me", issued.str("secret"), nil)

	queue := b.ok(201, "POST", "/v1/queues", admin, map[string]any{"name": "Bikes"}).str("id")
	b.ok(200, "PUT", "/v1/queues/"+queue+"/members/"+agent, admin, nil)
	if q := b.ok(200, "GET", "/v1/queues/"+queue, b.acme.userKey, nil); q.str("members.0") != agent {
		t.Errorf("%s", q.raw)
	}
	b.ok(200, "DELETE", "/v1/queues/"+queue+"/members/"+agent, admin, nil)
	b.ok(200, "POST", "/v1/agents/"+agent+"/deactivation", admin, nil)
	b.refused(422, "validation_failed", "PUT", "/v1/queues/"+queue+"/members/"+agent, admin, nil)

	channel := b.ok(201, "POST", "/v1/channels", admin, map[string]any{"type": "chat", "name": "Site", "origins": []string{"https://example.com"}})
	if c := b.ok(200, "GET", "/v1/channels/"+channel.str("id"), admin, nil); c.str("site_key") != channel.str("site_key") || c.str("site_key") == "" || c.str("origins.0") != "https://example.com" {
		t.Errorf("%s", c.raw)
	}
	b.ok(200, "PUT", "/v1/channels/"+channel.str("id")+"/enabled", admin, map[string]any{"enabled": false})
	if c := b.ok(200, "GET", "/v1/channels/"+channel.str("id"), admin, nil); c.get("disabled") != true {
		t.Errorf("%s", c.raw)
	}
	survey := "/v1/channels/" + channel.str("id") + "/survey"
	b.ok(200, "PUT", survey, admin, map[string]any{"enabled": true, "question": "How was it?"})
	if c := b.ok(200, "GET", "/v1/channels/"+channel.str("id"), admin, nil); c.get("survey.enabled") != true || c.str("survey.question") != "How was it?" || c.get("survey.expires_after_hours") != 168.0 {
		t.Errorf("channel: %s", c.raw)
	}
	b.refused(422, "validation_failed", "PUT", survey, admin, map[string]any{"enabled": true, "expires_after_hours": 9000})
	mail := b.ok(201, "POST", "/v1/channels", admin, map[string]any{"type": "email", "name": "Mail"}).str("id")
	b.refused(422, "survey_invalid", "PUT", "/v1/channels/"+mail+"/survey", admin, map[string]any{"enabled": true})
	if c := b.ok(200, "GET", "/v1/channels/"+mail, admin, nil); c.get("survey") != nil {
		t.Errorf("channel: %s", c.raw)
	}
	workflow := b.ok(201, "POST", "/v1/workflows", admin, map[string]any{
		"name": "Refunds", "on": "conversation.message_received", "contains": "refund", "steps": []any{map[string]any{"tag": "refund"}},
	}).str("id")
	if w := b.ok(200, "GET", "/v1/workflows/"+workflow, admin, nil); w.str("steps.0.tag") != "refund" || w.str("contains") != "refund" {
		t.Errorf("%s", w.raw)
	}
	customer := b.ok(201, "POST", "/v1/customers", admin, map[string]any{"name": "Zoë", "email": "zoe@example.com", "attributes": map[string]any{"vip": true}})
	if c := b.ok(200, "GET", "/v1/customers/"+customer.str("id")+"?min_position="+customer.str("position"), admin, nil); c.str("identities.0.value") != "zoe@example.com" {
		t.Errorf("%s", c.raw)
	}
	b.refused(409, "identity_taken", "POST", "/v1/customers", admin, map[string]any{"name": "Zoë", "email": "ZOE@example.com"})
}

func TestMinPosition(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.open(b.acme, "hello")
	head := b.settled(b.ok(201, "POST", "/v1/conversations/"+id+"/notes", b.acme.userKey, map[string]any{"text": "last"}).str("position"))
	ahead := b.log.Position(events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: id}, head+10).String()
	foreign := events.Position{Incarnation: "anotherlog", Sequence: 1}.String()
	for _, path := range []string{"/v1/conversations", "/v1/conversations/" + id, "/v1/conversations/" + id + "/messages", "/v1/customers"} {
		b.refused(412, "not_yet", "GET", path+"?min_position="+ahead, b.acme.userKey, nil)
		b.refused(422, "position_unknown", "GET", path+"?min_position="+foreign, b.acme.userKey, nil)
		b.refused(422, "validation_failed", "GET", path+"?min_position=x", b.acme.userKey, nil)
	}
}

// TestNotYetSaysTheLag: docs/errors.md promises that the detail does.
func TestNotYetSaysTheLag(t *testing.T) {
	t.Parallel()
	b := setup(t, func(b *bundle, d *api.Deps) {
		d.Reads.Freshness = lagging{&memory{log: b.log, behind: 7}, func(events.Position) bool { return true }}
	})
	b.open(b.acme, "hello")
	p := b.log.Position(events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: "c"}, 3).String()
	for path, model := range map[string]string{"/v1/conversations": "inbox", "/v1/customers": "customers"} {
		got := b.refused(412, "not_yet", "GET", path+"?min_position="+p, b.acme.userKey, nil)
		if !strings.Contains(got.Detail, model) || !strings.Contains(got.Detail, "7 events") || !strings.Contains(got.Detail, "2.5 seconds") || got.Hint == "" {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

// lagging has not applied the positions that late names; the memory says by how much.
type lagging struct {
	*memory
	late func(events.Position) bool
}

func (l lagging) AsOf(ctx context.Context, name string) (projections.AsOf, error) {
	a, err := l.memory.AsOf(ctx, name)
	a.LagSeconds = 2.5
	return a, err
}

func (l lagging) Await(_ context.Context, _ string, p events.Position, _ time.Duration) error {
	if l.late(p) {
		return projections.ErrNotYet.WithHint("somewhere")
	}
	return nil
}

// TestMinPositionCoversTheCustomer: the position of a conversation that made a customer known is in the partition of the
// conversation. The customer's may be behind it, and is waited for too by who asks for the customer.
func TestMinPositionCoversTheCustomer(t *testing.T) {
	t.Parallel()
	var late atomic.Int64 // the partition that is behind; -1: none
	late.Store(-1)
	b := setup(t, func(b *bundle, d *api.Deps) {
		d.Reads.Freshness = lagging{&memory{log: b.log}, func(p events.Position) bool { return int64(p.Partition) == late.Load() }}
	})
	key := b.acme.userKey
	var customer, position, email string
	for customer == "" { // until the two are in different partitions
		email = strings.ToLower(rand.Text()) + "@example.com"
		a := b.ok(201, "POST", "/v1/conversations", key, map[string]any{
			"channel": "chat", "customer": map[string]any{"email": email}, "message": map[string]any{"text": "hello"},
		})
		at := events.Aggregate{Org: "acme", Kind: events.KindCustomer, ID: a.str("customer_id")}.Partition(b.log.Partitions())
		if p, err := events.ParsePosition(a.str("position")); err != nil {
			t.Fatal(err)
		} else if p.Partition != at {
			customer, position = a.str("customer_id"), a.str("position")
			late.Store(int64(at))
		}
	}
	b.settled(position)
	reads := []string{"/v1/customers/" + customer + "?", "/v1/customers/" + customer + "/timeline?", "/v1/customers?email=" + email + "&"}
	for _, read := range reads {
		b.refused(412, "not_yet", "GET", read+"min_position="+position, key, nil)
		b.ok(200, "GET", read, key, nil) // who asks for nothing waits for nothing
	}
	b.ok(200, "GET", "/v1/customers?min_position="+position, key, nil)
	late.Store(-1)
	for _, read := range reads {
		b.ok(200, "GET", read+"min_position="+position, key, nil)
	}
	b.refused(404, "customer_not_found", "GET", "/v1/customers/none?min_position="+position, key, nil)
	if a := b.ok(200, "GET", "/v1/customers?email=nobody@example.com&min_position="+position, key, nil); a.get("items.0") != nil {
		t.Errorf("%s", a.raw)
	}
}

// TestUnseenCustomer: one that the log has and the read models do not know yet is not "not found".
func TestUnseenCustomer(t *testing.T) {
	t.Parallel()
	var reads *memory
	b := setup(t, func(b *bundle, d *api.Deps) {
		reads = &memory{log: b.log, behind: 1000}
		d.Reads.Customers, d.Reads.Timeline, d.Reads.Freshness = reads.customers(), reads.timeline(), reads
	})
	id := b.ok(201, "POST", "/v1/customers", b.acme.userKey, map[string]any{"name": "Zoë"}).str("id")
	for _, path := range []string{"", "/timeline"} {
		b.refused(412, "not_yet", "GET", "/v1/customers/"+id+path, b.acme.userKey, nil)
		b.refused(404, "customer_not_found", "GET", "/v1/customers/none"+path, b.acme.userKey, nil)
		b.refused(404, "customer_not_found", "GET", "/v1/customers/"+id+path, b.other.userKey, nil)
	}
	reads.behind = 0
	b.ok(200, "GET", "/v1/customers/"+id, b.acme.userKey, nil)
	b.ok(200, "GET", "/v1/customers/"+id+"/timeline", b.acme.userKey, nil)
}

// TestUnseenConversation: one that the log has and the read models do not know yet is not "not found".
func TestUnseenConversation(t *testing.T) {
	t.Parallel()
	var reads *memory
	b := setup(t, func(b *bundle, d *api.Deps) {
		reads = &memory{log: b.log, behind: 1000}
		d.Reads.Inbox, d.Reads.Timeline, d.Reads.Freshness = reads, reads.timeline(), reads
	})
	id := b.open(b.acme, "hello")
	for _, path := range []string{"", "/messages", "/notes"} {
		b.refused(412, "not_yet", "GET", "/v1/conversations/"+id+path, b.acme.userKey, nil)
		b.refused(404, "conversation_not_found", "GET", "/v1/conversations/none"+path, b.acme.userKey, nil)
	}
	reads.behind = 0
	b.ok(200, "GET", "/v1/conversations/"+id, b.acme.userKey, nil)
}

// fields checks that an object has exactly these.
func fields(t *testing.T, body []byte, want ...string) {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal(body, &object); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	var got []string
	for name := range object {
		got = append(got, name)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("fields %v, want %v", got, want)
	}
}

func raw(t *testing.T, v any) []byte {
	t.Helper()
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

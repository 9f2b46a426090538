package api_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
)

// follow opens the agents' stream and gives a function that reads the next event: its id, name and data.
func (b *bundle) follow(key, query, after string) func() (id, name, data string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.server.URL+"/v1/stream"+query, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	res, err := b.server.Client().Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != http.StatusOK {
		b.t.Fatalf("%d", res.StatusCode)
	}
	lines := bufio.NewScanner(res.Body)
	return func() (id, name, data string) {
		for lines.Scan() {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch field {
			case "id":
				id = value
			case "event":
				name = value
			case "data":
				return id, name, value
			}
		}
		return "", "", ""
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	b := setup(t)
	start := b.log.Position(events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: "x"}, b.log.Head()).String()
	foreign := b.open(b.other, "a secret of other")
	id := b.open(b.acme, "hello")
	b.ok(201, "POST", "/v1/keys", b.acme.adminKey, map[string]any{"name": "never streamed", "agent_id": "me"})
	b.ok(201, "POST", "/v1/conversations/"+id+"/notes", b.acme.userKey, map[string]any{"text": "note"})

	next := b.follow(b.acme.userKey, "", start)
	var names, ids []string
	for {
		position, name, data := next()
		if strings.Contains(data, foreign) || strings.Contains(data, "hash") || strings.Contains(data, "secret") {
			t.Fatalf("%s leaks %s", name, data)
		}
		names, ids = append(names, name), append(ids, position)
		if name == "conversation.note_added" || name == "" {
			break
		}
	}
	want := []string{"customer.created", "customer.identified", "conversation.opened", "conversation.message_received", "conversation.note_added"}
	if strings.Join(names, " ") != strings.Join(want, " ") {
		t.Fatalf("got %q, want %q", names, want)
	}
	resumed := b.follow(b.acme.userKey, "?kind=conversation", ids[2])
	for i := 3; i < len(ids); i++ {
		if position, name, _ := resumed(); position != ids[i] || name != names[i] {
			t.Fatalf("resumed with %s at %s, want %s at %s", name, position, names[i], ids[i])
		}
	}
	live := b.follow(b.acme.userKey, "?conversation="+id, "")
	b.open(b.acme, "another conversation")
	b.ok(201, "POST", "/v1/conversations/"+id+"/messages", b.acme.userKey, map[string]any{"text": "live"})
	if _, name, data := live(); name != "conversation.message_written" || !strings.Contains(data, "live") {
		t.Fatalf("%s %s", name, data)
	}
	other := events.Position{Incarnation: "anotherlog", Sequence: 1}.String()
	b.refused(422, "position_unknown", "GET", "/v1/stream?after="+other, b.acme.userKey, nil)
}

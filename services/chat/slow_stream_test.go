package chat_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// TestASlowVisitorIsCutOffAndResumes: who takes nothing is let go; from the last id that came whole the rest is had, once.
func TestASlowVisitorIsCutOffAndResumes(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: waits until a reader is given up")
	}
	b := setup(t)
	const many = 400
	ann := events.Actor{Type: events.ActorAgent, ID: "ann"}
	token := b.session(`{"site_key":"site_acme"}`)
	id := b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m0","text":"first"}`).str("conversation_id")
	write := func(n int) {
		t.Helper()
		if _, err := b.desk.Handle(t.Context(), "acme", id, command.Meta{Actor: ann}, conversation.WriteMessage{MessageID: events.NewID(), Author: ann, Text: fmt.Sprint("message ", n)}); err != nil {
			t.Fatal(err)
		}
	}
	for n := range many {
		write(n)
	}
	ask := func(after string) *http.Request {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+"/chat/v1/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Last-Event-ID", after)
		return r
	}
	seen := testkit.SlowReader(t, b.server.Config.Handler, ask(""), 50)
	if len(seen) >= many {
		t.Fatalf("it was given %d events before it was cut off", len(seen))
	}
	write(many)
	res, err := b.server.Client().Do(ask(seen[len(seen)-1]))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	want, err := b.shown(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if seen = append(seen, testkit.ReadIDs(res.Body, len(want)-len(seen))...); !slices.Equal(seen, want) {
		t.Errorf("cut off and resumed it has seen %d events, the log has %d", len(seen), len(want))
	}
}

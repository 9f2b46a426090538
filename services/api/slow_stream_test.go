package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/aggregates"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// TestASlowAgentIsCutOffAndResumes: who takes nothing is let go; from the last id that came
// whole the rest is had, once.
func TestASlowAgentIsCutOffAndResumes(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: waits until a reader is given up")
	}
	b := setup(t)
	const many = 400
	start := b.log.Position(events.Aggregate{Org: "acme"}, testkit.Head(t, b.log)).String()
	id := b.open(b.acme, "hello")
	desk := aggregates.Conversations(b.loop)
	write := func(n int) {
		t.Helper()
		if _, err := desk.Handle(t.Context(), "acme", id, command.Meta{}, conversation.ReceiveMessage{MessageID: events.NewID(), Text: fmt.Sprint("message ", n)}); err != nil {
			t.Fatal(err)
		}
	}
	for n := range many {
		write(n)
	}
	ask := func(after string) *http.Request {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+"/v1/stream?conversation="+id, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+b.acme.userKey)
		r.Header.Set("Last-Event-ID", after)
		return r
	}
	seen := testkit.SlowReader(t, b.service.Handler(), ask(start), 50)
	if len(seen) >= many {
		t.Fatalf("it was given %d events before it was cut off", len(seen))
	}
	write(many)
	res, err := b.server.Client().Do(ask(seen[len(seen)-1]))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	all, err := b.log.Read(t.Context(), events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: id}, 0)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, e := range all {
		want = append(want, b.log.Position(e.Aggregate, e.Sequence).String())
	}
	if seen = append(seen, testkit.ReadIDs(res.Body, len(want)-len(seen))...); !slices.Equal(seen, want) {
		t.Errorf("cut off and resumed it has seen %d events, the log has %d", len(seen), len(want))
	}
}

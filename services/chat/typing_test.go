package chat_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/typing"
	"github.com/tidemark-desk/tidemark/services/chat"
)

// TestTyping: the desk sees the visitor type, the visitor sees agents, neither in the log, and nobody in another's name.
func TestTyping(t *testing.T) {
	t.Parallel()
	var hub *typing.Hub
	b := setup(t, func(b *bundle, d *chat.Deps) {
		hub = typing.New(b.log.Conn())
		b.run(hub.Run)
		d.Typing = hub
	})
	opened := b.ok(201, "POST", "/chat/v1/sessions", "", `{"site_key":"site_acme"}`)
	token, id := opened.str("token"), opened.str("conversation_id")
	b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m1","text":"hello"}`)

	desk := make(chan typing.Signal, 100)
	defer hub.Listen("acme", "", func(s typing.Signal) { desk <- s })()
	now, ticker := time.Unix(1_800_000_000, 0), time.NewTicker(10*time.Millisecond)
	defer ticker.Stop()
	s := b.stream(token, "")
	s.next("message")
	seen := make(chan string)
	go func() {
		defer close(seen)
		for s.lines.Scan() {
			if line := s.lines.Text(); strings.HasPrefix(line, "id:") || strings.HasPrefix(line, "event:") || strings.HasPrefix(line, "data:") {
				select {
				case seen <- line:
				case <-t.Context().Done():
					return
				}
			}
		}
	}()
	first := ""
	for first == "" { // until the subscription and the listener are there
		now = now.Add(time.Second)
		if err := hub.Send("acme", id, events.Actor{Type: events.ActorAgent, ID: "ann"}, now); err != nil {
			t.Fatal(err)
		}
		select {
		case first = <-seen:
		case <-ticker.C:
		}
	}
	if data := <-seen; first != "event: typing" || !strings.Contains(data, `"agent_id":"ann"`) || !strings.Contains(data, `"expires_at"`) {
		t.Errorf("%s, %s", first, data)
	}
	b.ok(204, "POST", "/chat/v1/typing", token, `{}`)
	for got := (typing.Signal{}); got.By.Type != events.ActorCustomer; {
		if got = <-desk; got.By.Type == events.ActorCustomer && got.ConversationID != id {
			t.Errorf("%+v", got)
		}
	}
	other := b.session(`{"site_key":"site_acme"}`)
	if a := b.ok(404, "POST", "/chat/v1/typing", other, `{"conversation_id":"`+id+`"}`); a.str("code") != "conversation_not_found" {
		t.Errorf("%s", a.raw)
	}
	if all, err := b.log.Read(t.Context(), events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: id}, 0); err != nil || len(all) != 2 {
		t.Errorf("%d events in the log, %v", len(all), err)
	}
}

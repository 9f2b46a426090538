package api_test

import (
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/typing"
	"github.com/tidemark-desk/tidemark/services/api"
)

// TestTyping: an agent is seen typing in a conversation of their own org, under their own name, and nothing is kept.
func TestTyping(t *testing.T) {
	t.Parallel()
	var hub *typing.Hub
	b := setup(t, func(b *bundle, d *api.Deps) {
		hub = typing.New(b.log.Conn())
		d.Typing = hub
	})
	id := b.open(b.acme, "hello")
	sub, err := b.log.Conn().SubscribeSync("typing.*.*")
	if err != nil {
		t.Fatal(err)
	}
	path := "/v1/conversations/" + id + "/typing"
	b.refused(404, "conversation_not_found", "POST", path, b.other.adminKey, nil)
	b.refused(404, "conversation_not_found", "POST", "/v1/conversations/nothing/typing", b.acme.userKey, nil)
	b.ok(204, "POST", path, b.acme.userKey, nil)
	m, err := sub.NextMsgWithContext(t.Context())
	if err != nil || m.Subject != "typing.acme."+id {
		t.Fatalf("%+v, %v", m, err)
	}
	all, err := b.log.Read(t.Context(), events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: id}, 0)
	if err != nil || len(all) != 2 {
		t.Errorf("%d events in the log, %v", len(all), err)
	}
}

// TestReadMark: it is the agent's own, and of a message that the conversation has.
func TestReadMark(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.open(b.acme, "hello")
	a := events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: id}
	all, err := b.log.Read(t.Context(), a, 0)
	if err != nil {
		t.Fatal(err)
	}
	received, _ := all[1].Event.(events.ConversationMessageReceived)
	path := "/v1/conversations/" + id + "/read"
	b.refused(404, "message_not_found", "PUT", path, b.acme.userKey, map[string]any{"message_id": "nothing"})
	first := b.ok(200, "PUT", path, b.acme.userKey, map[string]any{"message_id": received.MessageID})
	if again := b.ok(200, "PUT", path, b.acme.userKey, map[string]any{"message_id": received.MessageID}); again.str("position") != first.str("position") {
		t.Errorf("%s, then %s", first.raw, again.raw)
	}
	all, err = b.log.Read(t.Context(), a, 0)
	mark, _ := all[len(all)-1].Event.(events.ConversationReadUpTo)
	if err != nil || len(all) != 3 || mark.MessageID != received.MessageID || mark.Reader.Type != events.ActorAgent || mark.Reader.ID == "" {
		t.Errorf("%+v, %v", mark, err)
	}
}

package chat_test

import (
	"fmt"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
)

// listed is the visitor's conversations, and what each shows at a glance.
func (b *bundle) listed(token string) (ids, glance []string) {
	b.t.Helper()
	for _, item := range b.ok(200, "GET", "/chat/v1/conversations", token, "").body["items"].([]any) {
		c := item.(map[string]any)
		last := c["last_message"].(map[string]any)
		ids = append(ids, c["id"].(string))
		glance = append(glance, fmt.Sprint(c["status"], " ", last["text"], " unread ", c["unread"], " read ", c["read_up_to"], " seen ", c["seen_up_to"]))
	}
	return ids, glance
}

// TestFurtherConversations: each has its own history, the newest open one is where a message goes, and nothing is doubled.
func TestFurtherConversations(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.session(`{"site_key":"site_acme"}`)
	if ids, _ := b.listed(token); len(ids) != 0 {
		t.Errorf("%v", ids)
	}
	first := b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m1","text":"one"}`)
	second := b.ok(201, "POST", "/chat/v1/conversations", token, `{"id":"m2","text":"two"}`)
	if again := b.ok(201, "POST", "/chat/v1/conversations", token, `{"id":"m2","text":"two"}`); again.raw != second.raw {
		t.Errorf("a resend answers %s, first %s", again.raw, second.raw)
	}
	if second.str("conversation_id") == first.str("conversation_id") {
		t.Fatal("it is the same conversation")
	}
	if again := b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m1","text":"one"}`); again.raw != first.raw {
		t.Errorf("a resend to what is no longer the present conversation answers %s, first %s", again.raw, first.raw)
	}
	if third := b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m3","text":"three"}`); third.str("conversation_id") != second.str("conversation_id") {
		t.Errorf("%s", third.raw)
	}
	b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m4","text":"four","conversation_id":"`+first.str("conversation_id")+`"}`)
	for id, want := range map[string]string{first.str("conversation_id"): "one|four", second.str("conversation_id"): "two|three"} {
		if got := b.texts(token, "?conversation_id="+id); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if ids, glance := b.listed(token); len(ids) != 2 || ids[0] != first.str("conversation_id") || glance[1] != "open three unread 0 read  seen " {
		t.Errorf("%v %q", ids, glance)
	}
	other := b.session(`{"site_key":"site_acme"}`)
	foreign := b.session(`{"site_key":"site_other"}`)
	for _, stranger := range []string{other, foreign} {
		if ids, _ := b.listed(stranger); len(ids) != 0 {
			t.Errorf("a stranger sees %v", ids)
		}
		for _, c := range [][3]string{
			{"GET", "/chat/v1/messages?conversation_id=" + first.str("conversation_id"), ""},
			{"GET", "/chat/v1/stream?conversation_id=" + first.str("conversation_id"), ""},
			{"POST", "/chat/v1/messages", `{"id":"x","text":"x","conversation_id":"` + first.str("conversation_id") + `"}`},
			{"POST", "/chat/v1/read", `{"message_id":"m1","conversation_id":"` + first.str("conversation_id") + `"}`},
		} {
			if a := b.do(c[0], c[1], stranger, c[2]); a.status != 404 || a.str("code") != "conversation_not_found" {
				t.Errorf("%v: %d %s", c, a.status, a.raw)
			}
		}
	}
}

// TestReadMarks: both sides see how far the other has read, and a mark never goes back.
func TestReadMarks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	opened := b.ok(201, "POST", "/chat/v1/sessions", "", `{"site_key":"site_acme"}`)
	token, id := opened.str("token"), opened.str("conversation_id")
	b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m1","text":"one"}`)
	ann := events.Actor{Type: events.ActorAgent, ID: "ann"}
	all, err := b.log.Read(t.Context(), events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: id}, 0)
	if err != nil {
		t.Fatal(err)
	}
	var received string
	for _, e := range all {
		if m, ok := e.Event.(events.ConversationMessageReceived); ok {
			received = m.MessageID
		}
	}
	for _, c := range []conversation.Command{
		conversation.WriteMessage{MessageID: "a1", Author: ann, Text: "two"},
		conversation.WriteMessage{MessageID: "a2", Author: ann, Text: "three"},
		conversation.MarkRead{Reader: ann, MessageID: received},
	} {
		if _, err := b.desk.Handle(t.Context(), "acme", id, command.Meta{Actor: ann}, c); err != nil {
			t.Fatal(err)
		}
	}
	mark := b.ok(200, "POST", "/chat/v1/read", token, `{"message_id":"a1"}`)
	if _, glance := b.listed(token); glance[0] != "open three unread 1 read a1 seen m1" {
		t.Errorf("%q", glance)
	}
	for _, older := range []string{"m1", "a1"} {
		if again := b.ok(200, "POST", "/chat/v1/read", token, `{"message_id":"`+older+`"}`); again.raw != mark.raw {
			t.Errorf("%s: the mark is at %s, before %s", older, again.raw, mark.raw)
		}
	}
	b.ok(404, "POST", "/chat/v1/read", token, `{"message_id":"nothing"}`)
	b.ok(422, "POST", "/chat/v1/read", token, `{}`)
	s := b.stream(token, "")
	s.next("message")
	s.next("message")
	s.next("message")
	if e := s.next("read"); e["by"] != "agent" || e["message_id"] != "m1" {
		t.Errorf("%v", e)
	}
	if e := s.next("read"); e["by"] != "you" || e["message_id"] != "a1" {
		t.Errorf("%v", e)
	}
}

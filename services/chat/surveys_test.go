package chat_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/services/chat"
)

// does gives a command of the desk to a conversation.
func (b *bundle) does(id string, c conversation.Command) {
	b.t.Helper()
	if _, err := b.desk.Handle(b.t.Context(), "acme", id, command.Meta{}, c); err != nil {
		b.t.Fatal(err)
	}
}

// clock is one that a test moves.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

func (b *bundle) asks(id, survey string, closing int, expires time.Time) {
	b.t.Helper()
	b.does(id, conversation.RequestSurvey{SurveyID: survey, Closing: closing, Question: "How was it?", ChannelID: "site", ExpiresAt: expires})
}

func TestASurveyWaitsForTheVisitor(t *testing.T) {
	t.Parallel()
	c := &clock{}
	b := setup(t, func(_ *bundle, d *chat.Deps) { d.Clock, d.Lifetime = c.now, 30*24*time.Hour })
	token := b.session(`{"site_key":"site_acme","name":"Ann"}`)
	id := b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m1","text":"Hello"}`).str("conversation_id")
	if a := b.ok(200, "GET", "/chat/v1/messages", token, ""); a.body["survey"] != nil {
		t.Errorf("nobody asked: %s", a.raw)
	}
	b.does(id, conversation.Close{Reason: "secret reason"})
	week := c.now().Add(7 * 24 * time.Hour)
	b.asks(id, "s1", 1, week)

	// She was away when she was asked: history and stream both have it.
	history := func() map[string]any {
		t.Helper()
		a := b.ok(200, "GET", "/chat/v1/messages", token, "")
		survey, _ := a.body["survey"].(map[string]any)
		if strings.Contains(a.raw, "secret") {
			t.Errorf("what the desk does among itself leaks: %s", a.raw)
		}
		return survey
	}
	stream := b.stream(token, "")
	stream.next("message")
	stream.next("status")
	told := stream.next("survey")
	for _, s := range []map[string]any{history(), told} {
		if s["id"] != "s1" || s["status"] != "waiting" || s["question"] != "How was it?" || s["expires_at"] == nil {
			t.Errorf("%v", s)
		}
	}

	first := b.ok(200, "POST", "/chat/v1/surveys/s1", token, `{"score":2,"comment":"slow"}`)
	if first.body["score"] != 2.0 || first.str("status") != "answered" || first.str("position") != first.header.Get("Tidemark-Position") {
		t.Errorf("%s", first.raw)
	}
	if s := stream.next("survey"); s["score"] != 2.0 || s["comment"] != "slow" {
		t.Errorf("%v", s)
	}
	if again := b.ok(200, "POST", "/chat/v1/surveys/s1", token, `{"score":2,"comment":"slow"}`); again.str("position") != first.str("position") {
		t.Errorf("the same answer again added something: %s", again.raw)
	}
	c.advance(59 * time.Minute)
	b.ok(200, "POST", "/chat/v1/surveys/s1", token, `{"score":5}`)
	if s := history(); s["status"] != "answered" || s["score"] != 5.0 || s["comment"] != nil || s["question"] != "How was it?" {
		t.Errorf("%v", s)
	}
	c.advance(time.Minute)
	b.ok(409, "POST", "/chat/v1/surveys/s1", token, `{"score":1}`)

	// The next closing's survey takes its place; it is withdrawn when she writes.
	b.does(id, conversation.Reopen{Reason: "more"})
	b.does(id, conversation.Close{Reason: "solved"})
	b.asks(id, "s2", 2, week)
	if s := history(); s["id"] != "s2" || s["status"] != "waiting" {
		t.Errorf("%v", s)
	}
	b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m2","text":"One more thing"}`)
	if s := history(); s != nil {
		t.Errorf("it is asked still: %v", s)
	}
	if a := b.ok(409, "POST", "/chat/v1/surveys/s2", token, `{"score":5}`); a.str("code") != "survey_excused" {
		t.Errorf("%s", a.raw)
	}

	// What nobody answered is over with the time, also while the timer is late.
	b.does(id, conversation.Close{Reason: "solved"})
	b.asks(id, "s3", 3, week)
	c.advance(7 * 24 * time.Hour)
	if s := history(); s["status"] != "expired" {
		t.Errorf("%v", s)
	}
	if a := b.ok(409, "POST", "/chat/v1/surveys/s3", token, `{"score":5}`); a.str("code") != "survey_expired" {
		t.Errorf("%s", a.raw)
	}
}

func TestWhoMayAnswerAndHow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.session(`{"site_key":"site_acme"}`)
	id := b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m1","text":"Hello"}`).str("conversation_id")
	b.does(id, conversation.Close{Reason: "solved"})
	b.asks(id, "s1", 1, time.Now().Add(time.Hour))

	stranger := b.session(`{"site_key":"site_acme"}`)
	for name, who := range map[string]string{"before a first message": stranger, "of another org": b.session(`{"site_key":"site_other"}`)} {
		if a := b.ok(404, "POST", "/chat/v1/surveys/s1", who, `{"score":5}`); a.str("code") != "survey_not_found" {
			t.Errorf("%s: %s", name, a.raw)
		}
	}
	b.ok(201, "POST", "/chat/v1/messages", stranger, `{"id":"m1","text":"Hello"}`)
	b.ok(404, "POST", "/chat/v1/surveys/s1", stranger, `{"score":5}`)
	b.ok(401, "POST", "/chat/v1/surveys/s1", "", `{"score":5}`)

	for _, body := range []string{
		`{}`, `{"score":0}`, `{"score":6}`, `{"score":4.5}`, `{"score":"5"}`, `{"score":null}`, `{"score":5,"comment":1}`, `{"score":5,"Comment":"x"}`,
		fmt.Sprintf(`{"score":5,"comment":%q}`, strings.Repeat("x", 10_001)),
	} {
		b.ok(422, "POST", "/chat/v1/surveys/s1", token, body)
	}
	b.ok(400, "POST", "/chat/v1/surveys/s1", token, `[5]`)
	if a := b.ok(200, "GET", "/chat/v1/messages", token, ""); a.body["survey"].(map[string]any)["status"] != "waiting" {
		t.Errorf("something of it was taken: %s", a.raw)
	}
	b.ok(200, "POST", "/chat/v1/surveys/s1", token, `{"score":5}`)
}

// TestASurveyOfAFurtherConversation: a visitor answers what was asked about any of their conversations.
func TestASurveyOfAFurtherConversation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.session(`{"site_key":"site_acme"}`)
	b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m1","text":"one"}`)
	id := b.ok(201, "POST", "/chat/v1/conversations", token, `{"id":"m2","text":"two"}`).str("conversation_id")
	b.does(id, conversation.Close{Reason: "solved"})
	b.asks(id, "s1", 1, time.Now().Add(time.Hour))
	b.ok(200, "POST", "/chat/v1/surveys/s1", token, `{"score":4}`)
	page := b.ok(200, "GET", "/chat/v1/messages?conversation_id="+id, token, "")
	if s, _ := page.body["survey"].(map[string]any); s["score"] != 4.0 {
		t.Errorf("%s", page.raw)
	}
	b.ok(404, "POST", "/chat/v1/surveys/s1", b.session(`{"site_key":"site_acme"}`), `{"score":5}`)
}

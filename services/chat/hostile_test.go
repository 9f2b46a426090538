package chat_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/attachment"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/channel"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/internal/web"
	"github.com/tidemark-desk/tidemark/services/chat"
)

// route is one way in for a visitor, with a request that is taken when the session is good. The ids in it are of what the
// visitor has.
type route struct{ method, path, body string }

// routes are all that ask for a session; ids are put into them.
func routes(conversationID, messageID, surveyID string) []route {
	return []route{
		{"GET", "/chat/v1/messages?conversation_id=" + conversationID, ""},
		{"GET", "/chat/v1/stream?conversation_id=" + conversationID, ""},
		{"GET", "/chat/v1/conversations", ""},
		{"POST", "/chat/v1/messages", `{"id":"h1","text":"hello","conversation_id":"` + conversationID + `"}`},
		{"POST", "/chat/v1/conversations", `{"id":"h2","text":"hello"}`},
		{"POST", "/chat/v1/typing", `{"conversation_id":"` + conversationID + `"}`},
		{"POST", "/chat/v1/read", `{"message_id":"` + messageID + `","conversation_id":"` + conversationID + `"}`},
		{"POST", "/chat/v1/surveys/" + surveyID, `{"score":1}`},
		{"POST", "/chat/v1/attachments?name=a.txt", "hello"},
		{"DELETE", "/chat/v1/sessions/current", ""},
	}
}

// asked is a visitor whose conversation is closed, with a survey that waits.
func (b *bundle) asked(site string) (token, conversationID, surveyID string) {
	b.t.Helper()
	org := strings.TrimPrefix(site, "site_")
	token = b.session(`{"site_key":"` + site + `"}`)
	conversationID = b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m1","text":"a secret of mine"}`).str("conversation_id")
	for _, c := range []conversation.Command{
		conversation.WriteMessage{MessageID: "a1", Author: events.Actor{Type: events.ActorAgent, ID: "ann"}, Text: "it stays between us"},
		conversation.Close{Reason: "solved"},
	} {
		if _, err := b.desk.Handle(b.t.Context(), org, conversationID, command.Meta{}, c); err != nil {
			b.t.Fatal(err)
		}
	}
	surveyID = "survey-of-" + conversationID[:8]
	request := conversation.RequestSurvey{SurveyID: surveyID, Closing: 1, ChannelID: "site", ExpiresAt: time.Now().Add(24 * time.Hour)}
	if _, err := b.desk.Handle(b.t.Context(), org, conversationID, command.Meta{}, request); err != nil {
		b.t.Fatal(err)
	}
	return token, conversationID, surveyID
}

// TestForgedTokens: on no route is anything believed that this server did not sign for this purpose.
func TestForgedTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token, conversationID, surveyID := b.asked("site_acme")
	theirs, _, _ := b.asked("site_other")
	body, signature, _ := strings.Cut(strings.TrimPrefix(token, "tdmc1_"), ".")
	raw, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		t.Fatal(err)
	}
	altered := func(name string, value any) string {
		var claims map[string]any
		if err := json.Unmarshal(raw, &claims); err != nil {
			t.Fatal(err)
		}
		claims[name] = value
		changed, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		return "tdmc1_" + base64.RawURLEncoding.EncodeToString(changed) + "." + signature
	}
	_, others, _ := strings.Cut(theirs, ".")
	forged := map[string]string{
		"nothing":                   "",
		"a later end":               altered("x", time.Now().Add(time.Hour).Unix()),
		"a longer window":           altered("u", time.Now().Add(1e6*time.Hour).Unix()),
		"another visitor":           altered("v", events.NewID()),
		"another org":               altered("o", "other"),
		"another channel":           altered("c", "else"),
		"a proven one":              altered("k", true),
		"a later epoch":             altered("e", 7),
		"another org's signature":   "tdmc1_" + body + "." + others,
		"no signature":              "tdmc1_" + body,
		"an empty signature":        "tdmc1_" + body + ".",
		"another version":           "tdmc2_" + body + "." + signature,
		"the token of a file":       "tdmf1_" + body + "." + signature,
		"a key of the API":          "tdm_" + strings.Repeat("A", 52),
		"longer than any":           "tdmc1_" + strings.Repeat("A", 8000) + "." + signature,
		"two tokens":                token + " " + token,
		"characters of no encoding": "tdmc1_!!!!.????",
	}
	head := testkit.Head(t, b.log)
	for name, bad := range forged {
		for _, r := range routes(conversationID, "a1", surveyID) {
			a := b.do(r.method, r.path, bad, r.body)
			if a.status != 401 || a.str("code") != "unauthenticated" || strings.Contains(a.raw, "secret") {
				t.Errorf("%s: %s %s: %d %s", name, r.method, r.path, a.status, a.raw)
			}
		}
		if a := b.ok(201, "POST", "/chat/v1/sessions", bad, `{"site_key":"site_acme"}`); a.str("conversation_id") == conversationID {
			t.Errorf("%s: it was renewed", name)
		}
	}
	if now := testkit.Head(t, b.log); now != head {
		t.Errorf("forged tokens left %d events", now-head)
	}
}

// TestExpiredTokens: what has expired is only good to be renewed, or ended, until that is over too.
func TestExpiredTokens(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	b := setup(t, func(_ *bundle, d *chat.Deps) {
		d.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		d.Lifetime, d.Renewable = time.Hour, 48*time.Hour
	})
	token, conversationID, surveyID := b.asked("site_acme")
	head := testkit.Head(t, b.log)
	for after, code := range map[time.Duration]string{time.Hour: "session_expired", 48 * time.Hour: "unauthenticated"} {
		ahead.Store(int64(after))
		for _, r := range routes(conversationID, "a1", surveyID) {
			if r.method == http.MethodDelete && code == "session_expired" {
				continue
			}
			if a := b.do(r.method, r.path, token, r.body); a.status != 401 || a.str("code") != code || strings.Contains(a.raw, "secret") {
				t.Errorf("after %s: %s %s: %d %s", after, r.method, r.path, a.status, a.raw)
			}
		}
	}
	if now := testkit.Head(t, b.log); now != head {
		t.Errorf("expired tokens left %d events", now-head)
	}
}

// TestOtherPeoplesIds: whatever of somebody else is named, of the same site or of another org, is not there, and nothing of
// theirs changes.
func TestOtherPeoplesIds(t *testing.T) {
	t.Parallel()
	var files *attachment.Files
	var late atomic.Int64
	b := setup(t, withFiles(t, &files, &late))
	_, conversationID, surveyID := b.asked("site_acme")
	uploader := b.session(`{"site_key":"site_acme"}`)
	stolen := b.upload(uploader, "secret.txt", "a secret file")
	same, other := b.session(`{"site_key":"site_acme"}`), b.session(`{"site_key":"site_other"}`)
	own := map[string]string{}
	for name, token := range map[string]string{"of the same site": same, "of another org": other} {
		own[name] = b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m1","text":"mine"}`).str("conversation_id")
	}
	before := testkit.Head(t, b.log)
	for name, token := range map[string]string{"of the same site": same, "of another org": other} {
		for _, r := range []struct {
			route

			code string
		}{
			{route{"GET", "/chat/v1/messages?conversation_id=" + conversationID, ""}, "conversation_not_found"},
			{route{"GET", "/chat/v1/stream?conversation_id=" + conversationID, ""}, "conversation_not_found"},
			{route{"POST", "/chat/v1/messages", `{"id":"h1","text":"hello","conversation_id":"` + conversationID + `"}`}, "conversation_not_found"},
			{route{"POST", "/chat/v1/typing", `{"conversation_id":"` + conversationID + `"}`}, "conversation_not_found"},
			{route{"POST", "/chat/v1/read", `{"message_id":"a1","conversation_id":"` + conversationID + `"}`}, "conversation_not_found"},
			{route{"POST", "/chat/v1/read", `{"message_id":"a1"}`}, "message_not_found"},
			{route{"POST", "/chat/v1/surveys/" + surveyID, `{"score":1}`}, "survey_not_found"},
			{route{"POST", "/chat/v1/messages", `{"id":"h2","attachments":["` + stolen + `"]}`}, "attachment_unknown"},
			{route{"GET", "/chat/v1/messages?conversation_id=", ""}, ""}, // their own
		} {
			a := b.do(r.method, r.path, token, r.body)
			if r.code != "" && (a.status < 400 || a.status >= 500 || a.str("code") != r.code) || strings.Contains(a.raw, "secret") {
				t.Errorf("%s: %s %s %s: %d %s, want %s", name, r.method, r.path, r.body, a.status, a.raw, r.code)
			}
		}
		if list := b.ok(200, "GET", "/chat/v1/conversations", token, ""); len(list.body["items"].([]any)) != 1 || !strings.Contains(list.raw, own[name]) {
			t.Errorf("%s: %s", name, list.raw)
		}
	}
	if now := testkit.Head(t, b.log); now != before {
		t.Errorf("they left %d events", now-before)
	}
}

// TestWrongOrigins: a page of another site gets nothing out of a channel, whatever token it has come by, and cannot end what
// it must not use.
func TestWrongOrigins(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token, conversationID, surveyID := b.asked("site_acme")
	head := testkit.Head(t, b.log)
	for _, origin := range []string{
		"https://evil.example", "https://other.example", "http://acme.example", "https://acme.example:8443",
		"https://acme.example.evil.example", "https://evil-acme.example", "HTTPS://ACME.EXAMPLE", "https://acme.example/", "null", "acme.example",
	} {
		for _, r := range append(
			routes(conversationID, "a1", surveyID),
			route{"POST", "/chat/v1/sessions", `{"site_key":"site_acme"}`}, route{"GET", "/chat/v1/channels/site_acme", ""},
		) {
			a := b.do(r.method, r.path, token, r.body, "Origin", origin)
			if a.status != 403 || a.str("code") != "origin_not_allowed" || strings.Contains(a.raw, "secret") {
				t.Errorf("%s: %s %s: %d %s", origin, r.method, r.path, a.status, a.raw)
			}
		}
	}
	if now := testkit.Head(t, b.log); now != head {
		t.Errorf("they left %d events", now-head)
	}
	b.ok(200, "GET", "/chat/v1/messages", token, "", "Origin", "https://acme.example")
}

// TestOversize: no body larger than a request may have is taken on any route, with its length told or not.
func TestOversize(t *testing.T) {
	t.Parallel()
	var files *attachment.Files
	var late atomic.Int64
	b := setup(t, withFiles(t, &files, &late))
	token, conversationID, surveyID := b.asked("site_acme")
	head := testkit.Head(t, b.log)
	for _, r := range append(routes(conversationID, "a1", surveyID), route{"POST", "/chat/v1/sessions", "{}"}) {
		if r.method != http.MethodPost {
			continue
		}
		size, code := web.MaxBody+1, "body_too_large"
		if strings.HasPrefix(r.path, "/chat/v1/attachments") {
			size, code = attachment.MaxSize+1, "attachment_too_large"
		}
		for _, told := range []bool{true, false} {
			var body io.Reader = strings.NewReader(strings.Repeat(" ", size))
			if !told {
				body = io.MultiReader(body)
			}
			req, err := http.NewRequestWithContext(t.Context(), r.method, b.server.URL+r.path, body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+token)
			req.Header.Set("Content-Type", "application/json")
			res, err := b.server.Client().Do(req)
			if err != nil {
				t.Fatalf("%s %s: %v", r.method, r.path, err)
			}
			var p struct{ Code string }
			_ = json.NewDecoder(res.Body).Decode(&p)
			_ = res.Body.Close()
			if res.StatusCode != http.StatusRequestEntityTooLarge || p.Code != code {
				t.Errorf("%s %s, told %v: %d %s", r.method, r.path, told, res.StatusCode, p.Code)
			}
		}
	}
	if now := testkit.Head(t, b.log); now != head {
		t.Errorf("they left %d events", now-head)
	}
}

// TestTenThousandSessionsOfOneAddress: beyond its limit an address gets nothing, whatever it says of itself,
// and nothing of it is in the log.
func TestTenThousandSessionsOfOneAddress(t *testing.T) {
	t.Parallel()
	b := limited(t, func(d *chat.Deps) {
		d.Sessions, d.Sites = web.Limit{PerSecond: 1, Burst: 30}, web.Limit{PerSecond: 100, Burst: 200}
	})
	b.channel("acme", channel.RotateIdentitySecret{})
	head := testkit.Head(t, b.log)
	hash := userHash(b.secret("acme", 1), "u1")
	opened, refused := 0, 0
	for n := range 10_000 {
		// Whatever they say of themselves, and whether or not it can be proven.
		body := fmt.Sprintf(`{"site_key":"site_acme","name":"visitor %d"}`, n)
		if n%100 == 99 {
			body = proven("site_acme", "u1", hash)
		}
		a := b.do("POST", "/chat/v1/sessions", "", body, "X-Forwarded-For", fmt.Sprintf("198.51.100.%d, 203.0.113.1", n%256))
		switch {
		case a.status == http.StatusCreated:
			opened++
		case a.status == http.StatusTooManyRequests && a.str("code") == "rate_limited" && a.header.Get("Retry-After") != "":
			refused++
		default:
			t.Fatalf("session %d: %d %s", n, a.status, a.raw)
		}
	}
	if opened != 30 || refused != 9_970 {
		t.Errorf("%d were opened and %d refused", opened, refused)
	}
	if now := testkit.Head(t, b.log); now != head {
		t.Errorf("they left %d events", now-head)
	}
	if got := b.opens("site_acme", "203.0.113.2"); got != 201 {
		t.Errorf("a neighbour: %d", got)
	}
}

// TestFilesOfNotes: a visitor finds no way to what agents keep with a note in the visitor's own conversation.
func TestFilesOfNotes(t *testing.T) {
	t.Parallel()
	var files *attachment.Files
	var late atomic.Int64
	b := setup(t, withFiles(t, &files, &late))
	token := b.session(`{"site_key":"site_acme"}`)
	live := b.stream(token, "")
	id := b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m1","text":"hello"}`).str("conversation_id")
	live.next("message")
	desk := attachment.Owner{Org: "acme", Conversation: id, By: "desk"}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("a secret file"))
	if err != nil {
		t.Fatal(err)
	}
	uploaded, err := files.Receive(&recorder{header: http.Header{}}, r, desk, "secret.txt", func(context.Context) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	list, err := files.Redeem(desk, []string{uploaded.ID})
	if err != nil {
		t.Fatal(err)
	}
	ann := events.Actor{Type: events.ActorAgent, ID: "ann"}
	for _, c := range []conversation.Command{
		conversation.AddNote{NoteID: "n1", Author: ann, Text: "see the file", Attachments: list},
		conversation.WriteMessage{MessageID: "a1", Author: ann, Text: "Hi!"},
	} {
		if _, err := b.desk.Handle(t.Context(), "acme", id, command.Meta{Actor: ann}, c); err != nil {
			t.Fatal(err)
		}
	}
	if told := live.next("message"); told["id"] != "a1" || told["attachments"] != nil {
		t.Errorf("the stream tells %v", told)
	}
	if again := b.stream(token, ""); again.next("message")["id"] != "m1" || again.next("message")["id"] != "a1" {
		t.Error("the stream tells of the note")
	}
	for _, path := range []string{"/chat/v1/messages", "/chat/v1/conversations", "/chat/v1/messages?conversation_id=" + id} {
		if a := b.ok(200, "GET", path, token, ""); strings.Contains(a.raw, "secret") || strings.Contains(a.raw, list[0].ID) || strings.Contains(a.raw, "/files/") || strings.Contains(a.raw, "see the file") {
			t.Errorf("%s shows %s", path, a.raw)
		}
	}
	for name, c := range map[string][2]string{
		"what the desk uploaded":   {"/chat/v1/messages", `{"id":"h1","attachments":["` + uploaded.ID + `"]}`},
		"the hash of the file":     {"/chat/v1/messages", `{"id":"h2","attachments":["` + list[0].ID + `"]}`},
		"a mark on the note":       {"/chat/v1/read", `{"message_id":"n1"}`},
		"the note as conversation": {"/chat/v1/messages", `{"id":"h3","text":"hello","conversation_id":"n1"}`},
	} {
		if a := b.do("POST", c[0], token, c[1]); a.status < 400 || a.status >= 500 {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	// Who has the same bytes has their own file by it, and nothing of the note.
	own := b.upload(token, "mine.txt", "a secret file")
	b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m2","attachments":["`+own+`"]}`)
	if a := b.ok(200, "GET", "/chat/v1/messages", token, ""); strings.Contains(a.raw, "secret.txt") {
		t.Errorf("%s", a.raw)
	}
}

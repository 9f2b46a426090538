package chat_test

import (
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/channel"
	"github.com/tidemark-desk/tidemark/internal/intake"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/services/chat"
)

// beside is another process on the same log, with nothing in common but that.
func (b *bundle) beside() *bundle {
	b.t.Helper()
	other := *b
	other.loop = command.NewLoop(b.log, command.Options{})
	other.dir = directory.New(b.log, nil)
	other.run(other.dir.Run)
	s := chat.New(chat.Deps{Log: b.log, Loop: other.loop, Directory: other.dir, Intake: intake.New(other.loop, other.dir)})
	other.stopRun = other.run(s.Run)
	other.server = httptest.NewServer(s.Handler())
	b.t.Cleanup(other.server.Close)
	return &other
}

// revoked tells that a token means nothing, wherever it is shown.
func (b *bundle) revoked(token string) {
	b.t.Helper()
	for _, c := range [][3]string{
		{"GET", "/chat/v1/messages", ""},
		{"GET", "/chat/v1/stream", ""},
		{"GET", "/chat/v1/conversations", ""},
		{"POST", "/chat/v1/messages", `{"id":"late","text":"still there?"}`},
		{"POST", "/chat/v1/conversations", `{"id":"late","text":"still there?"}`},
		{"POST", "/chat/v1/typing", `{}`},
		{"POST", "/chat/v1/read", `{"message_id":"m1"}`},
		{"POST", "/chat/v1/surveys/s1", `{"score":5}`},
		{"POST", "/chat/v1/attachments?name=a.txt", `hello`},
		{"DELETE", "/chat/v1/sessions/current", ""},
	} {
		if a := b.do(c[0], c[1], token, c[2]); a.status != 401 || a.str("code") != "session_revoked" {
			b.t.Errorf("%s %s: %d %s", c[0], c[1], a.status, a.raw)
		}
	}
}

// ends reads a stream to its end, and tells the last event that has data.
func (s *stream) ends() string {
	lines := strings.Split(s.rest(), "\n")
	for n := len(lines) - 1; n > 0; n-- {
		if data, ok := strings.CutPrefix(lines[n], "data: "); ok {
			return strings.TrimPrefix(lines[n-1], "event: ") + " " + data
		}
	}
	return ""
}

// TestVisitorEndsTheirSessions: what a visitor ends is ended in every process at once, with all that was renewed from it, and
// whoever comes with the old token is somebody else.
func TestVisitorEndsTheirSessions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	there := b.beside()
	opened := b.ok(201, "POST", "/chat/v1/sessions", "", `{"site_key":"site_acme"}`)
	token := opened.str("token")
	renewed := b.ok(201, "POST", "/chat/v1/sessions", token, `{"site_key":"site_acme"}`).str("token")
	b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m1","text":"my secret"}`)
	neighbour := b.session(`{"site_key":"site_acme"}`)
	here, away, other := b.stream(token, ""), there.stream(renewed, ""), there.stream(neighbour, "")

	a := b.ok(204, "DELETE", "/chat/v1/sessions/current", token, "", "Origin", "https://acme.example")
	if a.header.Get("Tidemark-Position") == "" {
		t.Errorf("%v", a.header)
	}
	head := testkit.Head(t, b.log)
	for name, s := range map[string]*stream{"here": here, "away": away} {
		if last := s.ends(); !strings.HasPrefix(last, `revoked {"code":"session_revoked","at":"`) {
			t.Errorf("%s: the stream ended with %q", name, last)
		}
	}
	for _, process := range []*bundle{b, there} {
		process.revoked(token)
		process.revoked(renewed)
		next := process.ok(201, "POST", "/chat/v1/sessions", renewed, `{"site_key":"site_acme"}`)
		if next.str("conversation_id") == opened.str("conversation_id") {
			t.Error("the session goes on")
		}
		if h := process.ok(200, "GET", "/chat/v1/messages", next.str("token"), ""); strings.Contains(h.raw, "secret") {
			t.Errorf("%s", h.raw)
		}
	}
	if now := testkit.Head(t, b.log); now != head {
		t.Errorf("refused requests left %d events", now-head)
	}
	there.ok(201, "POST", "/chat/v1/messages", neighbour, `{"id":"m1","text":"hello"}`)
	other.next("message")
}

// TestWhoHasEndedProvesItAgain: the page's proof opens a session of the same customer, the old tokens stay what they are.
func TestWhoHasEndedProvesItAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.channel("acme", channel.RotateIdentitySecret{})
	phone := b.identified("u1", "").str("token")
	laptop := b.identified("u1", "").str("token")
	b.ok(201, "POST", "/chat/v1/messages", phone, `{"id":"m1","text":"from the phone"}`)
	for range 2 {
		b.ok(204, "DELETE", "/chat/v1/sessions/current", laptop, "")
		b.revoked(phone)
		b.revoked(laptop)
		again := b.identified("u1", phone).str("token")
		if got := b.texts(again, ""); got != "from the phone" {
			t.Errorf("%q", got)
		}
		phone, laptop = again, b.ok(201, "POST", "/chat/v1/sessions", again, `{"site_key":"site_acme"}`).str("token")
	}
	anonymous := b.session(`{"site_key":"site_acme"}`)
	b.ok(201, "POST", "/chat/v1/messages", anonymous, `{"id":"m1","text":"of whoever sat here before"}`)
	b.ok(204, "DELETE", "/chat/v1/sessions/current", anonymous, "")
	if got := b.texts(b.identified("u2", anonymous).str("token"), ""); got != "" {
		t.Errorf("who comes next has %q", got)
	}
}

// TestChannelEndsAllSessions: those of one channel, in every process; whoever comes next is let in.
func TestChannelEndsAllSessions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	there := b.beside()
	b.channel("acme", channel.RotateIdentitySecret{})
	anonymous, known := b.session(`{"site_key":"site_acme"}`), b.identified("u1", "").str("token")
	other := b.session(`{"site_key":"site_other"}`)
	b.ok(201, "POST", "/chat/v1/messages", known, `{"id":"m1","text":"mine"}`)
	streams := []*stream{b.stream(anonymous, ""), there.stream(known, "")}
	spared := there.stream(other, "")

	for epoch := range 2 {
		r, err := b.channels.Handle(t.Context(), "acme", "site", command.Meta{}, channel.RevokeSessions{After: epoch, Reason: "leak"})
		if err != nil {
			t.Fatal(err)
		}
		for n, s := range streams {
			if last := s.ends(); !strings.HasPrefix(last, `revoked {"code":"session_revoked"`) {
				t.Errorf("stream %d ended with %q", n, last)
			}
		}
		for _, process := range []*bundle{b, there} {
			if err := process.dir.WaitFor(t.Context(), r.Position.Sequence); err != nil {
				t.Fatal(err)
			}
			process.revoked(anonymous)
			process.revoked(known)
		}
		anonymous, known = b.session(`{"site_key":"site_acme"}`), b.identified("u1", known).str("token")
		if got := b.texts(known, ""); got != "mine" {
			t.Errorf("who has proven who they are has %q", got)
		}
		streams = []*stream{there.stream(anonymous, ""), b.stream(known, "")}
	}
	there.ok(201, "POST", "/chat/v1/messages", other, `{"id":"m1","text":"hello"}`)
	spared.next("message")
}

// TestReturningVisitor: a token that has expired still says who comes, for as long as it can be renewed.
func TestReturningVisitor(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	now := time.Unix(1_800_000_000, 0)
	pass := func(d time.Duration) { now = now.Add(d); clock.Store(now.Unix()) }
	pass(0)
	b := setup(t, func(_ *bundle, d *chat.Deps) {
		d.Clock, d.Lifetime = func() time.Time { return time.Unix(clock.Load(), 0) }, 2*time.Hour
	})
	opened := b.ok(201, "POST", "/chat/v1/sessions", "", `{"site_key":"site_acme","name":"Ann"}`)
	token := opened.str("token")
	if opened.str("expires_at") != now.Add(2*time.Hour).UTC().Format(time.RFC3339) || opened.str("renewable_until") != now.Add(720*time.Hour).UTC().Format(time.RFC3339) {
		t.Errorf("%s", opened.raw)
	}
	b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m1","text":"hello"}`)
	pass(2*time.Hour - time.Second)
	b.ok(200, "GET", "/chat/v1/messages", token, "")
	pass(time.Second)
	for _, path := range []string{"/chat/v1/messages", "/chat/v1/stream"} {
		if a := b.ok(401, "GET", path, token, ""); a.str("code") != "session_expired" {
			t.Errorf("%s", a.raw)
		}
	}
	for range 3 { // the window goes on with each renewal
		pass(29 * 24 * time.Hour)
		token = b.ok(201, "POST", "/chat/v1/sessions", token, `{"site_key":"site_acme"}`).str("token")
		if got := b.texts(token, ""); got != "hello" {
			t.Errorf("who comes back has %q", got)
		}
	}
	pass(30 * 24 * time.Hour)
	if a := b.ok(401, "GET", "/chat/v1/messages", token, ""); a.str("code") != "unauthenticated" {
		t.Errorf("%s", a.raw)
	}
	if next := b.ok(201, "POST", "/chat/v1/sessions", token, `{"site_key":"site_acme"}`); next.str("conversation_id") == opened.str("conversation_id") {
		t.Error("it was renewed for ever")
	}

	stale := b.session(`{"site_key":"site_acme"}`)
	pass(24 * time.Hour)
	b.ok(204, "DELETE", "/chat/v1/sessions/current", stale, "") // who has not been here since can still log out
	b.revoked(stale)
}

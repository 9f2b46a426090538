package chat_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/channel"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/domain/org"
	"github.com/tidemark-desk/tidemark/internal/erasure"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/intake"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/internal/web"
	"github.com/tidemark-desk/tidemark/services/chat"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// bundle is the service on a real log, without a database: there is none to be had.
type bundle struct {
	t        *testing.T
	log      *eventlog.Log
	loop     *command.Loop
	dir      *directory.Directory
	desk     *command.Handler[conversation.State, conversation.Command]
	channels *command.Handler[channel.State, channel.Command]
	server   *httptest.Server
	stopRun  func()
}

// setup starts everything; change may replace what it likes of the deps.
func setup(t *testing.T, change ...func(b *bundle, d *chat.Deps)) *bundle {
	t.Helper()
	b := &bundle{t: t, log: testkit.Log(t)}
	b.loop = command.NewLoop(b.log, command.Options{})
	b.dir = directory.New(b.log, slog.New(slog.DiscardHandler))
	b.run(b.dir.Run)
	d := chat.Deps{Log: b.log, Loop: b.loop, Directory: b.dir, Intake: intake.New(b.loop, b.dir)}
	for _, c := range change {
		c(b, &d)
	}
	s := chat.New(d)
	b.stopRun = b.run(s.Run)
	b.server = httptest.NewServer(s.Handler())
	t.Cleanup(b.server.Close)
	b.desk = command.For(b.loop, command.Decider[conversation.State, conversation.Command]{
		Kind: events.KindConversation, Evolve: conversation.Evolve, Decide: conversation.Decide,
	})
	orgs := command.For(b.loop, command.Decider[org.State, org.Command]{Kind: events.KindOrg, Evolve: org.Evolve, Decide: org.Decide})
	b.channels = command.For(b.loop, command.Decider[channel.State, channel.Command]{Kind: events.KindChannel, Evolve: channel.Evolve, Decide: channel.Decide})
	for _, name := range []string{"acme", "other"} {
		secret := make([]byte, org.SecretSize)
		_, _ = rand.Read(secret)
		if _, err := orgs.Handle(t.Context(), name, name, command.Meta{}, org.Create{Name: name, Secret: secret}); err != nil {
			t.Fatal(err)
		}
		b.channel(name, channel.Create{Type: events.ChannelChat, Name: "Site", SiteKey: "site_" + name})
		b.channel(name, channel.SetOrigins{Origins: []string{"https://" + name + ".example"}})
	}
	return b
}

// channel changes the channel of an org; when it returns, everybody in this process knows.
func (b *bundle) channel(org string, c channel.Command) {
	b.t.Helper()
	r, err := b.channels.Handle(b.t.Context(), org, "site", command.Meta{}, c)
	if err == nil {
		err = b.dir.WaitFor(b.t.Context(), r.Position.Sequence)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// run runs a part until the returned function is called, or the test ends.
func (b *bundle) run(part func(ctx context.Context) error) func() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.t.Context()))
	done := make(chan error, 1)
	go func() { done <- part(ctx) }()
	b.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Error(err)
		}
	})
	return cancel
}

type answer struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

func (a answer) str(name string) string { s, _ := a.body[name].(string); return s }

func (b *bundle) do(method, path, token, body string, header ...string) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.server.URL+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := b.server.Client().Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header, raw: string(raw)}
	_ = json.Unmarshal(raw, &a.body)
	return a
}

func (b *bundle) ok(status int, method, path, token, body string, header ...string) answer {
	b.t.Helper()
	a := b.do(method, path, token, body, header...)
	if a.status != status {
		b.t.Fatalf("%s %s %s: %d %s", method, path, body, a.status, a.raw)
	}
	return a
}

func (b *bundle) session(body string) string {
	b.t.Helper()
	return b.ok(201, "POST", "/chat/v1/sessions", "", body).str("token")
}

func TestConversation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	opened := b.ok(201, "POST", "/chat/v1/sessions", "", `{"site_key":"site_acme","name":"Ann","email":"Ann@Example.com"}`, "Origin", "https://acme.example")
	token, id := opened.str("token"), opened.str("conversation_id")
	if h := b.ok(200, "GET", "/chat/v1/messages", token, ""); h.str("status") != "none" || h.str("position") != "" {
		t.Errorf("before the first message: %s", h.raw)
	}
	first := b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m1","text":"Hello?"}`)
	if first.str("conversation_id") != id || first.str("id") != "m1" || first.str("position") == "" || first.header.Get("Tidemark-Position") != first.str("position") {
		t.Errorf("%s", first.raw)
	}
	again := b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m1","text":"Hello?"}`)
	if again.raw != first.raw {
		t.Errorf("a resend answers %s, first %s", again.raw, first.raw)
	}
	if p := b.ok(409, "POST", "/chat/v1/messages", token, `{"id":"m1","text":"Other"}`); p.str("code") != "idempotency_key_reused" {
		t.Errorf("%s", p.raw)
	}
	second := b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m2","text":"Anybody?"}`)
	if again := b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m2","text":"Anybody?"}`); again.raw != second.raw {
		t.Errorf("a resend answers %s, first %s", again.raw, second.raw)
	}
	ann := events.Actor{Type: events.ActorAgent, ID: "ann"}
	for _, c := range []conversation.Command{
		conversation.AddNote{NoteID: "n1", Author: ann, Text: "a secret among agents"},
		conversation.Assign{AgentID: "ann", Reason: "a secret reason"},
		conversation.Tag{Tag: "secret"},
		conversation.WriteMessage{MessageID: "a1", Author: ann, Text: "Hi Ann!"},
	} {
		if _, err := b.desk.Handle(t.Context(), "acme", id, command.Meta{Actor: ann}, c); err != nil {
			t.Fatal(err)
		}
	}
	h := b.ok(200, "GET", "/chat/v1/messages", token, "")
	var got []string
	for _, item := range h.body["items"].([]any) {
		m := item.(map[string]any)
		got = append(got, m["id"].(string)+" "+m["from"].(string)+" "+m["text"].(string))
	}
	if want := "m1 you Hello?|m2 you Anybody?|a1 agent Hi Ann!"; strings.Join(got, "|") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if strings.Contains(h.raw, "secret") || h.str("status") != "open" {
		t.Errorf("%s", h.raw)
	}
	// What an unproven visitor says of themselves is kept with the conversation, and leads to no customer.
	state, _, err := b.desk.State(t.Context(), "acme", id)
	if err != nil || state.Attributes["visitor_email"] != "ann@example.com" || state.Channel != events.ChannelChat {
		t.Errorf("%+v %v", state, err)
	}

	renewed := b.ok(201, "POST", "/chat/v1/sessions", token, `{"site_key":"site_acme"}`)
	if renewed.str("conversation_id") != id || renewed.str("token") == "" {
		t.Errorf("%s", renewed.raw)
	}
	if stranger := b.session(`{"site_key":"site_acme","name":"Ann","email":"Ann@Example.com"}`); strings.Contains(b.ok(200, "GET", "/chat/v1/messages", stranger, "").raw, "Hello?") {
		t.Error("another visitor reads the conversation by saying the same name")
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.session(`{"site_key":"site_acme"}`)
	s := b.stream(token, "")
	id := b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m1","text":"one"}`).str("conversation_id")
	one := s.next("message")
	ann := events.Actor{Type: events.ActorAgent, ID: "ann"}
	for _, c := range []conversation.Command{
		conversation.AddNote{NoteID: "n1", Author: ann, Text: "secret"},
		conversation.WriteMessage{MessageID: "a1", Author: ann, Text: "two"},
		conversation.Close{Reason: "secret"},
	} {
		if _, err := b.desk.Handle(t.Context(), "acme", id, command.Meta{Actor: ann}, c); err != nil {
			t.Fatal(err)
		}
	}
	two, closed := s.next("message"), s.next("status")
	if one["text"] != "one" || one["id"] != "m1" || one["from"] != "you" || two["text"] != "two" || two["from"] != "agent" || closed["status"] != "closed" || closed["reason"] != nil {
		t.Errorf("%v %v %v", one, two, closed)
	}
	b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m2","text":"three"}`)
	resumed := b.stream(token, two["position"].(string)) // the close, the message, the reopening: no gap, no double
	if got := resumed.next("status"); got["status"] != "closed" {
		t.Errorf("%v", got)
	}
	if got := resumed.next("message"); got["text"] != "three" {
		t.Errorf("%v", got)
	}
	if got := resumed.next("status"); got["status"] != "open" {
		t.Errorf("%v", got)
	}
	if a := b.do("GET", "/chat/v1/stream", token, "", "Last-Event-ID", events.Position{Incarnation: "anotherlog", Sequence: 1}.String()); a.str("code") != "position_unknown" {
		t.Errorf("%d %s", a.status, a.raw)
	}
	b.stopRun() // streams end by themselves, and say when to come back
	rest := resumed.rest()
	if !strings.Contains(rest, "retry: ") {
		t.Errorf("the stream ended with %q", rest)
	}
	s.rest()
}

// texts is what the messages of a page say.
func (a answer) texts() string {
	items, _ := a.body["items"].([]any)
	out := make([]string, len(items))
	for i, item := range items {
		m, _ := item.(map[string]any)
		out[i], _ = m["text"].(string)
	}
	return strings.Join(out, " ")
}

// next is the link to the messages before a page; empty on the last.
func (a answer) next() string {
	links, _ := a.body["links"].(map[string]any)
	s, _ := links["next"].(string)
	return s
}

// TestHistoryInPages: the newest messages come first, each page reads downwards, and what comes meanwhile moves nothing.
func TestHistoryInPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.session(`{"site_key":"site_acme"}`)
	id := b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m0","text":"0"}`).str("conversation_id")
	ann := events.Actor{Type: events.ActorAgent, ID: "ann"}
	write := func(n int) {
		t.Helper()
		for _, c := range []conversation.Command{
			conversation.WriteMessage{MessageID: fmt.Sprint("a", n), Author: ann, Text: strconv.Itoa(n)},
			conversation.AddNote{NoteID: fmt.Sprint("n", n), Author: ann, Text: "no visitor counts this"},
		} {
			if _, err := b.desk.Handle(t.Context(), "acme", id, command.Meta{Actor: ann}, c); err != nil {
				t.Fatal(err)
			}
		}
	}
	for n := 1; n < 7; n++ {
		write(n)
	}
	page := b.ok(200, "GET", "/chat/v1/messages?limit=3", token, "")
	if page.texts() != "4 5 6" || page.next() == "" || page.str("position") == "" {
		t.Fatalf("%s", page.raw)
	}
	write(7)
	for _, want := range []string{"1 2 3", "0"} {
		page = b.ok(200, "GET", page.next(), token, "")
		if page.texts() != want || page.str("status") != "open" || page.str("position") != "" {
			t.Fatalf("%s, want %s", page.raw, want)
		}
	}
	if page.next() != "" {
		t.Errorf("there is nothing before: %s", page.raw)
	}
	for n := 8; n < 101; n++ {
		write(n)
	}
	page = b.ok(200, "GET", "/chat/v1/messages", token, "")
	if got := strings.Fields(page.texts()); len(got) != 100 || got[0] != "1" {
		t.Errorf("by itself a page has %d messages: %s", len(got), page.texts())
	}
	if page = b.ok(200, "GET", page.next(), token, ""); page.texts() != "0" || page.next() != "" {
		t.Errorf("%s", page.raw)
	}
	if page = b.ok(200, "GET", "/chat/v1/messages?limit=101", token, ""); page.next() != "" {
		t.Errorf("all of it fits: %s", page.next())
	}
}

// TestResendAfterTheChannelClosed: what was taken answers as the first time; what is new is refused.
func TestResendAfterTheChannelClosed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.session(`{"site_key":"site_acme"}`)
	first := map[string]answer{}
	for _, body := range []string{`{"id":"m1","text":"one"}`, `{"id":"m2","text":"two"}`} {
		first[body] = b.ok(201, "POST", "/chat/v1/messages", token, body)
	}
	b.channel("acme", channel.Disable{})
	for body, was := range first {
		if again := b.ok(201, "POST", "/chat/v1/messages", token, body); again.raw != was.raw {
			t.Errorf("%s: first %s, again %s", body, was.raw, again.raw)
		}
	}
	for body, code := range map[string]string{`{"id":"m1","text":"other"}`: "idempotency_key_reused", `{"id":"m3","text":"new"}`: "channel_disabled"} {
		if a := b.ok(409, "POST", "/chat/v1/messages", token, body); a.str("code") != code {
			t.Errorf("%s: %s, want %s", body, a.raw, code)
		}
	}
	for _, path := range []string{"/chat/v1/messages", "/chat/v1/stream"} {
		if a := b.ok(409, "GET", path, token, ""); a.str("code") != "channel_disabled" {
			t.Errorf("%s: %s", path, a.raw)
		}
	}
	if a := b.ok(409, "POST", "/chat/v1/sessions", "", `{"site_key":"site_acme"}`); a.str("code") != "channel_disabled" {
		t.Errorf("%s", a.raw)
	}
	fresh := setup(t) // nothing was ever written in this one: there is no conversation to ask
	unused := fresh.session(`{"site_key":"site_acme"}`)
	fresh.channel("acme", channel.Disable{})
	if a := fresh.ok(409, "POST", "/chat/v1/messages", unused, `{"id":"m1","text":"one"}`); a.str("code") != "channel_disabled" {
		t.Errorf("%s", a.raw)
	}
}

// TestStreamEndsWithItsSession: once the session is over, or its channel closed to it, nothing more is shown; when nothing
// happens the stream ends with a heartbeat.
func TestStreamEndsWithItsSession(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(b *bundle, now *atomic.Int64){
		"expired":  func(_ *bundle, now *atomic.Int64) { now.Add(int64(25 * time.Hour)) },
		"disabled": func(b *bundle, _ *atomic.Int64) { b.channel("acme", channel.Disable{}) },
		"other origins": func(b *bundle, _ *atomic.Int64) {
			b.channel("acme", channel.SetOrigins{Origins: []string{"https://new.example"}})
		},
	} {
		for _, quiet := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, quiet %v", name, quiet), func(t *testing.T) {
				t.Parallel()
				var now atomic.Int64
				now.Store(time.Now().UnixNano())
				b := setup(t, func(_ *bundle, d *chat.Deps) {
					d.Clock = func() time.Time { return time.Unix(0, now.Load()) }
					d.Heartbeat = time.Hour
					if quiet {
						d.Heartbeat = time.Millisecond
					}
				})
				token := b.session(`{"site_key":"site_acme"}`)
				s := b.stream(token, "", "Origin", "https://acme.example")
				id := b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m1","text":"one"}`).str("conversation_id")
				s.next("message")
				end(b, &now)
				if !quiet {
					ann := events.Actor{Type: events.ActorAgent, ID: "ann"}
					if _, err := b.desk.Handle(t.Context(), "acme", id, command.Meta{Actor: ann}, conversation.WriteMessage{MessageID: "a1", Author: ann, Text: "two"}); err != nil {
						t.Fatal(err)
					}
				}
				if rest := s.rest(); strings.Contains(rest, "data:") {
					t.Errorf("it went on with %q", rest)
				}
			})
		}
	}
}

// TestErased: the session of who was erased means nothing any more, in whatever it is used for, and whoever comes back with
// it is somebody new.
func TestErased(t *testing.T) {
	t.Parallel()
	b := setup(t)
	opened := b.ok(201, "POST", "/chat/v1/sessions", "", `{"site_key":"site_acme","name":"Zoe","email":"zoe@example.com"}`)
	token, id := opened.str("token"), opened.str("conversation_id")
	before := b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m1","text":"secret"}`).str("position")
	state, _, err := b.desk.State(t.Context(), "acme", id)
	if err != nil {
		t.Fatal(err)
	}
	live := b.stream(token, "")
	live.next("message")
	// The desk erases, in another process.
	eraser := erasure.New(b.log, command.NewLoop(b.log, command.Options{}), b.dir, nil)
	if _, err := eraser.Erase(t.Context(), "acme", state.CustomerID, command.Meta{}); err != nil {
		t.Fatal(err)
	}
	if err := eraser.PurgeConversation(t.Context(), "acme", id, command.Meta{}); err != nil {
		t.Fatal(err)
	}
	tombstone := live.next("erased")
	if tombstone["at"] == nil {
		t.Errorf("%v", tombstone)
	}
	if rest := live.rest(); strings.Contains(rest, "data") {
		t.Errorf("the stream goes on with %q", rest)
	}
	check := func(when string) {
		t.Helper()
		for _, c := range [][3]string{
			{"GET", "/chat/v1/messages", ""},
			{"GET", "/chat/v1/conversations", ""},
			{"GET", "/chat/v1/stream", ""},
			{"POST", "/chat/v1/conversations", `{"id":"m3","text":"another secret"}`},
			{"POST", "/chat/v1/read", `{"message_id":"m1"}`},
			{"POST", "/chat/v1/messages", `{"id":"m1","text":"secret"}`},
			{"POST", "/chat/v1/messages", `{"id":"m2","text":"still there?"}`},
		} {
			if a := b.do(c[0], c[1], token, c[2]); a.status != 401 || a.str("code") != "session_erased" {
				t.Errorf("%s: %s %s %s: %d %s", when, c[0], c[1], c[2], a.status, a.raw)
			}
		}
	}
	check("with its tombstone")
	if err := eraser.PurgeCustomer(t.Context(), "acme", state.CustomerID); err != nil {
		t.Fatal(err)
	}
	check("when all is purged")

	// Who was away is told, wherever they were, and does not come back again.
	behind := b.ok(201, "POST", "/chat/v1/messages", b.session(`{"site_key":"site_acme"}`), `{"id":"m1","text":"of somebody else"}`).str("position")
	for _, after := range []string{before, behind} {
		back := b.stream(token, after)
		if got := back.next("erased"); got["position"] != tombstone["position"] {
			t.Errorf("behind %s: %v", after, got)
		}
		if rest := back.rest(); strings.Contains(rest, "data") {
			t.Errorf("behind %s: the stream goes on with %q", after, rest)
		}
	}
	told, _ := tombstone["position"].(string)
	if a := b.do("GET", "/chat/v1/stream", token, "", "Last-Event-ID", told); a.status != 401 || a.str("code") != "session_erased" {
		t.Errorf("behind the end: %d %s", a.status, a.raw)
	}

	next := b.ok(201, "POST", "/chat/v1/sessions", token, `{"site_key":"site_acme"}`)
	if next.str("conversation_id") == id {
		t.Error("the session was renewed")
	}
	b.ok(201, "POST", "/chat/v1/messages", next.str("token"), `{"id":"m1","text":"hello, I am new"}`)
	if h := b.ok(200, "GET", "/chat/v1/messages", next.str("token"), ""); strings.Contains(h.raw, "secret") || !strings.Contains(h.raw, "I am new") {
		t.Errorf("%s", h.raw)
	}
	if found := testkit.Mentions(testkit.Messages(t, b.log), "zoe"); len(found) > 0 {
		t.Errorf("the old session told the new one who it was: %q", found)
	}
}

type stream struct {
	t     *testing.T
	lines *bufio.Scanner
}

func (b *bundle) stream(token, after string, header ...string) *stream {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.server.URL+"/chat/v1/stream?token="+token, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := b.server.Client().Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		b.t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	return &stream{b.t, bufio.NewScanner(res.Body)}
}

// next reads the next event, which must have this name, and a position as its id.
func (s *stream) next(name string) map[string]any {
	s.t.Helper()
	var id, event string
	for s.lines.Scan() {
		field, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch field {
		case "id":
			id = value
		case "event":
			event = value
		case "data":
			var data map[string]any
			if err := json.Unmarshal([]byte(value), &data); err != nil || event != name || data["position"] != id {
				s.t.Fatalf("id %s, event %s, want %s: %s %v", id, event, name, value, err)
			}
			return data
		}
	}
	s.t.Fatalf("the stream ended: %v", s.lines.Err())
	return nil
}

func (s *stream) rest() string {
	var b strings.Builder
	for s.lines.Scan() {
		b.WriteString(s.lines.Text() + "\n")
	}
	return b.String()
}

func TestHostile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.session(`{"site_key":"site_acme"}`)
	head := testkit.Head(t, b.log)
	for name, c := range map[string]struct {
		method, path, token, body string
		header                    []string
		status                    int
		code                      string
	}{
		"no token":              {"GET", "/chat/v1/messages", "", "", nil, 401, "unauthenticated"},
		"forged token":          {"GET", "/chat/v1/messages", token[:len(token)-3] + "AAA", "", nil, 401, "unauthenticated"},
		"token in the query":    {"GET", "/chat/v1/messages?token=" + token, "", "", nil, 401, "unauthenticated"},
		"api key as token":      {"GET", "/chat/v1/messages", "tdm_abc", "", nil, 401, "unauthenticated"},
		"unknown site":          {"POST", "/chat/v1/sessions", "", `{"site_key":"site_none"}`, nil, 404, "channel_not_found"},
		"no site":               {"POST", "/chat/v1/sessions", "", `{}`, nil, 404, "channel_not_found"},
		"foreign origin":        {"POST", "/chat/v1/sessions", "", `{"site_key":"site_acme"}`, []string{"Origin", "https://evil.example"}, 403, "origin_not_allowed"},
		"foreign origin, token": {"GET", "/chat/v1/messages", token, "", []string{"Origin", "https://evil.example"}, 403, "origin_not_allowed"},
		"origin null":           {"GET", "/chat/v1/messages", token, "", []string{"Origin", "null"}, 403, "origin_not_allowed"},
		"bad email":             {"POST", "/chat/v1/sessions", "", `{"site_key":"site_acme","email":"x"}`, nil, 422, "identity_invalid"},
		"unknown field":         {"POST", "/chat/v1/messages", token, `{"id":"m","text":"a","author":"agent"}`, nil, 422, "validation_failed"},
		"field in another case": {"POST", "/chat/v1/messages", token, `{"ID":"m","text":"a"}`, nil, 422, "validation_failed"},
		"wrong type":            {"POST", "/chat/v1/messages", token, `{"id":"m","text":1}`, nil, 422, "validation_failed"},
		"null text":             {"POST", "/chat/v1/messages", token, `{"id":"m","text":null}`, nil, 422, "validation_failed"},
		"no id":                 {"POST", "/chat/v1/messages", token, `{"text":"a"}`, nil, 422, "validation_failed"},
		"id with a dot":         {"POST", "/chat/v1/messages", token, `{"id":"a.b","text":"a"}`, nil, 422, "validation_failed"},
		"empty text":            {"POST", "/chat/v1/messages", token, `{"id":"m","text":" "}`, nil, 422, "text_invalid"},
		"long text":             {"POST", "/chat/v1/messages", token, `{"id":"m","text":"` + strings.Repeat("é", 10_001) + `"}`, nil, 422, "text_invalid"},
		"not json":              {"POST", "/chat/v1/messages", token, `{`, nil, 400, "body_malformed"},
		"null":                  {"POST", "/chat/v1/messages", token, `null`, nil, 400, "body_malformed"},
		"nothing":               {"POST", "/chat/v1/messages", token, ``, nil, 400, "body_malformed"},
		"control character":     {"POST", "/chat/v1/messages", token, `{"id":"m","text":"\u0007"}`, nil, 400, "text_refused"},
		"too large":             {"POST", "/chat/v1/messages", token, strings.Repeat(" ", web.MaxBody+1), nil, 413, "body_too_large"},
		"limit 0":               {"GET", "/chat/v1/messages?limit=0", token, "", nil, 422, "validation_failed"},
		"limit too large":       {"GET", "/chat/v1/messages?limit=201", token, "", nil, 422, "validation_failed"},
		"limit of nothing":      {"GET", "/chat/v1/messages?limit=", token, "", nil, 422, "validation_failed"},
		"cursor of nobody":      {"GET", "/chat/v1/messages?cursor=x", token, "", nil, 422, "cursor_invalid"},
		"cursor of another log": {"GET", "/chat/v1/messages?cursor=" + events.Position{Incarnation: "anotherlog", Sequence: 1}.String(), token, "", nil, 422, "cursor_invalid"},
		"unknown parameter":     {"GET", "/chat/v1/messages?before=x", token, "", nil, 422, "validation_failed"},
		"other path":            {"GET", "/chat/v1/nothing", token, "", nil, 404, "not_found"},
		"other method":          {"DELETE", "/chat/v1/messages", token, "", nil, 405, "method_not_allowed"},
		"bad position":          {"GET", "/chat/v1/stream", token, "", []string{"Last-Event-ID", "7"}, 422, "validation_failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := (&bundle{t: t, server: b.server}).do(c.method, c.path, c.token, c.body, c.header...)
			if a.status != c.status || a.str("code") != c.code {
				t.Errorf("%d %s, want %d %s", a.status, a.raw, c.status, c.code)
			}
		})
	}
	t.Cleanup(func() {
		if now := testkit.Head(t, b.log); now != head {
			t.Errorf("refused requests left %d events", now-head)
		}
	})
}

func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.ok(204, "OPTIONS", "/chat/v1/messages", "", "", "Origin", "https://acme.example", "Access-Control-Request-Method", "POST")
	if a.header.Get("Access-Control-Allow-Origin") != "https://acme.example" || !strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "Authorization") ||
		a.header.Get("Access-Control-Allow-Credentials") != "" || a.header.Get("Vary") != "Origin" {
		t.Errorf("%v", a.header)
	}
	refused := b.do("GET", "/chat/v1/messages", "", "", "Origin", "https://acme.example")
	if refused.header.Get("Access-Control-Allow-Origin") == "" {
		t.Error("a page cannot read why it was refused")
	}
}

// stuck is a log that takes everything in and never answers.
type stuck struct{ *eventlog.Log }

func (stuck) Read(ctx context.Context, _ events.Aggregate, _ uint64) ([]events.Recorded, error) {
	<-ctx.Done()
	return nil, fmt.Errorf("read: %w", ctx.Err())
}

// TestALogThatNeverAnswers: who reads or writes is told that it takes too long.
func TestALogThatNeverAnswers(t *testing.T) {
	t.Parallel()
	b := setup(t, func(b *bundle, d *chat.Deps) {
		d.Log, d.Loop = stuck{b.log}, command.NewLoop(stuck{b.log}, command.Options{})
		d.Timeout = 100 * time.Millisecond
	})
	token := b.session(`{"site_key":"site_acme"}`)
	for method, body := range map[string]string{"GET": "", "POST": `{"id":"m1","text":"Hello?"}`} {
		if a := b.ok(503, method, "/chat/v1/messages", token, body); a.str("code") != "timeout" || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %s %v", method, a.raw, a.header)
		}
	}
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// silence is a database that takes connections and never says a word.
func silence(t *testing.T) (url string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var taken []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			taken = append(taken, c)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
		for _, c := range taken {
			_ = c.Close()
		}
	})
	return "postgres://tidemark@" + l.Addr().String() + "/tidemark"
}

// aloneChat is a visitor of a desk of which chat and api run, and perhaps nothing else.
type aloneChat struct {
	f            *fleet
	t            *testing.T
	name         string
	visitor      *testkit.Client
	conversation string
	stream       *listener
	desk         *listener // what the agent sees
	agent        *testkit.Client
}

// begins opens a session, and goes on with it as a page does that is loaded again.
func (f *fleet) begins(name string, desk *listener) *aloneChat {
	t := f.t
	t.Helper()
	at := f.at("", "chat")()
	session := at.OK(t, "POST", "/chat/v1/sessions", map[string]any{"site_key": demoSiteKey, "name": name})
	again := at.With(session.Str("token")).OK(t, "POST", "/chat/v1/sessions", map[string]any{"site_key": demoSiteKey, "name": name})
	if again.Str("conversation_id") != session.Str("conversation_id") {
		t.Errorf("the session does not go on: %s, then %s", session.Raw, again.Raw)
	}
	c := &aloneChat{f: f, t: t, name: name, visitor: at.With(again.Str("token")), conversation: again.Str("conversation_id"), desk: desk, agent: f.at(f.key, "api")()}
	c.stream, _ = listen(t, "/chat/v1/stream", "", f.at(again.Str("token"), "chat"), nil)
	return c
}

// talks says everything that can be said in a chat, in both ways, and looks whether it comes to the other side.
func (c *aloneChat) talks() {
	t := c.t
	t.Helper()
	of := "/v1/conversations/" + c.conversation
	first := c.name + " writes"
	c.visitor.OK(t, "POST", "/chat/v1/messages", map[string]any{"id": "m1", "text": first})
	c.visitor.OK(t, "POST", "/chat/v1/messages", map[string]any{"id": "m1", "text": first}) // a resend adds nothing
	c.stream.hears(t, "message", first)
	c.desk.hears(t, "conversation.message_received", first)
	behind := c.stream.where()

	c.visitor.OK(t, "POST", "/chat/v1/typing", map[string]any{})
	testkit.Until(t, "the agent sees the visitor type", func() bool { return c.desk.has("typing", c.conversation) > 0 })
	c.agent.OK(t, "POST", of+"/typing", nil)
	testkit.Until(t, "the visitor sees the agent type", func() bool { return c.stream.has("typing", "admin") > 0 })

	sent := "a picture of " + c.name // its bytes are its JSON
	file := c.visitor.OK(t, "POST", "/chat/v1/attachments?name=picture.txt", sent).Str("id")
	c.visitor.OK(t, "POST", "/chat/v1/messages", map[string]any{"id": "m2", "text": c.name + " shows", "attachments": []string{file}})
	c.desk.hears(t, "conversation.message_received", c.name+" shows")
	c.opens(c.desk.link(t, c.name+" shows"), c.agent, sent)

	back := "a bill for " + c.name
	bill := c.agent.OK(t, "POST", "/v1/attachments?conversation="+c.conversation+"&name=bill.txt", back).Str("id")
	c.agent.OK(t, "POST", of+"/messages", map[string]any{"text": c.name + " is answered", "attachments": []string{bill}})
	c.stream.hears(t, "message", c.name+" is answered")
	c.opens(c.stream.link(t, c.name+" is answered"), c.visitor, back)
	c.agent.OK(t, "POST", of+"/notes", map[string]any{"text": "no visitor sees this"})

	history := c.visitor.OK(t, "GET", "/chat/v1/messages", nil)
	if got := fmt.Sprint(history.Get("items.0.text"), history.Get("items.1.text"), history.Get("items.2.text"), history.Get("items.3")); got != first+c.name+" shows"+c.name+" is answered<nil>" {
		t.Errorf("the history is %s", history.Raw)
	}
	resumed, stop := listen(t, "/chat/v1/stream", behind, c.f.at(c.visitor.Key, "chat"), nil)
	defer stop()
	resumed.hears(t, "message", c.name+" is answered")
	if got, want := resumed.view(), c.stream.view()[1:]; !slices.Equal(got, want) {
		t.Errorf("who resumes behind the first message sees %q, want %q", got, want)
	}
}

// opens reads a file by its link.
func (c *aloneChat) opens(link string, at *testkit.Client, want string) {
	c.t.Helper()
	raw, err := json.Marshal(want)
	if got := at.OK(c.t, "GET", link, nil); err != nil || string(got.Raw) != string(raw) {
		c.t.Errorf("the file is %q, want %q", got.Raw, raw)
	}
}

// link is of the first file of the message with a text.
func (l *listener) link(t *testing.T, text string) string {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.seen {
		if strings.Contains(e.data, text) {
			return testkit.Answer{Raw: []byte(e.data)}.Str("attachments.0.url")
		}
	}
	t.Fatalf("there is no %q", text)
	return ""
}

// closes has the agent close the conversation: from then on a survey is owed.
func (c *aloneChat) closes() {
	c.t.Helper()
	c.agent.OK(c.t, "PUT", "/v1/conversations/"+c.conversation+"/status", map[string]any{"status": "closed"})
}

// answers waits for the survey, and answers it.
func (c *aloneChat) answers(f *fleet) {
	c.t.Helper()
	c.stream.hears(c.t, "survey", `"waiting"`)
	id := c.visitor.OK(c.t, "GET", "/chat/v1/messages", nil).Str("survey.id")
	for range 2 { // the second time adds nothing
		f.at(c.visitor.Key, "chat")().OK(c.t, "POST", "/chat/v1/surveys/"+id, map[string]any{"score": 4, "comment": "by " + c.name})
	}
	c.stream.hears(c.t, "survey", `"answered"`)
}

// everythingElse is all targets but those two that people speak to.
const everythingElse = "routing,workflow,survey,search-indexer,projections"

// TestChatWithEverythingElseDown: with a database that never answers and nothing else ever started, and again with the
// database stopped and everything else killed, visitors and agents talk as on every other day. What was owed to them
// meanwhile, such as surveys, they get once everything is there, and once.
func TestChatWithEverythingElseDown(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: needs PostgreSQL")
	}
	database := testkit.PostgresServer(t)
	f := newFleet(t)
	mute := silence(t)
	api := f.start("api", "api", mute)
	f.start("chat", "chat", mute)
	site := api.OK(t, "GET", "/v1/channels", nil).Str("items.0.id")
	api.OK(t, "PUT", "/v1/channels/"+site+"/survey", map[string]any{"enabled": true, "question": "How was it?"})
	desk, _ := listen(t, "/v1/stream?watch=true", f.log.Position(events.Aggregate{Org: demoOrg}, testkit.Head(t, f.log)).String(), f.at(f.key, "api"), nil)

	var closed []*aloneChat
	day := func(names ...string) {
		t.Helper()
		for _, name := range names {
			c := f.begins(name, desk)
			c.talks()
			c.closes()
			c.stream.hears(t, "status", `"closed"`)
			closed = append(closed, c)
		}
	}
	day("Ann", "Zoe")
	if n := f.surveys(closed); n != 0 {
		t.Errorf("%d surveys were asked, and nobody is there to ask", n)
	}

	f.kill("api") // whose database is another from now on
	f.start("api", "api", database.URL())
	f.start("rest", everythingElse, database.URL())
	f.settles(closed, site)

	for i := range 8 { // what is owed is so also when it is killed at it
		c := f.begins(fmt.Sprint("Visitor", i), desk)
		c.visitor.OK(t, "POST", "/chat/v1/messages", map[string]any{"id": "m1", "text": c.name + " writes"})
		c.closes()
		closed = append(closed, c)
		if i == 4 {
			f.kill("rest")
		}
	}
	if err := database.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	day("Bob", "Eve")
	away, err := f.at(f.key, "api")().Do(t.Context(), "GET", "/v1/conversations", nil)
	if err != nil || away.Status != http.StatusServiceUnavailable || away.Str("code") != "read_models_unavailable" {
		t.Errorf("the inbox answers %d %s %v", away.Status, away.Raw, err)
	}
	if err := database.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.start("rest", everythingElse, database.URL())
	f.settles(closed, site)
}

// settles expects that everybody whose chat was closed is asked once, that each answer counts once, and that nothing is
// missing anywhere.
func (f *fleet) settles(closed []*aloneChat, site string) {
	t := f.t
	t.Helper()
	for _, c := range closed {
		if c.stream.has("survey", `"answered"`) == 0 {
			c.answers(f)
		}
	}
	api := f.at(f.key, "api")()
	testkit.Until(t, "the report knows every answer", func() bool {
		a, err := api.Try(t.Context(), "GET", "/v1/reports/satisfaction?group_by=channel", nil)
		n, counted := a.Get("items.0.answered").(float64)
		return err == nil && a.Status == http.StatusOK && counted && n >= float64(len(closed))
	})
	caughtUp(t, &testkit.Process{Client: api})
	report := api.OK(t, "GET", "/v1/reports/satisfaction?group_by=channel", nil)
	if report.Str("items.0.group") != site || report.Get("items.0.answered") != float64(len(closed)) || report.Get("items.1") != nil {
		t.Errorf("of %d answers the report says %s", len(closed), report.Raw)
	}
	r := tidemark(t).Run(t, "ledger", "--url", api.URL, "--key", f.key)
	if want := fmt.Sprintf("%d owed: 0 waiting, %d answered", len(closed), len(closed)); r.Code != exitOK || !strings.Contains(r.Stdout, want) {
		t.Errorf("the ledger ended with %d, want %q in\n%s%s", r.Code, want, r.Stdout, r.Stderr)
	}
	if n := f.surveys(closed); n != len(closed) {
		t.Errorf("%d surveys about %d closings", n, len(closed))
	}
}

// surveys counts what was asked of them, and expects that nobody was asked or has answered twice.
func (f *fleet) surveys(of []*aloneChat) (asked int) {
	f.t.Helper()
	for _, c := range of {
		all, err := f.log.Read(context.WithoutCancel(f.t.Context()), events.Aggregate{Org: demoOrg, Kind: events.KindConversation, ID: c.conversation}, 0)
		if err != nil {
			f.t.Fatal(err)
		}
		requested, answered := 0, 0
		for _, e := range all {
			switch e.Event.(type) {
			case events.ConversationSurveyRequested:
				requested++
			case events.ConversationSurveyAnswered:
				answered++
			}
		}
		if requested > 1 || answered > 1 {
			f.t.Errorf("%s was asked %d times and answered %d times", c.name, requested, answered)
		}
		asked += requested
	}
	return asked
}

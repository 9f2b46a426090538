package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// visitor is one chat: what they wrote, and what they must see.
type visitor struct {
	chat         *testkit.Client
	conversation string
	want         []string
}

// write sends a message until it is acknowledged, as the widget does: with the same id.
func (r *running) write(v *visitor, id, text string) error {
	_, err := r.insist("the message "+id+" is accepted", func() (testkit.Answer, error) {
		return v.chat.Try(r.t.Context(), "POST", "/chat/v1/messages", map[string]any{"id": id, "text": text})
	})
	if err == nil {
		v.want = append(v.want, text)
	}
	return err
}

// insist asks again while the answer is that something is away. It may be called in any goroutine.
func (r *running) insist(what string, ask func() (testkit.Answer, error)) (a testkit.Answer, err error) {
	err = testkit.Eventually(r.t.Context(), what, func() error {
		if a, err = ask(); err != nil {
			return err
		}
		said := fmt.Errorf("%d %s", a.Status, a.Raw)
		switch {
		case a.Status < 300:
			return nil
		case a.Status == http.StatusServiceUnavailable:
			return said
		default:
			return testkit.Final(said)
		}
	})
	return a, err
}

// retry is insist for the test's own goroutine.
func (r *running) retry(what string, ask func() (testkit.Answer, error)) testkit.Answer {
	r.t.Helper()
	a, err := r.insist(what, ask)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

// sees asks until the answer shows what it should.
func (r *running) sees(what string, ask func() (testkit.Answer, error), shown func(testkit.Answer) bool) {
	r.t.Helper()
	err := testkit.Eventually(r.t.Context(), what, func() error {
		a, err := ask()
		if err == nil && (a.Status != http.StatusOK || !shown(a)) {
			err = fmt.Errorf("%d %s", a.Status, a.Raw)
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// mainJob is what the desk is for: a customer writes, an agent gets it, finds it, answers, and the customer reads that.
func (r *running) mainJob(n int) *visitor {
	r.t.Helper()
	ctx, api := r.t.Context(), r.client("api", r.key)
	v := &visitor{chat: r.client("chat", "")}
	session := r.retry("a session is opened", func() (testkit.Answer, error) {
		return v.chat.Try(ctx, "POST", "/chat/v1/sessions", map[string]any{"site_key": "demo-site", "name": "Ann"})
	})
	v.chat, v.conversation = v.chat.With(session.Str("token")), session.Str("conversation_id")
	word := "zebra" + strconv.Itoa(n)
	if err := r.write(v, "first", "Where is my "+word+"?"); err != nil {
		r.t.Fatal(err)
	}
	r.sees("the agent has "+word+" in the inbox", func() (testkit.Answer, error) {
		return api.Try(ctx, "GET", "/v1/conversations?assignee=me&limit=100&sort=-created_at", nil)
	}, func(a testkit.Answer) bool { return strings.Contains(string(a.Raw), v.conversation) })
	r.sees("search finds "+word, func() (testkit.Answer, error) {
		return api.Try(ctx, "GET", "/v1/search?q="+word, nil)
	}, func(a testkit.Answer) bool { return a.Str("items.0.conversation_id") == v.conversation })
	text := "It is on its way: " + word
	r.retry("the answer is accepted", func() (testkit.Answer, error) {
		return api.Try(ctx, "POST", "/v1/conversations/"+v.conversation+"/messages", map[string]any{"text": text}, "Idempotency-Key", "answer-"+word)
	})
	v.want = append(v.want, text)
	r.reads(v)
	return v
}

// reads expects that the visitor sees everything that was acknowledged, once and in order.
func (r *running) reads(v *visitor) {
	r.t.Helper()
	var got []string
	for page := "/chat/v1/messages"; page != ""; { // the newest first
		a := r.retry("the history is read", func() (testkit.Answer, error) {
			return v.chat.Try(r.t.Context(), "GET", page, nil)
		})
		var texts []string
		for i := 0; a.Str("items."+strconv.Itoa(i)+".id") != ""; i++ {
			texts = append(texts, a.Str("items."+strconv.Itoa(i)+".text"))
		}
		got = append(texts, got...)
		page = a.Str("links.next")
	}
	if fmt.Sprint(got) != fmt.Sprint(v.want) {
		r.t.Errorf("the visitor sees %q, want %q", got, v.want)
	}
}

// killDuring kills a process while a visitor goes on writing.
func (r *running) killDuring(n int, name string, v *visitor) {
	r.t.Helper()
	load := make(chan error, 1)
	go func() {
		for i := range 20 {
			if err := r.write(v, fmt.Sprint("during-", n, "-", i), fmt.Sprintf("while %s is killed: %d", name, i)); err != nil {
				load <- err
				return
			}
		}
		load <- nil
	}()
	defer func() {
		if err := <-load; err != nil {
			r.t.Fatalf("while %s was killed: %v", name, err)
		}
	}()
	r.kill(name)
}

// Every process of the cluster is killed once, the leader of the log among them, while a visitor goes on writing. Each
// time the main job is done afterwards, and in the end everything that was acknowledged is there once. -short kills the
// leader, the chat and the projections only.
func TestMainJobWhileEveryProcessIsKilledOnce(t *testing.T) {
	t.Parallel()
	r := start(t)
	api := r.client("api", r.key)
	r.retry("the agent is online", func() (testkit.Answer, error) {
		return api.Try(t.Context(), "PUT", "/v1/agents/admin/presence", map[string]any{"presence": "online"})
	})
	r.retry("the agent has room", func() (testkit.Answer, error) {
		return api.Try(t.Context(), "PUT", "/v1/agents/admin/capacity", map[string]any{"capacity": 100})
	})
	visitors := []*visitor{r.mainJob(0)}
	names := []string{"nats-1", "nats-2", "nats-3", "api", "chat", "routing", "workflow", "survey", "search-indexer", "projections"}
	if testing.Short() {
		names = []string{r.whole(), "chat", "projections"}
	}
	for n, name := range names {
		leader := r.whole()
		t.Logf("killing %s; %s leads the log", name, leader)
		r.killDuring(n, name, visitors[0])
		visitors = append(visitors, r.mainJob(n+1))
	}
	for _, v := range visitors {
		r.reads(v)
	}
	if a := api.OK(t, "GET", "/v1/conversations?status=any&limit=100", nil); a.Str("items."+strconv.Itoa(len(visitors)-1)+".id") == "" || a.Str("items."+strconv.Itoa(len(visitors))+".id") != "" {
		t.Errorf("want %d conversations in the inbox: %s", len(visitors), a.Raw)
	}
}

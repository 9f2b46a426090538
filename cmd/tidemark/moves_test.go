package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

const movingVisitors = 12

// insist sends a write until it is taken, each time wherever somebody answers: with the same id, as clients do.
func insist(t *testing.T, what string, at func() *testkit.Client, path string, body any, header ...string) (a testkit.Answer, err error) {
	t.Helper()
	err = testkit.Eventually(t.Context(), what, func() (err error) {
		if a, err = at().Try(t.Context(), http.MethodPost, path, body, header...); err != nil {
			return err
		}
		switch err = fmt.Errorf("%d %s", a.Status, a.Raw); {
		case a.Status < 300:
			return nil
		case a.Status == http.StatusServiceUnavailable:
			return err
		default:
			return testkit.Final(err)
		}
	})
	return a, err
}

// mover is a visitor who talks with the desk, word by word.
type mover struct {
	name         string
	conversation string
	at           func() *testkit.Client
	stream       *listener
	answers      chan string
	said         int
}

// talk writes, waits for the answer to it on the stream, and writes again, until the desk closes.
func (m *mover) talk(t *testing.T, closing *atomic.Bool, exchanges *atomic.Int64) error {
	t.Helper()
	for !closing.Load() {
		text := fmt.Sprintf("%s.%d", m.name, m.said)
		if _, err := insist(t, "the message "+text+" is taken", m.at, "/chat/v1/messages", map[string]any{"id": fmt.Sprint("m", m.said), "text": text}); err != nil {
			return err
		}
		m.said++
		if err := m.answered(t.Context(), "re: "+text); err != nil {
			return err
		}
		exchanges.Add(1)
	}
	return nil
}

// answered waits for the next answer, which must be this one.
func (m *mover) answered(ctx context.Context, want string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	select {
	case got := <-m.answers:
		if got != want {
			return fmt.Errorf("%s is told %q, want %q", m.name, got, want)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s is not told %q", m.name, want)
	}
}

// TestClientsMoveBetweenProcesses: visitors are on chat processes, agents on others, and see each other. One process after
// the other is killed or stopped at a random moment of their talk. Clients go on at another one behind the last id that they
// were told; in the end each has seen what the log has, once and in order, and everything was said once.
func TestClientsMoveBetweenProcesses(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	kinds := map[string]string{"api 1": "api", "api 2": "api", "chat 1": "chat", "chat 2": "chat"}
	for _, name := range []string{"api 1", "api 2", "chat 1", "chat 2"} { // the first makes the org
		f.start(name, kinds[name], nobodyPostgres)
	}
	desk := f.at(f.key, "api 1", "api 2")
	start := f.log.Position(events.Aggregate{Org: demoOrg}, testkit.Head(t, f.log)).String()

	// An agent answers every visitor's message as soon as the stream tells of it.
	var answering sync.WaitGroup
	answer := func(e heard) {
		var got struct {
			Of   string
			Data struct{ Text string }
		}
		if e.name != "conversation.message_received" {
			return
		}
		if err := json.Unmarshal([]byte(e.data), &got); err != nil {
			t.Error(err)
		}
		answering.Go(func() {
			text := "re: " + got.Data.Text
			if _, err := insist(t, "the answer "+text+" is taken", desk, "/v1/conversations/"+got.Of+"/messages", map[string]any{"text": text}, "Idempotency-Key", text); err != nil {
				t.Error(err)
			}
		})
	}
	everything, _ := listen(t, "/v1/stream?watch=true", start, desk, answer)
	unassigned, _ := listen(t, "/v1/stream?watch=true&assignee=none", start, desk, nil)

	movers := make([]*mover, movingVisitors)
	for i := range movers {
		movers[i] = f.mover(fmt.Sprint("visitor", i))
	}
	var closing atomic.Bool
	var exchanges atomic.Int64
	var talking sync.WaitGroup
	for _, m := range movers {
		talking.Go(func() {
			if err := m.talk(t, &closing, &exchanges); err != nil {
				t.Error(err)
				closing.Store(true)
			}
		})
	}
	names := []string{"api 1", "chat 1", "api 2", "chat 2"}
	for round := range crashRounds(t) / 2 {
		after := exchanges.Load() + rand.Int64N(150) + 1
		testkit.Until(t, "the talk goes on", func() bool { return exchanges.Load() >= after || closing.Load() })
		name := names[round%len(names)]
		if rand.IntN(3) == 0 {
			f.stop(name)
		} else {
			f.kill(name)
		}
		f.start(name, kinds[name], nobodyPostgres)
	}
	f.stop("chat 1") // so that all visitors are told at least once
	closing.Store(true)
	talking.Wait()
	answering.Wait()
	if t.Failed() {
		t.FailNow()
	}
	f.check(movers, everything, unassigned)
	t.Logf("%d exchanges of %d visitors", exchanges.Load(), len(movers))
}

// mover begins a chat, of which nothing is said yet.
func (f *fleet) mover(name string) *mover {
	f.t.Helper()
	a, err := insist(f.t, "a session is opened", f.at("", "chat 1", "chat 2"), "/chat/v1/sessions", map[string]any{"site_key": demoSiteKey, "name": name})
	if err != nil {
		f.t.Fatal(err)
	}
	m := &mover{name: name, conversation: a.Str("conversation_id"), at: f.at(a.Str("token"), "chat 1", "chat 2"), answers: make(chan string, 1<<10)}
	m.stream, _ = listen(f.t, "/chat/v1/stream", "", m.at, func(e heard) {
		var got struct{ From, Text string }
		if e.name == "message" && json.Unmarshal([]byte(e.data), &got) == nil && got.From == "agent" {
			m.answers <- got.Text
		}
	})
	return m
}

// check holds what everybody has seen against the log.
func (f *fleet) check(movers []*mover, everything, unassigned *listener) {
	f.t.Helper()
	head := testkit.Head(f.t, f.log)
	all, conversations, mine := []string{}, []string{}, map[string][]string{}
	texts := map[string][]string{}
	begun, err := events.ParsePosition(everything.first)
	if err != nil {
		f.t.Fatal(err)
	}
	eachEvent(f.t, f.log, begun.Sequence, func(e *events.Recorded) {
		if e.Sequence > head || e.Org != demoOrg {
			return
		}
		position := f.log.Position(e.Aggregate, e.Sequence).String()
		switch e.Kind {
		case events.KindConversation:
			all, conversations = append(all, position), append(conversations, position)
		case events.KindCustomer, events.KindAgent, events.KindQueue:
			all = append(all, position)
		default: // no agent sees it
		}
		switch said := e.Event.(type) {
		case events.ConversationMessageReceived:
			texts[e.Aggregate.ID] = append(texts[e.Aggregate.ID], said.Text)
			mine[e.Aggregate.ID] = append(mine[e.Aggregate.ID], position)
		case events.ConversationMessageWritten:
			texts[e.Aggregate.ID] = append(texts[e.Aggregate.ID], said.Text)
			mine[e.Aggregate.ID] = append(mine[e.Aggregate.ID], position)
		}
	})
	same := func(who string, l *listener, want []string) {
		f.t.Helper()
		testkit.Until(f.t, who+" has seen the end", func() bool {
			got := l.view()
			return len(want) == 0 || len(got) > 0 && slices.Contains(got, want[len(want)-1])
		})
		if got := l.view(); !slices.Equal(got, want) {
			f.t.Errorf("%s has seen %d events, the log has %d", who, len(got), len(want))
		}
		f.told(who, l)
	}
	same("who follows everything", everything, all)
	same("who follows what nobody has", unassigned, conversations)
	for _, m := range movers {
		var want []string
		for i := range m.said {
			text := fmt.Sprintf("%s.%d", m.name, i)
			want = append(want, text, "re: "+text)
		}
		if got := texts[m.conversation]; !slices.Equal(got, want) {
			f.t.Errorf("in the log %s and the desk said %q, want %q", m.name, got, want)
		}
		same(m.name, m.stream, mine[m.conversation])
	}
	f.spread(movers)
}

// told expects that a stream which ended with its server's own stop was told to come back.
func (f *fleet) told(who string, l *listener) {
	f.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.ended {
		if f.stopped[e.url] && e.last != "reconnect" {
			f.t.Errorf("a stream of %s ended with %q at a server that stopped in order", who, e.last)
		}
	}
}

// spread expects that those who were told to come back were not told to come back all at once.
func (f *fleet) spread(movers []*mover) {
	f.t.Helper()
	pauses := map[string]int{}
	for _, m := range movers {
		m.stream.mu.Lock()
		for _, e := range m.stream.said {
			if e.name == "reconnect" {
				pauses[e.data]++
			}
		}
		m.stream.mu.Unlock()
	}
	total := 0
	for _, n := range pauses {
		total += n
	}
	if total > 4 && len(pauses) < 3 {
		f.t.Errorf("%d clients come back at %d moments", total, len(pauses))
	}
}

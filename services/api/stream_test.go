package api_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/services/api"
)

// follow opens the agents' stream and gives a function that reads the next event: its id, name and data.
func (b *bundle) follow(key, query, after string) func() (id, name, data string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.server.URL+"/v1/stream"+query, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	res, err := b.server.Client().Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != http.StatusOK {
		b.t.Fatalf("%d", res.StatusCode)
	}
	lines := bufio.NewScanner(res.Body)
	return func() (id, name, data string) {
		for lines.Scan() {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch field {
			case "id":
				id = value
			case "event":
				name = value
			case "data":
				return id, name, value
			}
		}
		return "", "", ""
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	b := setup(t)
	start := b.log.Position(events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: "x"}, testkit.Head(t, b.log)).String()
	foreign := b.open(b.other, "a secret of other")
	id := b.open(b.acme, "hello")
	b.ok(201, "POST", "/v1/keys", b.acme.adminKey, map[string]any{"name": "never streamed", "agent_id": "me"})
	b.ok(201, "POST", "/v1/conversations/"+id+"/notes", b.acme.userKey, map[string]any{"text": "note"})

	next := b.follow(b.acme.userKey, "", start)
	var names, ids []string
	for {
		position, name, data := next()
		if strings.Contains(data, foreign) || strings.Contains(data, "hash") || strings.Contains(data, "secret") {
			t.Fatalf("%s leaks %s", name, data)
		}
		names, ids = append(names, name), append(ids, position)
		if name == "conversation.note_added" || name == "" {
			break
		}
	}
	want := []string{"customer.created", "customer.identified", "conversation.opened", "conversation.message_received", "conversation.note_added"}
	if strings.Join(names, " ") != strings.Join(want, " ") {
		t.Fatalf("got %q, want %q", names, want)
	}
	resumed := b.follow(b.acme.userKey, "?kind=conversation", ids[2])
	for i := 3; i < len(ids); i++ {
		if position, name, _ := resumed(); position != ids[i] || name != names[i] {
			t.Fatalf("resumed with %s at %s, want %s at %s", name, position, names[i], ids[i])
		}
	}
	live := b.follow(b.acme.userKey, "?conversation="+id, "")
	b.open(b.acme, "another conversation")
	b.ok(201, "POST", "/v1/conversations/"+id+"/messages", b.acme.userKey, map[string]any{"text": "live"})
	if _, name, data := live(); name != "conversation.message_written" || !strings.Contains(data, "live") {
		t.Fatalf("%s %s", name, data)
	}
	other := events.Position{Incarnation: "anotherlog", Sequence: 1}.String()
	b.refused(422, "position_unknown", "GET", "/v1/stream?after="+other, b.acme.userKey, nil)
}

// TestStreamEndsWithItsKey: a key that is revoked, or whose agent is deactivated, is shown nothing more: not the next
// event, and when there is none the stream ends with a heartbeat.
func TestStreamEndsWithItsKey(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(b *bundle){
		"revoked":     func(b *bundle) { b.ok(200, "DELETE", "/v1/keys/"+b.acme.agent+"-key", b.acme.adminKey, nil) },
		"deactivated": func(b *bundle) { b.ok(200, "POST", "/v1/agents/"+b.acme.agent+"/deactivation", b.acme.adminKey, nil) },
	} {
		for _, quiet := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, quiet %v", name, quiet), func(t *testing.T) {
				t.Parallel()
				b := setup(t, func(_ *bundle, d *api.Deps) {
					d.Heartbeat = time.Hour
					if quiet {
						d.Heartbeat = time.Millisecond
					}
				})
				id := b.open(b.acme, "hello")
				before := b.ok(200, "PUT", "/v1/conversations/"+id+"/subject", b.acme.adminKey, map[string]any{"subject": "before"}).str("position")
				next := b.follow(b.acme.userKey, "?conversation="+id, before)
				b.ok(201, "POST", "/v1/conversations/"+id+"/notes", b.acme.adminKey, map[string]any{"text": "seen"})
				if _, name, _ := next(); name != "conversation.note_added" {
					t.Fatalf("got %q", name)
				}
				end(b)
				if !quiet {
					b.ok(201, "POST", "/v1/conversations/"+id+"/notes", b.acme.adminKey, map[string]any{"text": "a secret"})
				}
				if _, name, data := next(); name != "" {
					t.Errorf("%s %s", name, data)
				}
			})
		}
	}
}

// brokenTail is a log that cannot be followed.
type brokenTail struct{ *eventlog.Log }

func (brokenTail) Tail(context.Context, eventlog.Filter, uint64, func(), func(events.Recorded) error) error {
	return errors.New("the log is gone")
}

// TestAStreamThatFailsIsLogged: its answer has begun, so nobody else can be told.
func TestAStreamThatFailsIsLogged(t *testing.T) {
	t.Parallel()
	var logged lines
	b := setup(t, func(b *bundle, d *api.Deps) {
		d.Log, d.Logger = brokenTail{b.log}, slog.New(slog.NewTextHandler(&logged, nil))
	})
	if _, name, _ := b.follow(b.acme.userKey, "", "")(); name != "" {
		t.Errorf("got %q", name)
	}
	if !strings.Contains(logged.String(), "the log is gone") {
		t.Errorf("logged %q", logged.String())
	}
}

// lines is what was logged.
type lines struct {
	mu  sync.Mutex
	all strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

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

// openStream opens the agents' stream and gives its lines.
func (b *bundle) openStream(ctx context.Context, key, query, after string) *bufio.Scanner {
	b.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.server.URL+"/v1/stream"+query, nil)
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
	return bufio.NewScanner(res.Body)
}

// follow opens the agents' stream and gives a function that reads the next event: its id, name and data.
func (b *bundle) follow(key, query, after string) func() (id, name, data string) {
	b.t.Helper()
	lines := b.openStream(b.t.Context(), key, query, after)
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

// marks opens the agents' stream and gives a function that reads the next id that came without an event, and is at least of
// a sequence.
func (b *bundle) marks(ctx context.Context, key, query string) func(least uint64) string {
	b.t.Helper()
	lines := b.openStream(ctx, key, query, "")
	return func(least uint64) string {
		for lines.Scan() {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			if field == "data" {
				b.t.Fatalf("an event: %s", value)
			}
			if p, err := events.ParsePosition(value); field == "id" && (err != nil || p.Sequence >= least) {
				return value
			}
		}
		return ""
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

// desks counts the streams of agents who are at their desk.
type desks struct {
	mu     sync.Mutex
	open   map[string]int
	closed chan string
}

func (d *desks) Opened(org, id string) func() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[org+"/"+id]++
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.open[org+"/"+id]--
		d.closed <- org + "/" + id
	}
}

// TestAStreamSaysWhoIsAtTheirDesk: for as long as it is open, unless it only watches.
func TestAStreamSaysWhoIsAtTheirDesk(t *testing.T) {
	t.Parallel()
	there := &desks{open: map[string]int{}, closed: make(chan string, 9)}
	b := setup(t, func(_ *bundle, d *api.Deps) { d.Presence = there })
	ctx, leave := context.WithCancel(t.Context())
	b.marks(ctx, b.acme.adminKey, "?watch=true")(0)
	b.marks(ctx, b.acme.userKey, "")(0)
	there.mu.Lock()
	if len(there.open) != 1 || there.open["acme/"+b.acme.agent] != 1 {
		t.Errorf("%v", there.open)
	}
	there.mu.Unlock()
	leave()
	if who := <-there.closed; who != "acme/"+b.acme.agent {
		t.Errorf("%s left", who)
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

// TestStreamScopes: a stream of an agent's or a queue's conversations has what happens to them while they are there, with
// the event that brings one in and the one that takes it away. Live and from the log, in one process and in one that has
// never seen the conversations, it is the same; what belongs to nobody's scope moves the place to resume from.
func TestStreamScopes(t *testing.T) {
	t.Parallel()
	b := setup(t, func(_ *bundle, d *api.Deps) { d.Heartbeat = time.Millisecond })
	start := b.log.Position(events.Aggregate{Org: "acme"}, b.log.Head()).String()
	q := b.ok(201, "POST", "/v1/queues", b.acme.adminKey, map[string]any{"name": "Refunds"}).str("id")
	live := map[string]func() (id, name, data string){}
	want := map[string][]string{}
	for _, query := range []string{"?assignee=me", "?assignee=none", "?queue=" + q, "?queue=none&assignee=" + b.acme.admin, "?kind=conversation"} {
		live[query] = b.follow(b.acme.userKey, query, "")
	}
	id := b.open(b.acme, "hello")
	from := func(text string, queries ...string) {
		for _, query := range queries {
			want[query] = append(want[query], text)
		}
	}
	path := "/v1/conversations/" + id
	do := func(method, to string, body map[string]any) {
		b.ok(map[string]int{"PUT": 200, "POST": 201}[method], method, path+to, b.acme.adminKey, body)
	}
	from("conversation.opened", "?assignee=none", "?kind=conversation")
	from("conversation.message_received", "?assignee=none", "?kind=conversation")
	do("PUT", "/assignee", map[string]any{"agent_id": b.acme.admin})
	from("conversation.assigned", "?assignee=none", "?queue=none&assignee="+b.acme.admin, "?kind=conversation")
	do("POST", "/notes", map[string]any{"text": "mine"})
	from("conversation.note_added", "?queue=none&assignee="+b.acme.admin, "?kind=conversation")
	do("PUT", "/queue", map[string]any{"queue_id": q})
	from("conversation.queued", "?queue="+q, "?queue=none&assignee="+b.acme.admin, "?kind=conversation")
	do("PUT", "/assignee", map[string]any{"agent_id": b.acme.agent})
	from("conversation.assigned", "?assignee=me", "?queue="+q, "?kind=conversation")
	do("POST", "/notes", map[string]any{"text": "ann's"})
	from("conversation.note_added", "?assignee=me", "?queue="+q, "?kind=conversation")
	do("PUT", "/assignee", map[string]any{"agent_id": nil})
	from("conversation.unassigned", "?assignee=me", "?assignee=none", "?queue="+q, "?kind=conversation")
	do("PUT", "/subject", map[string]any{"subject": "done"})
	from("conversation.subject_set", "?assignee=none", "?queue="+q, "?kind=conversation")

	fresh := b.again()
	for query, names := range want {
		for what, next := range map[string]func() (id, name, data string){
			"live": live[query], "from the log": b.follow(b.acme.userKey, query, start), "from the log, elsewhere": fresh.follow(b.acme.userKey, query, start),
		} {
			var middle string
			for i, name := range names {
				at, got, _ := next()
				if got != name {
					t.Fatalf("%s %s: event %d is %q, want %q", query, what, i, got, name)
				}
				if i == len(names)/2 {
					middle = at
				}
			}
			resumed := b.again().follow(b.acme.userKey, query, middle)
			for i := len(names)/2 + 1; i < len(names); i++ {
				if _, got, _ := resumed(); got != names[i] {
					t.Fatalf("%s %s, resumed: event %d is %q, want %q", query, what, i, got, names[i])
				}
			}
		}
	}
}

// TestStreamSaysWhereItBegins: who is cut off before the first event, or long after the last one that was for them, resumes
// from there and misses nothing.
func TestStreamSaysWhereItBegins(t *testing.T) {
	t.Parallel()
	b := setup(t, func(_ *bundle, d *api.Deps) { d.Heartbeat = time.Millisecond })
	marks := b.marks(t.Context(), b.acme.userKey, "?assignee=me")
	begin, err := events.ParsePosition(marks(0))
	if err != nil || begin.Sequence != b.log.Head() {
		t.Fatalf("begins at %v, the head is %d: %v", begin, b.log.Head(), err)
	}
	id := b.open(b.acme, "of nobody")
	last := b.settled(b.ok(200, "PUT", "/v1/conversations/"+id+"/subject", b.acme.adminKey, map[string]any{"subject": "x"}).str("position"))
	if p, err := events.ParsePosition(marks(last)); err != nil || p.Sequence < last {
		t.Fatalf("%v %v", p, err)
	}
}

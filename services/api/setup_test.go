package api_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/agent"
	"github.com/tidemark-desk/tidemark/internal/domain/key"
	"github.com/tidemark-desk/tidemark/internal/domain/org"
	"github.com/tidemark-desk/tidemark/internal/erasure"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/intake"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/internal/web"
	"github.com/tidemark-desk/tidemark/services/api"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// bundle is the service on a real log, with the read models of readsOf, and two orgs.
type bundle struct {
	t       testing.TB
	log     *eventlog.Log
	loop    *command.Loop
	dir     *directory.Directory
	service *api.Service
	server  *httptest.Server
	acme    tenant
	other   tenant
}

// tenant is an org with an agent of each role and their keys.
type tenant struct {
	id                string
	admin, agent      string // ids
	adminKey, userKey string
}

// setup starts everything; change may replace what it likes of the deps.
func setup(tb testing.TB, change ...func(b *bundle, d *api.Deps)) *bundle {
	tb.Helper()
	b := &bundle{t: tb, log: testkit.Log(tb)}
	b.loop = command.NewLoop(b.log, command.Options{})
	b.dir = directory.New(b.log, slog.New(slog.DiscardHandler))
	b.run(b.dir.Run)
	reads := &memory{log: b.log}
	d := api.Deps{
		Log: b.log, Loop: b.loop, Directory: b.dir, Intake: intake.New(b.loop, b.dir), Eraser: erasure.New(b.log, b.loop, b.dir, nil),
		Reads:  api.Reads{Inbox: reads, Timeline: reads.timeline(), Customers: reads.customers(), Surveys: &visitors{}, Search: reads, Freshness: reads},
		Models: []string{"inbox"}, OperatorOrg: "acme", Admin: &operator{parked: nil},
		Logger: slog.New(slog.NewTextHandler(testWriter{tb}, &slog.HandlerOptions{Level: slog.LevelError})),
	}
	for _, c := range change {
		c(b, &d)
	}
	var err error
	if b.service, err = api.New(d); err != nil {
		tb.Fatal(err)
	}
	b.run(b.service.Run)
	b.acme, b.other = b.tenant("acme"), b.tenant("other")
	b.server = httptest.NewServer(b.service.Handler())
	tb.Cleanup(func() {
		b.server.CloseClientConnections()
		b.server.Close()
	})
	return b
}

// run runs a part until the test ends.
func (b *bundle) run(part func(ctx context.Context) error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.t.Context()))
	done := make(chan error, 1)
	go func() { done <- part(ctx) }()
	b.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Error(err)
		}
	})
}

func (b *bundle) tenant(name string) tenant {
	b.t.Helper()
	t := tenant{id: name, admin: name + "-boss", agent: name + "-ann", adminKey: "tdm_" + rand.Text(), userKey: "tdm_" + rand.Text()}
	secret := make([]byte, org.SecretSize)
	_, _ = rand.Read(secret)
	m := command.Meta{Actor: events.Actor{Type: events.ActorSystem}}
	orgs := command.For(b.loop, command.Decider[org.State, org.Command]{Kind: events.KindOrg, Evolve: org.Evolve, Decide: org.Decide})
	agents := command.For(b.loop, command.Decider[agent.State, agent.Command]{Kind: events.KindAgent, Evolve: agent.Evolve, Decide: agent.Decide})
	keys := command.For(b.loop, command.Decider[key.State, key.Command]{Kind: events.KindKey, Evolve: key.Evolve, Decide: key.Decide})
	must := func(r command.Result, err error) {
		b.t.Helper()
		if err == nil { // the head that this process knows of may be behind it
			err = b.dir.WaitFor(b.t.Context(), r.Position.Sequence)
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
	ctx := b.t.Context()
	must(orgs.Handle(ctx, name, name, m, org.Create{Name: name, Secret: secret}))
	for _, a := range []struct {
		id, key string
		role    events.Role
	}{{t.admin, t.adminKey, events.RoleAdmin}, {t.agent, t.userKey, events.RoleAgent}} {
		must(agents.Handle(ctx, name, a.id, m, agent.Create{Name: a.id, Email: a.id + "@example.com", Role: a.role, Capacity: 5}))
		hash := sha256.Sum256([]byte(a.key))
		must(keys.Handle(ctx, name, a.id+"-key", m, key.Issue{AgentID: a.id, Name: "test", Role: a.role, Hash: hash[:]}))
	}
	return t
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	raw    []byte
}

// get reads a field by its path: "messages.items.0.text".
func (a answer) get(path string) any {
	var v any
	if json.Unmarshal(a.raw, &v) != nil {
		return nil
	}
	for name := range strings.SplitSeq(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			i := int(name[0] - '0')
			if i >= len(at) {
				return nil
			}
			v = at[i]
		default:
			return nil
		}
	}
	return v
}

func (a answer) str(path string) string {
	s, _ := a.get(path).(string)
	return s
}

// do sends a request; body may be nil, a string that is sent as it is, or a value for JSON. header has name, value, ….
func (b *bundle) do(method, path, key string, body any, header ...string) answer {
	b.t.Helper()
	var reader io.Reader
	switch body := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(body)
	default:
		raw, err := json.Marshal(body)
		if err != nil {
			b.t.Fatal(err)
		}
		reader = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.server.URL+path, reader)
	if err != nil {
		b.t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	if reader != nil {
		r.Header.Set("Content-Type", "application/json")
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
	return answer{status: res.StatusCode, header: res.Header, raw: raw}
}

// ok is do for a request that must succeed with a status.
func (b *bundle) ok(status int, method, path, key string, body any, header ...string) answer {
	b.t.Helper()
	a := b.do(method, path, key, body, header...)
	if a.status != status {
		b.t.Fatalf("%s %s: %d %s", method, path, a.status, a.raw)
	}
	return a
}

// refused is do for a request that must fail with a code.
func (b *bundle) refused(status int, code, method, path, key string, body any, header ...string) web.Problem {
	b.t.Helper()
	a := b.do(method, path, key, body, header...)
	var p web.Problem
	if err := json.Unmarshal(a.raw, &p); err != nil {
		b.t.Fatalf("%s %s: %d %s: %v", method, path, a.status, a.raw, err)
	}
	if a.status != status || p.Code != code {
		b.t.Fatalf("%s %s: %d %s, want %d %s", method, path, a.status, a.raw, status, code)
	}
	if p.Status != a.status || p.Title == "" || p.Detail == "" || p.Type != "/docs/errors#"+code || a.header.Get("Content-Type") != web.ProblemType {
		b.t.Fatalf("%s %s: not a whole problem: %s %v", method, path, a.raw, a.header)
	}
	return p
}

// settled is the head of the log once this process knows of a position.
func (b *bundle) settled(position string) uint64 {
	b.t.Helper()
	p, err := events.ParsePosition(position)
	if err == nil {
		err = b.log.Wait(b.t.Context(), p.Sequence-1)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return testkit.Head(b.t, b.log)
}

// open opens a conversation for the tenant and gives its id.
func (b *bundle) open(t tenant, text string) string {
	b.t.Helper()
	a := b.ok(201, "POST", "/v1/conversations", t.userKey, map[string]any{
		"channel": "chat", "subject": "Help", "customer": map[string]any{"name": "Ann", "email": strings.ToLower(rand.Text()) + "@example.com"},
		"message": map[string]any{"text": text},
	})
	b.settled(a.str("position")) // a stream that begins now begins behind it
	return a.str("id")
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// again is the same service once more, on the same log, as another process that has seen nothing yet; change may replace
// what it likes of the deps.
func (b *bundle) again(change ...func(b *bundle, d *api.Deps)) *bundle {
	b.t.Helper()
	c := *b
	c.loop = command.NewLoop(b.log, command.Options{})
	reads := &memory{log: b.log}
	d := api.Deps{
		Log: b.log, Loop: c.loop, Directory: b.dir, Intake: intake.New(c.loop, b.dir), Eraser: erasure.New(b.log, c.loop, b.dir, nil),
		Reads: api.Reads{Inbox: reads, Timeline: reads.timeline(), Customers: reads.customers(), Search: reads, Freshness: reads},
	}
	for _, f := range change {
		f(&c, &d)
	}
	var err error
	if c.service, err = api.New(d); err != nil {
		b.t.Fatal(err)
	}
	c.run(c.service.Run)
	c.server = httptest.NewServer(c.service.Handler())
	b.t.Cleanup(func() {
		c.server.CloseClientConnections()
		c.server.Close()
	})
	return &c
}

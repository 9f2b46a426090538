package api_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/intake"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/internal/web"
	"github.com/tidemark-desk/tidemark/projections/inbox"
	"github.com/tidemark-desk/tidemark/services/api"
)

func TestHostile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.open(b.acme, "hello")
	messages := "/v1/conversations/" + id + "/messages"
	head := b.settled(b.ok(201, "POST", messages, b.acme.userKey, map[string]any{"text": "last"}).str("position"))
	for name, c := range map[string]struct {
		method, path, body string
		header             []string
		status             int
		code, location     string
	}{
		"empty body":               {"POST", messages, ``, nil, 400, "body_malformed", ""},
		"not json":                 {"POST", messages, `{`, nil, 400, "body_malformed", "body"},
		"two values":               {"POST", messages, `{"text":"a"}{}`, nil, 400, "body_malformed", "body"},
		"null":                     {"POST", messages, `null`, nil, 422, "validation_failed", "body"},
		"array":                    {"POST", messages, `[]`, nil, 422, "validation_failed", "body"},
		"a string":                 {"POST", messages, `"text"`, nil, 422, "validation_failed", "body"},
		"unknown field":            {"POST", messages, `{"text":"a","admin":true}`, nil, 422, "validation_failed", "body.admin"},
		"unknown field inside":     {"POST", messages, `{"text":"a","author":{"type":"agent","id":"other"}}`, nil, 422, "validation_failed", "body.author.id"},
		"field in another case":    {"POST", messages, `{"TEXT":"a"}`, nil, 422, "validation_failed", ""},
		"missing field":            {"POST", messages, `{}`, nil, 422, "text_invalid", "body.text"},
		"wrong type":               {"POST", messages, `{"text":7}`, nil, 422, "validation_failed", "body.text"},
		"null text":                {"POST", messages, `{"text":null}`, nil, 422, "text_invalid", "body.text"},
		"author out of the list":   {"POST", messages, `{"text":"a","author":{"type":"system"}}`, nil, 422, "validation_failed", "body.author.type"},
		"empty text":               {"POST", messages, `{"text":""}`, nil, 422, "text_invalid", "body.text"},
		"blank text":               {"POST", messages, `{"text":" \n "}`, nil, 422, "text_invalid", "body.text"},
		"long text":                {"POST", messages, `{"text":"` + strings.Repeat("é", 10_001) + `"}`, nil, 422, "validation_failed", "body.text"},
		"deep":                     {"POST", messages, strings.Repeat("[", 100_000), nil, 400, "body_malformed", "body"},
		"over a mebibyte":          {"POST", messages, `{"text":"` + strings.Repeat("a", web.MaxBody) + `"}`, nil, 413, "body_too_large", ""},
		"bad utf-8":                {"POST", messages, "{\"text\":\"\xff\"}", nil, 400, "text_refused", "body"},
		"nul":                      {"POST", messages, `{"text":"a\u0000b"}`, nil, 400, "text_refused", "body"},
		"half a pair":              {"POST", messages, `{"text":"\ud83d"}`, nil, 400, "text_refused", "body"},
		"form":                     {"POST", messages, `text=a`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "unsupported_media_type", ""},
		"compressed":               {"POST", messages, `x`, []string{"Content-Encoding", "gzip"}, 415, "unsupported_media_type", ""},
		"no conversation":          {"POST", "/v1/conversations/none/messages", `{"text":"a"}`, nil, 404, "conversation_not_found", ""},
		"id with a wildcard":       {"POST", "/v1/conversations/*/messages", `{"text":"a"}`, nil, 404, "not_found", ""},
		"id with a dot":            {"GET", "/v1/conversations/a.b", ``, nil, 404, "not_found", ""},
		"id with a path":           {"GET", "/v1/conversations/..%2f..%2fadmin", ``, nil, 404, "not_found", ""},
		"id with sql":              {"GET", "/v1/conversations/'%20or%201=1--", ``, nil, 404, "not_found", ""},
		"unknown query parameter":  {"GET", "/v1/conversations?stauts=open", ``, nil, 422, "validation_failed", "query.stauts"},
		"filter out of the list":   {"GET", "/v1/conversations?status=lost", ``, nil, 422, "validation_failed", "query.status"},
		"limit too large":          {"GET", "/v1/conversations?limit=101", ``, nil, 422, "validation_failed", "query.limit"},
		"limit not a number":       {"GET", "/v1/conversations?limit=x", ``, nil, 422, "validation_failed", "query.limit"},
		"query not utf-8":          {"GET", "/v1/search?q=%ff", ``, nil, 400, "text_refused", "query.q"},
		"query that cannot be":     {"GET", "/v1/search?q=%22open", ``, nil, 422, "query_invalid", "query.q"},
		"query nested too deep":    {"GET", "/v1/search?q=((((((a))))))", ``, nil, 422, "query_too_costly", "query.q"},
		"facet that is none":       {"GET", "/v1/search?facets=status,customer", ``, nil, 422, "validation_failed", "query.facets[1]"},
		"sort that is none":        {"GET", "/v1/search?sort=best", ``, nil, 422, "validation_failed", "query.sort"},
		"stream from nonsense":     {"GET", "/v1/stream", ``, []string{"Last-Event-ID", "7"}, 422, "validation_failed", "header.Last-Event-ID"},
		"stream of no id":          {"GET", "/v1/stream?conversation=a.b", ``, nil, 422, "validation_failed", "query.conversation"},
		"tag that is too long":     {"PUT", "/v1/conversations/" + id + "/tags/" + strings.Repeat("x", 65), ``, nil, 422, "validation_failed", "path.tag"},
		"attribute of a bad type":  {"PATCH", "/v1/conversations/" + id + "/attributes", `{"a":[1]}`, nil, 422, "attributes_invalid", ""},
		"two customers in one":     {"GET", "/v1/customers?email=a@example.com&phone=%2B49301234567", ``, nil, 422, "validation_failed", "query"},
		"email that is none":       {"POST", "/v1/conversations", `{"channel":"chat","customer":{"email":"x"},"message":{"text":"a"}}`, nil, 422, "identity_invalid", "body.email"},
		"customer that is nowhere": {"POST", "/v1/conversations", `{"channel":"chat","customer":{"id":"none"},"message":{"text":"a"}}`, nil, 404, "customer_not_found", ""},
		"channel that is nowhere":  {"POST", "/v1/conversations", `{"channel":"chat","channel_id":"none","customer":{},"message":{"text":"a"}}`, nil, 404, "channel_not_found", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var body any = c.body
			if c.method == "GET" || c.method == "PUT" && c.body == "" {
				body = nil
			}
			p := (&bundle{t: t, server: b.server}).refused(c.status, c.code, c.method, c.path, b.acme.userKey, body, c.header...)
			if c.location != "" && (len(p.Errors) == 0 || p.Errors[0].Location != c.location) {
				t.Errorf("errors %+v, want one at %s", p.Errors, c.location)
			}
		})
	}
	t.Cleanup(func() {
		if now := testkit.Head(t, b.log); now != head {
			t.Errorf("refused requests left %d events", now-head)
		}
	})
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	b := setup(t, func(_ *bundle, d *api.Deps) {
		d.Limit, d.Clock = web.Limit{PerSecond: 1, Burst: 2}, func() time.Time { return now }
	})
	first := b.ok(200, "GET", "/v1/queues", b.acme.userKey, nil)
	if first.header.Get("RateLimit-Limit") != "2" || first.header.Get("RateLimit-Remaining") != "1" || first.header.Get("RateLimit-Reset") != "1" {
		t.Errorf("%v", first.header)
	}
	b.ok(200, "GET", "/v1/queues", b.acme.userKey, nil)
	b.refused(429, "rate_limited", "GET", "/v1/queues", b.acme.userKey, nil)
	if a := b.do("GET", "/v1/queues", b.acme.userKey, nil); a.header.Get("Retry-After") != "1" || a.header.Get("RateLimit-Remaining") != "0" {
		t.Errorf("%v", a.header)
	}
	b.ok(200, "GET", "/v1/queues", b.acme.adminKey, nil) // another key has its own
}

// late is a directory that never catches up.
type late struct{ *directory.Directory }

func (late) Wait(ctx context.Context) error                   { <-ctx.Done(); return ctx.Err() }
func (late) Key([32]byte) (directory.Key, bool)               { return directory.Key{}, false }
func (late) WaitFor(ctx context.Context, _ uint64) error      { <-ctx.Done(); return ctx.Err() }
func (late) Agent(string, string) (a directory.Agent, _ bool) { return a, false }

func TestStarting(t *testing.T) {
	t.Parallel()
	b := setup(t, func(b *bundle, d *api.Deps) { d.Directory, d.Starting = late{b.dir}, time.Millisecond })
	b.refused(503, "starting", "GET", "/v1/queues", b.acme.userKey, nil)
	if a := b.do("GET", "/v1/queues", b.acme.userKey, nil); a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

// broken fails in ways that must not leave.
type broken struct{ panics bool }

func (b broken) Open(context.Context, string, command.Meta, intake.Request) (intake.Opened, error) {
	if b.panics {
		panic("the password is hunter2")
	}
	return intake.Opened{}, errors.New("dial postgres://root:hunter2@db")
}

func TestInternalErrorsStayInside(t *testing.T) {
	t.Parallel()
	for _, panics := range []bool{false, true} {
		b := setup(t, func(_ *bundle, d *api.Deps) { d.Intake, d.Logger = broken{panics}, nil })
		a := b.do("POST", "/v1/conversations", b.acme.userKey, map[string]any{"channel": "chat", "customer": map[string]any{}, "message": map[string]any{"text": "a"}})
		if a.status != 500 || strings.Contains(string(a.raw), "hunter2") || a.str("code") != "internal" {
			t.Errorf("%d %s", a.status, a.raw)
		}
	}
}

// away is an inbox whose database is shutting down.
type away struct{}

func (away) List(context.Context, string, inbox.Query) (inbox.Page, error) {
	return inbox.Page{}, fmt.Errorf("list: %w", &pgconn.PgError{Code: "57P01", Message: "terminating connection, secret"})
}

func (away) Get(context.Context, string, string) (inbox.Conversation, error) {
	return inbox.Conversation{}, fmt.Errorf("get: %w", &pgconn.PgError{Code: "42P01"})
}

// TestWritingNeedsNoReadModels: without them a read says so, and writing goes on.
func TestWritingNeedsNoReadModels(t *testing.T) {
	t.Parallel()
	b := setup(t, func(_ *bundle, d *api.Deps) { d.Reads.Inbox, d.Logger = away{}, nil })
	id := b.open(b.acme, "hello")
	b.ok(201, "POST", "/v1/conversations/"+id+"/messages", b.acme.userKey, map[string]any{"text": "hello"})
	b.refused(503, "read_models_unavailable", "GET", "/v1/conversations", b.acme.userKey, nil)
	b.refused(503, "read_models_unavailable", "GET", "/v1/conversations/"+id, b.acme.userKey, nil)
}

func TestPages(t *testing.T) {
	t.Parallel()
	var stalled error
	b := setup(t, func(_ *bundle, d *api.Deps) {
		d.Gatherer = prometheus.NewRegistry()
		d.Health = []web.Check{{Name: "inbox", Err: func() error { return stalled }}}
	})
	b.ok(200, "GET", "/healthz", "", nil)
	b.ok(200, "GET", "/readyz", "", nil)
	b.ok(200, "GET", "/metrics", "", nil)
	for _, page := range []string{"/docs", "/docs/errors"} {
		a := b.ok(200, "GET", page, "", nil)
		if strings.Contains(string(a.raw), `="http`) || strings.Contains(string(a.raw), `="//`) || !strings.Contains(string(a.raw), "<!doctype html>") {
			t.Errorf("%s needs another host: %.300s", page, a.raw)
		}
	}
	if !strings.Contains(string(b.ok(200, "GET", "/docs/errors", "", nil).raw), `<tr id="not_yet">`) {
		t.Error("a problem's type leads nowhere")
	}
	stalled = errors.New("no progress for 31 s")
	b.ok(503, "GET", "/readyz", "", nil)
	stalled = nil
	b.service.Drain()
	b.ok(503, "GET", "/readyz", "", nil)
	b.ok(200, "GET", "/v1/queues", b.acme.userKey, nil) // what comes is still answered
}

package api_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/services/api"
)

// spec is what the tests read of the OpenAPI document.
type spec struct {
	OpenAPI string                          `json:"openapi"`
	Paths   map[string]map[string]specEntry `json:"paths"`
}

type specEntry struct {
	OperationID string `json:"operationId"`
	Parameters  []struct {
		Name, In string
	} `json:"parameters"`
	Responses map[string]struct {
		Description string         `json:"description"`
		Content     map[string]any `json:"content"`
	} `json:"responses"`
	Codes []string `json:"x-problem-codes"`
}

func (b *bundle) spec() spec {
	b.t.Helper()
	a := b.ok(200, "GET", "/openapi.json", "", nil)
	var s spec
	if err := json.Unmarshal(a.raw, &s); err != nil {
		b.t.Fatal(err)
	}
	if s.OpenAPI != "3.1.0" || len(s.Paths) == 0 {
		b.t.Fatalf("not an OpenAPI 3.1 document: %.200s", a.raw)
	}
	return s
}

// each calls f for every operation, with ids put in its path.
func (s spec) each(ids map[string]string, f func(method, path string, op specEntry)) {
	for path, item := range s.Paths {
		for name, id := range ids {
			path = strings.ReplaceAll(path, "{"+name+"}", id)
		}
		for method, op := range item {
			f(strings.ToUpper(method), path, op)
		}
	}
}

// bodies are valid bodies of the operations that need one.
func bodies(t tenant) map[string]any {
	reason := map[string]any{"reason": "test"}
	return map[string]any{
		"open-conversation":      map[string]any{"channel": "chat", "customer": map[string]any{"email": "new@example.com"}, "message": map[string]any{"text": "hello"}},
		"post-message":           map[string]any{"text": "hello"},
		"post-note":              map[string]any{"text": "hello"},
		"set-assignee":           map[string]any{"agent_id": nil},
		"set-status":             map[string]any{"status": "open"},
		"set-priority":           map[string]any{"priority": "high"},
		"set-queue":              map[string]any{"queue_id": "q"},
		"set-read":               map[string]any{"message_id": "m"},
		"set-subject":            map[string]any{"subject": "another"},
		"set-attributes":         map[string]any{"a": 1},
		"create-customer":        map[string]any{"name": "Kim", "email": "kim@example.com"},
		"create-queue":           map[string]any{"name": "Bikes"},
		"create-agent":           map[string]any{"name": "Kim", "email": "kim@example.com"},
		"set-presence":           map[string]any{"presence": "online"},
		"set-capacity":           map[string]any{"capacity": 3},
		"deactivate-agent":       reason,
		"issue-key":              map[string]any{"name": "k", "agent_id": t.agent},
		"create-channel":         map[string]any{"type": "chat", "name": "Site"},
		"set-origins":            map[string]any{"origins": []string{"https://example.com"}},
		"set-survey":             map[string]any{"enabled": true},
		"change-channel":         map[string]any{"greeting": "Hello", "theme": map[string]any{"mode": "dark"}},
		"enable-channel":         map[string]any{"enabled": false},
		"rotate-identity-secret": reason,
		"require-identity":       map[string]any{"required": false},
		"create-workflow":        map[string]any{"name": "W", "on": "conversation.message_received", "steps": []any{map[string]any{"tag": "a"}}},
		"change-workflow":        map[string]any{"on": "conversation.message_received", "steps": []any{map[string]any{"tag": "b"}}},
		"enable-workflow":        map[string]any{"enabled": false},
	}
}

// TestNoKey: every operation without a key, with a wrong one, or with something else is 401.
func TestNoKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.spec().each(map[string]string{"id": "x", "tag": "x", "agent": "x", "name": "inbox", "key": "x"}, func(method, path string, _ specEntry) {
		b.refused(401, "unauthenticated", method, path, "", nil)
		b.refused(401, "unauthenticated", method, path, "tdm_nobody", nil)
		b.refused(401, "unauthenticated", method, path, "", nil, "Authorization", "Basic "+b.acme.adminKey)
		b.refused(401, "unauthenticated", method, path, "", nil, "Authorization", b.acme.adminKey)
	})
	b.refused(401, "unauthenticated", "GET", "/v1/nothing", "", nil)
	b.refused(404, "not_found", "GET", "/v1/nothing", b.acme.userKey, nil)
	b.refused(404, "not_found", "GET", "/nothing", "", nil)
	b.refused(405, "method_not_allowed", "DELETE", "/v1/conversations", b.acme.userKey, nil)
	if a := b.do("GET", "/v1/queues", b.acme.userKey, nil, "Authorization", "bearer "+b.acme.userKey); a.status != 200 {
		t.Errorf("the scheme is not case-sensitive: %d", a.status)
	}
}

// TestAnotherOrg: what belongs to another org is not there, whatever is asked of it, and nothing of it changes.
func TestAnotherOrg(t *testing.T) {
	t.Parallel()
	b := setup(t, func(b *bundle, d *api.Deps) {
		d.Admin = &operator{parked: []projections.Parked{{
			Projection: "inbox", Aggregate: events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: "c"}, Error: "secret of acme",
		}}}
	})
	admin := b.acme.adminKey
	ids := map[string]string{ // by the collection that stands before {id}
		"conversations": b.open(b.acme, "hello"),
		"customers":     b.ok(201, "POST", "/v1/customers", admin, map[string]any{"name": "Zoë"}).str("id"),
		"queues":        b.ok(201, "POST", "/v1/queues", admin, map[string]any{"name": "Bikes"}).str("id"),
		"agents":        b.acme.agent,
		"keys":          b.acme.agent + "-key",
		"channels":      b.ok(201, "POST", "/v1/channels", admin, map[string]any{"type": "chat", "name": "Site"}).str("id"),
		"workflows":     b.ok(201, "POST", "/v1/workflows", admin, bodies(b.acme)["create-workflow"]).str("id"),
	}
	head := b.settled(b.ok(201, "POST", "/v1/conversations/"+ids["conversations"]+"/notes", admin, map[string]any{"text": "last"}).str("position"))
	seen := 0
	for path, item := range b.spec().Paths {
		collection := strings.Split(path, "/")[2]
		for method, op := range item {
			switch {
			case strings.Contains(path, "{id}"):
				at := strings.NewReplacer("{id}", ids[collection], "{tag}", "x", "{agent}", b.other.agent).Replace(path)
				a := b.do(strings.ToUpper(method), at, b.other.adminKey, bodies(b.other)[op.OperationID])
				if op.OperationID == "set-queue" { // the queue in the body is looked at first
					continue
				}
				if a.status != http.StatusNotFound {
					t.Errorf("%s %s: %d %s", method, path, a.status, a.raw)
				}
				seen++
			case strings.HasPrefix(path, "/v1/admin/parked/"):
				at := strings.NewReplacer("{name}", "inbox", "{key}", "conversation.c").Replace(path)
				b.refused(404, "not_found", strings.ToUpper(method), at, b.other.adminKey, nil)
				if method == "get" && b.ok(200, "GET", at, admin, nil).str("error") != "secret of acme" {
					t.Error("acme does not see its own parked key")
				}
			}
		}
	}
	if seen < 20 {
		t.Fatalf("only %d operations were tried", seen)
	}
	for _, list := range []string{"/v1/conversations?status=any", "/v1/customers", "/v1/queues", "/v1/channels", "/v1/workflows", "/v1/admin/parked"} {
		if items, _ := b.ok(200, "GET", list, b.other.adminKey, nil).get("items").([]any); len(items) != 0 {
			t.Errorf("%s shows %v", list, items)
		}
	}
	if testkit.Head(t, b.log) != head {
		t.Errorf("the log has %d new events", testkit.Head(t, b.log)-head)
	}
}

// TestOnlyAdmins: what is for admins is refused to agents, before anything of the request is looked at.
func TestOnlyAdmins(t *testing.T) {
	t.Parallel()
	b := setup(t)
	n := 0
	b.spec().each(map[string]string{"id": "x", "agent": "x", "name": "inbox", "key": "x"}, func(method, path string, op specEntry) {
		if !slices.Contains(op.Codes, "forbidden") || op.OperationID == "set-presence" {
			return
		}
		n++
		b.refused(403, "forbidden", method, path, b.acme.userKey, map[string]any{"nonsense": true})
	})
	if n < 15 {
		t.Fatalf("only %d operations are for admins", n)
	}
}

// TestOperationsDocumentTheirProblems: every operation names its codes, each under the status that it has.
func TestOperationsDocumentTheirProblems(t *testing.T) {
	t.Parallel()
	b := setup(t)
	known := listedCodes(t)
	seen := map[string]bool{}
	b.spec().each(nil, func(method, path string, op specEntry) {
		if op.OperationID == "" || seen[op.OperationID] {
			t.Errorf("%s %s: operation id %q", method, path, op.OperationID)
		}
		seen[op.OperationID] = true
		for _, must := range []string{"unauthenticated", "rate_limited", "starting", "internal"} {
			if !slices.Contains(op.Codes, must) {
				t.Errorf("%s %s does not document %s", method, path, must)
			}
		}
		for _, code := range op.Codes {
			status, ok := known[code]
			if !ok {
				t.Errorf("%s %s: %s is not in docs/errors.md", method, path, code)
				continue
			}
			r := op.Responses[strconv.Itoa(status)]
			if !strings.Contains(r.Description, "`"+code+"`") || r.Content["application/problem+json"] == nil {
				t.Errorf("%s %s: %s is not under %d: %+v", method, path, code, status, r)
			}
		}
		header := slices.ContainsFunc(op.Parameters, func(p struct{ Name, In string }) bool { return p.Name == "Idempotency-Key" && p.In == "header" })
		// What an operator asks of projections, an import and a file are idempotent by what they name or are, and typing is not kept: a key would
		// mean nothing.
		byItself := strings.HasPrefix(path, "/v1/admin/") && path != "/v1/admin/orgs" || op.OperationID == "upload-attachment" ||
			strings.HasSuffix(path, "/typing")
		if promised := slices.Contains(op.Codes, "idempotency_key_reused"); header != (method != "GET" && !byItself) || promised != header {
			t.Errorf("%s %s: takes an Idempotency-Key %v, refuses its reuse %v", method, path, header, promised)
		}
	})
}

// TestIdempotencyKeys walks every POST: the same request with the same key answers the same and adds nothing, another
// request with the same key is refused, and the key of one agent is not that of another.
func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.open(b.acme, "hello")
	n := 0
	b.spec().each(map[string]string{"name": "inbox", "key": "x"}, func(method, path string, op specEntry) {
		if method != "POST" || strings.Contains(path, "/admin/") || op.OperationID == "upload-attachment" || strings.HasSuffix(path, "/typing") {
			return // what operators ask of the projections, and a file, are idempotent by themselves, and typing is not kept
		}
		n++
		at := strings.ReplaceAll(path, "{id}", id)
		if op.OperationID == "deactivate-agent" {
			at = strings.ReplaceAll(path, "{id}", b.ok(201, "POST", "/v1/agents", b.acme.adminKey, map[string]any{"name": "X", "email": "x@example.com"}).str("id"))
		}
		if op.OperationID == "rotate-identity-secret" {
			at = strings.ReplaceAll(path, "{id}", b.ok(201, "POST", "/v1/channels", b.acme.adminKey, map[string]any{"type": "chat", "name": "Site"}).str("id"))
		}
		body, key := bodies(b.acme)[op.OperationID], "k1 / ü "+op.OperationID
		first := b.do(method, at, b.acme.adminKey, body, "Idempotency-Key", key)
		if first.status >= 300 {
			t.Fatalf("%s: %d %s", path, first.status, first.raw)
		}
		head := b.settled(first.str("position"))
		again := b.do(method, at, b.acme.adminKey, body, "Idempotency-Key", key)
		if again.status != first.status || again.str("id") != first.str("id") || again.str("position") != first.str("position") ||
			again.header.Get("Tidemark-Position") != first.header.Get("Tidemark-Position") {
			t.Errorf("%s: first %s, again %d %s", path, first.raw, again.status, again.raw)
		}
		if op.OperationID == "issue-key" && (again.str("secret") != "" || first.str("secret") == "") {
			t.Errorf("the secret is shown %q, then %q", first.str("secret"), again.str("secret"))
		}
		if op.OperationID == "create-channel" && again.str("site_key") != first.str("site_key") {
			t.Errorf("another site key: %s, %s", first.raw, again.raw)
		}
		if b.settled(again.str("position")) != head {
			t.Errorf("%s: a repeated request added %d events", path, testkit.Head(t, b.log)-head)
		}
		another := map[string]any{}
		maps.Copy(another, body.(map[string]any))
		switch {
		case another["name"] != nil:
			another["name"] = "Another name"
		case another["text"] != nil:
			another["text"] = "another text"
		case another["reason"] != nil:
			another["reason"] = "another reason"
		default:
			another["message"] = map[string]any{"text": "another text"}
		}
		b.refused(409, "idempotency_key_reused", method, at, b.acme.adminKey, another, "Idempotency-Key", key)
	})
	if n < 9 {
		t.Fatalf("only %d POSTs were tried", n)
	}
	at := "/v1/conversations/" + id + "/messages"
	mine := b.ok(201, "POST", at, b.acme.adminKey, map[string]any{"text": "hello"}, "Idempotency-Key", "shared")
	theirs := b.ok(201, "POST", at, b.acme.userKey, map[string]any{"text": "hello"}, "Idempotency-Key", "shared")
	if mine.str("id") == theirs.str("id") {
		t.Error("two agents with one key are one command")
	}
	b.refused(409, "idempotency_key_reused", "POST", "/v1/conversations/"+id+"/notes", b.acme.adminKey, map[string]any{"text": "hello"}, "Idempotency-Key", "shared")
	b.refused(422, "validation_failed", "POST", at, b.acme.userKey, map[string]any{"text": "hello"}, "Idempotency-Key", strings.Repeat("x", 256))
}

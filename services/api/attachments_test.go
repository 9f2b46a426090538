package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/internal/attachment"
	"github.com/tidemark-desk/tidemark/internal/blob"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/erasure"
	"github.com/tidemark-desk/tidemark/services/api"
)

// withFiles lets files be attached; the clock can be turned.
func withFiles(t *testing.T, files **attachment.Files, late *atomic.Int64) func(b *bundle, d *api.Deps) {
	t.Helper()
	store, err := blob.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return func(b *bundle, d *api.Deps) {
		*files = attachment.New(attachment.Deps{Store: store, Directory: b.dir, Clock: func() time.Time { return time.Now().Add(time.Duration(late.Load())) }})
		d.Files = *files
	}
}

func (b *bundle) upload(t tenant, conversation, name, body string) string {
	b.t.Helper()
	return b.ok(201, "POST", "/v1/attachments?conversation="+conversation+"&name="+name, t.userKey, body, "Content-Type", "image/png").str("id")
}

func TestAttachments(t *testing.T) {
	t.Parallel()
	var files *attachment.Files
	var late atomic.Int64
	b := setup(t, withFiles(t, &files, &late))
	id := b.open(b.acme, "hello")
	at := "/v1/conversations/" + id + "/messages"
	next := b.follow(b.acme.userKey, "?conversation="+id, "")
	file := b.upload(b.acme, id, "invoice.pdf", "%PDF-1.7")
	if a := b.ok(201, "POST", "/v1/attachments?conversation="+id, b.acme.adminKey, strings.Repeat("x", 2<<20)); a.get("size") != float64(2<<20) {
		t.Errorf("a file that is larger than other bodies may be: %s", a.raw)
	}
	body := map[string]any{"text": "", "attachments": []string{file}}
	first := b.ok(201, "POST", at, b.acme.adminKey, body, "Idempotency-Key", "k1") // a colleague sends it
	b.settled(first.str("position"))

	_, name, data := next()
	var streamed answer
	streamed.raw = []byte(data)
	if name != "conversation.message_written" {
		t.Fatalf("%s %s", name, data)
	}
	list := b.ok(200, "GET", at, b.acme.userKey, nil)
	one := b.ok(200, "GET", "/v1/conversations/"+id, b.acme.userKey, nil)
	for where, got := range map[string]any{
		"list": list.get("items.1.attachments.0"), "conversation": one.get("messages.items.1.attachments.0"), "stream": streamed.get("attachments.0"),
	} {
		f, _ := got.(map[string]any)
		url, _ := f["url"].(string)
		w := httptest.NewRecorder()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		files.Handler().ServeHTTP(w, r)
		if f["name"] != "invoice.pdf" || f["type"] != "application/pdf" || f["size"] != 8.0 || w.Code != 200 || w.Body.String() != "%PDF-1.7" {
			t.Errorf("%s: %v: %d %s", where, got, w.Code, w.Body)
		}
	}

	late.Store(int64(25 * time.Hour)) // a retry is answered as the first time, and nothing new is sent
	if again := b.ok(201, "POST", at, b.acme.adminKey, body, "Idempotency-Key", "k1"); again.str("position") != first.str("position") {
		t.Errorf("%s, first %s", again.raw, first.raw)
	}
	b.refused(422, "attachment_expired", "POST", at, b.acme.adminKey, body, "Idempotency-Key", "k2")
	late.Store(0)

	other := b.open(b.acme, "another")
	foreign := b.open(b.other, "of another org")
	b.refused(422, "attachment_unknown", "POST", "/v1/conversations/"+other+"/messages", b.acme.userKey, body)
	b.refused(422, "attachment_unknown", "POST", "/v1/conversations/"+foreign+"/messages", b.other.userKey, body)
	b.refused(422, "text_invalid", "POST", at, b.acme.userKey, map[string]any{})
	b.refused(422, "validation_failed", "POST", at, b.acme.userKey, map[string]any{"attachments": make([]string, 11)})
	b.refused(404, "conversation_not_found", "POST", "/v1/attachments?conversation="+foreign, b.acme.userKey, "hello")
	b.refused(404, "conversation_not_found", "POST", "/v1/attachments?conversation=..%2F..", b.acme.userKey, "hello")
	b.refused(422, "validation_failed", "POST", "/v1/attachments", b.acme.userKey, "hello")
	b.refused(413, "attachment_too_large", "POST", "/v1/attachments?conversation="+id, b.acme.userKey, strings.Repeat("x", attachment.MaxSize+1))
	b.refused(401, "unauthenticated", "POST", "/v1/attachments?conversation="+id, "", "hello")

	eraser := erasure.New(b.log, command.NewLoop(b.log, command.Options{}), b.dir, files)
	if err := eraser.PurgeConversation(t.Context(), "acme", id, command.Meta{ID: "erase"}); err != nil {
		t.Fatal(err)
	}
	b.refused(404, "conversation_erased", "POST", "/v1/attachments?conversation="+id, b.acme.userKey, "hello")
}

// TestAttachmentsOfNotes: a note has files as a message has, and they are where the note is.
func TestAttachmentsOfNotes(t *testing.T) {
	t.Parallel()
	var files *attachment.Files
	var late atomic.Int64
	b := setup(t, withFiles(t, &files, &late))
	id := b.open(b.acme, "hello")
	at := "/v1/conversations/" + id + "/notes"
	next := b.follow(b.acme.userKey, "?conversation="+id, "")
	body := map[string]any{"attachments": []string{b.upload(b.acme, id, "contract.pdf", "%PDF-1.7 secret")}}
	first := b.ok(201, "POST", at, b.acme.userKey, body, "Idempotency-Key", "k1")
	b.settled(first.str("position"))
	_, name, data := next()
	streamed := answer{raw: []byte(data)}
	if name != "conversation.note_added" {
		t.Fatalf("%s %s", name, data)
	}
	list := b.ok(200, "GET", at, b.acme.adminKey, nil)
	for where, got := range map[string]any{"list": list.get("items.0.attachments.0"), "stream": streamed.get("attachments.0")} {
		f, _ := got.(map[string]any)
		url, _ := f["url"].(string)
		w := httptest.NewRecorder()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		files.Handler().ServeHTTP(w, r)
		if f["name"] != "contract.pdf" || w.Code != 200 || w.Body.String() != "%PDF-1.7 secret" {
			t.Errorf("%s: %v: %d %s", where, got, w.Code, w.Body)
		}
	}
	if messages := b.ok(200, "GET", "/v1/conversations/"+id+"/messages", b.acme.userKey, nil); strings.Contains(string(messages.raw), "contract") {
		t.Errorf("it is among the messages: %s", messages.raw)
	}
	late.Store(int64(25 * time.Hour))
	if again := b.ok(201, "POST", at, b.acme.userKey, body, "Idempotency-Key", "k1"); again.str("position") != first.str("position") {
		t.Errorf("%s, first %s", again.raw, first.raw)
	}
	b.refused(422, "attachment_expired", "POST", at, b.acme.userKey, body)
	late.Store(0)
	b.refused(422, "attachment_unknown", "POST", "/v1/conversations/"+b.open(b.acme, "another")+"/notes", b.acme.userKey, body)
	b.refused(422, "text_invalid", "POST", at, b.acme.userKey, map[string]any{})
	b.refused(422, "validation_failed", "POST", at, b.acme.userKey, map[string]any{"attachments": make([]string, 11)})
}

// TestOpeningWithAttachments: files that are uploaded for a key go with the conversation that is opened with it, and with no
// other.
func TestOpeningWithAttachments(t *testing.T) {
	t.Parallel()
	var files *attachment.Files
	var late atomic.Int64
	b := setup(t, withFiles(t, &files, &late))
	upload := func(t tenant, key, opening string) string {
		return b.ok(201, "POST", "/v1/attachments?name=scan.pdf&opening="+opening, key, "%PDF-1.7 of "+t.id, "Content-Type", "application/pdf").str("id")
	}
	file, more := upload(b.acme, b.acme.userKey, "call+7"), upload(b.acme, b.acme.userKey, "call+7")
	body := func(ids ...string) map[string]any {
		return map[string]any{"channel": "email", "customer": map[string]any{"email": "zoe@example.com"}, "message": map[string]any{"attachments": ids}}
	}
	for name, c := range map[string]struct {
		key, opening string
		ids          []string
		code         string
	}{
		"another key":             {b.acme.userKey, "call 8", []string{file}, "attachment_unknown"},
		"another agent":           {b.acme.adminKey, "call 7", []string{file}, "attachment_unknown"},
		"another org":             {b.other.userKey, "call 7", []string{file}, "attachment_unknown"},
		"of a conversation":       {b.acme.userKey, "call 7", []string{b.upload(b.acme, b.open(b.acme, "x"), "a", "b")}, "attachment_unknown"},
		"one of them another's":   {b.acme.userKey, "call 7", []string{file, upload(b.acme, b.acme.adminKey, "call+7")}, "attachment_unknown"},
		"neither text nor files":  {b.acme.userKey, "call 7", nil, "text_invalid"},
		"eleven":                  {b.acme.userKey, "call 7", make([]string, 11), "validation_failed"},
		"without the key, at all": {b.acme.userKey, "", []string{file}, "validation_failed"},
	} {
		header := []string{"Idempotency-Key", c.opening}
		if c.opening == "" {
			header = nil
		}
		if a := b.do("POST", "/v1/conversations", c.key, body(c.ids...), header...); a.status != 422 || a.str("code") != c.code {
			t.Errorf("%s: %d %s, want %s", name, a.status, a.raw, c.code)
		}
	}
	first := b.ok(201, "POST", "/v1/conversations", b.acme.userKey, body(file, more), "Idempotency-Key", "call 7")
	b.settled(first.str("position"))
	list := b.ok(200, "GET", "/v1/conversations/"+first.str("id")+"/messages", b.acme.adminKey, nil)
	url := list.str("items.0.attachments.1.url")
	w := httptest.NewRecorder()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	files.Handler().ServeHTTP(w, r)
	if list.str("items.0.author.type") != "customer" || list.str("items.0.attachments.0.name") != "scan.pdf" || w.Body.String() != "%PDF-1.7 of acme" {
		t.Errorf("%s: %d %s", list.raw, w.Code, w.Body)
	}
	late.Store(int64(25 * time.Hour))
	if again := b.ok(201, "POST", "/v1/conversations", b.acme.userKey, body(file, more), "Idempotency-Key", "call 7"); string(again.raw) != string(first.raw) {
		t.Errorf("%s, first %s", again.raw, first.raw)
	}
	b.refused(409, "idempotency_key_reused", "POST", "/v1/conversations", b.acme.userKey, body(file), "Idempotency-Key", "call 7")
	late.Store(0)

	b.refused(422, "validation_failed", "POST", "/v1/attachments", b.acme.userKey, "hello")
	b.refused(422, "validation_failed", "POST", "/v1/attachments?opening=a&conversation="+first.str("id"), b.acme.userKey, "hello")
	eraser := erasure.New(b.log, command.NewLoop(b.log, command.Options{}), b.dir, files)
	if err := eraser.PurgeConversation(t.Context(), "acme", first.str("id"), command.Meta{ID: "erase"}); err != nil {
		t.Fatal(err)
	}
	b.refused(404, "conversation_erased", "POST", "/v1/attachments?opening=call+7", b.acme.userKey, "hello")
}

// The document says that the body of an upload is a file, and what it is answered with.
func TestUploadIsDocumented(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var doc struct {
		Paths map[string]map[string]struct {
			RequestBody struct {
				Required bool           `json:"required"`
				Content  map[string]any `json:"content"`
			} `json:"requestBody"`
			Responses map[string]any `json:"responses"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(b.ok(200, "GET", "/openapi.json", "", nil).raw, &doc); err != nil {
		t.Fatal(err)
	}
	op := doc.Paths["/v1/attachments"]["post"]
	if !op.RequestBody.Required || op.RequestBody.Content["application/octet-stream"] == nil || op.Responses["201"] == nil || op.Responses["413"] == nil {
		t.Errorf("%+v", op)
	}
}

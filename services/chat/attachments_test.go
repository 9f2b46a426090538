package chat_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/attachment"
	"github.com/tidemark-desk/tidemark/internal/blob"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/channel"
	"github.com/tidemark-desk/tidemark/internal/erasure"
	"github.com/tidemark-desk/tidemark/internal/web"
	"github.com/tidemark-desk/tidemark/services/chat"
)

// withFiles lets files be attached; the clock can be turned.
func withFiles(t *testing.T, files **attachment.Files, late *atomic.Int64) func(b *bundle, d *chat.Deps) {
	t.Helper()
	store, err := blob.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return func(b *bundle, d *chat.Deps) {
		*files = attachment.New(attachment.Deps{Store: store, Directory: b.dir, Clock: func() time.Time { return time.Now().Add(time.Duration(late.Load())) }})
		d.Files = *files
	}
}

func (b *bundle) upload(token, name, body string) string {
	b.t.Helper()
	return b.ok(201, "POST", "/chat/v1/attachments?name="+name, token, body, "Content-Type", "image/png").str("id")
}

// file is the nth file of a message, as history and stream show it.
func file(m map[string]any, n int) map[string]any {
	list, _ := m["attachments"].([]any)
	if n >= len(list) {
		return nil
	}
	f, _ := list[n].(map[string]any)
	return f
}

// follow gives the status and the body behind the link of a file.
func follow(t *testing.T, files *attachment.Files, f map[string]any) (int, string) {
	t.Helper()
	url, _ := f["url"].(string)
	w := &recorder{header: http.Header{}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	files.Handler().ServeHTTP(w, r)
	return w.status, w.body.String()
}

type recorder struct {
	header http.Header
	status int
	body   strings.Builder
}

func (r *recorder) Header() http.Header    { return r.header }
func (r *recorder) WriteHeader(status int) { r.status = status }
func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = 200
	}
	return r.body.Write(p)
}

func TestAttachments(t *testing.T) {
	t.Parallel()
	var files *attachment.Files
	var late atomic.Int64
	b := setup(t, withFiles(t, &files, &late))
	token := b.session(`{"site_key":"site_acme"}`)
	s := b.stream(token, "")
	id := b.upload(token, "..%2Fa.txt", "hello")
	body := `{"id":"m1","text":"","attachments":["` + id + `","` + b.upload(token, "b.txt", "world") + `"]}`
	first := b.ok(201, "POST", "/chat/v1/messages", token, body)

	h := b.ok(200, "GET", "/chat/v1/messages", token, "")
	m, _ := h.body["items"].([]any)[0].(map[string]any)
	for where, m := range map[string]map[string]any{"history": m, "stream": s.next("message")} {
		f := file(m, 0)
		if m["text"] != "" || f["name"] != "a.txt" || f["type"] != "text/plain" || f["size"] != 5.0 || file(m, 1)["name"] != "b.txt" || file(m, 2) != nil {
			t.Errorf("%s: %v", where, m)
		}
		if status, got := follow(t, files, f); status != 200 || got != "hello" {
			t.Errorf("%s: the link gives %d %q", where, status, got)
		}
	}

	// A resend answers as the first time, also with the file uploaded anew, and when the upload is long ago.
	if again := b.ok(201, "POST", "/chat/v1/messages", token, strings.Replace(body, id, b.upload(token, "a.txt", "hello"), 1)); again.raw != first.raw {
		t.Errorf("a resend answers %s, first %s", again.raw, first.raw)
	}
	late.Store(int64(25 * time.Hour))
	if again := b.ok(201, "POST", "/chat/v1/messages", token, body); again.raw != first.raw {
		t.Errorf("a late resend answers %s, first %s", again.raw, first.raw)
	}
	if a := b.do("POST", "/chat/v1/messages", token, strings.Replace(body, "m1", "m2", 1)); a.status != 422 || a.str("code") != "attachment_expired" {
		t.Errorf("a new message with what was uploaded yesterday: %d %s", a.status, a.raw)
	}
	late.Store(0)
	if a := b.do("POST", "/chat/v1/messages", token, `{"id":"m1","text":"","attachments":["`+id+`"]}`); a.str("code") != "idempotency_key_reused" {
		t.Errorf("other files under the same id: %d %s", a.status, a.raw)
	}

	// Nobody else sends what this visitor uploaded, and nobody else sees it.
	other := b.session(`{"site_key":"site_acme"}`)
	elsewhere := b.session(`{"site_key":"site_other"}`)
	for _, who := range []string{other, elsewhere} {
		if a := b.do("POST", "/chat/v1/messages", who, strings.Replace(body, "m1", "m3", 1)); a.status != 422 || a.str("code") != "attachment_unknown" {
			t.Errorf("%d %s", a.status, a.raw)
		}
		if h := b.ok(200, "GET", "/chat/v1/messages", who, ""); strings.Contains(h.raw, "/files/") {
			t.Errorf("%s", h.raw)
		}
	}
	for name, c := range map[string]struct{ body, code string }{
		"no list":       {`{"id":"m4","attachments":"x"}`, "validation_failed"},
		"null":          {`{"id":"m4","attachments":null}`, "validation_failed"},
		"numbers":       {`{"id":"m4","attachments":[1]}`, "validation_failed"},
		"an empty list": {`{"id":"m4","attachments":[]}`, "text_invalid"},
		"a hash":        {`{"id":"m4","attachments":["` + strings.Repeat("a", 64) + `"]}`, "attachment_unknown"},
		"eleven":        {`{"id":"m4","attachments":["` + strings.Repeat(id+`","`, 10) + id + `"]}`, "attachments_invalid"},
	} {
		if a := b.do("POST", "/chat/v1/messages", token, c.body); a.status != 422 || a.str("code") != c.code {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
}

func TestUploadsAreGuarded(t *testing.T) {
	t.Parallel()
	var files *attachment.Files
	var late atomic.Int64
	b := setup(t, withFiles(t, &files, &late), func(_ *bundle, d *chat.Deps) {
		d.Uploads, d.Uploaders = web.Limit{PerSecond: 0.001, Burst: 2}, web.Limit{PerSecond: 0.001, Burst: 3}
	})
	const path = "/chat/v1/attachments"
	token := b.session(`{"site_key":"site_acme"}`)
	if a := b.do("POST", path, "", "hello"); a.status != 401 || a.str("code") != "unauthenticated" {
		t.Errorf("without a session: %d %s", a.status, a.raw)
	}
	if a := b.do("POST", path, token, "hello", "Origin", "https://evil.example"); a.str("code") != "origin_not_allowed" {
		t.Errorf("from another site: %d %s", a.status, a.raw)
	}
	if a := b.do("GET", path, token, ""); a.status != 405 {
		t.Errorf("%d %s", a.status, a.raw)
	}
	if a := b.do("POST", path+"?name=%00%1b", token, "hello"); a.str("code") != "text_refused" {
		t.Errorf("%d %s", a.status, a.raw)
	}
	for _, want := range []int{201, 201, 429} {
		if a := b.do("POST", path, token, "hello"); a.status != want {
			t.Errorf("%d %s, want %d", a.status, a.raw, want)
		}
	}
	another := b.session(`{"site_key":"site_acme"}`) // from the same address
	for _, want := range []int{201, 429} {
		if a := b.do("POST", path, another, "hello"); a.status != want {
			t.Errorf("%d %s, want %d", a.status, a.raw, want)
		}
	}
	b.ok(201, "POST", path, b.session(`{"site_key":"site_other"}`), "hello") // no site pays for another
}

// Erasing a visitor erases their files, in and beside their messages, and nobody else's.
func TestErasureTakesFiles(t *testing.T) {
	t.Parallel()
	var files *attachment.Files
	var late atomic.Int64
	b := setup(t, withFiles(t, &files, &late))
	shown := func(token string) map[string]any {
		id := b.upload(token, "a.txt", "the same bytes")
		b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m1","attachments":["`+id+`"]}`)
		m, _ := b.ok(200, "GET", "/chat/v1/messages", token, "").body["items"].([]any)[0].(map[string]any)
		return file(m, 0)
	}
	opened := b.ok(201, "POST", "/chat/v1/sessions", "", `{"site_key":"site_acme"}`)
	gone, token := opened.str("conversation_id"), opened.str("token")
	hers, theirs := shown(token), shown(b.session(`{"site_key":"site_acme"}`))

	eraser := erasure.New(b.log, command.NewLoop(b.log, command.Options{}), b.dir, failing{})
	m := command.Meta{ID: "erase", Actor: events.Actor{Type: events.ActorSystem}}
	if err := eraser.PurgeConversation(t.Context(), "acme", gone, m); !errors.Is(err, errAway) {
		t.Fatalf("files that could not be deleted are forgotten: %v", err)
	}
	recorded, err := b.log.Read(t.Context(), events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: gone}, 0)
	if err != nil || len(recorded) < 3 {
		t.Fatalf("the history by which the files are found is gone before them: %d events, %v", len(recorded), err)
	}
	eraser = erasure.New(b.log, command.NewLoop(b.log, command.Options{}), b.dir, files)
	if err := eraser.PurgeConversation(t.Context(), "acme", gone, m); err != nil {
		t.Fatal(err)
	}
	if status, got := follow(t, files, hers); status != 404 {
		t.Errorf("an erased file is there: %d %q", status, got)
	}
	if status, got := follow(t, files, theirs); status != 200 || got != "the same bytes" {
		t.Errorf("somebody else's file is not there: %d %q", status, got)
	}
	if a := b.do("POST", "/chat/v1/attachments", token, "once more"); a.str("code") != "session_erased" {
		t.Errorf("who was erased uploads: %d %s", a.status, a.raw)
	}
	if state, _, err := b.desk.State(t.Context(), "acme", gone); err != nil || !state.Erased {
		t.Errorf("%+v %v", state, err)
	}
}

var errAway = errors.New("the bucket is away")

type failing struct{}

func (failing) DeleteFolder(context.Context, string, string) error { return errAway }

// A file is kept with the conversation that it is said in, whichever of the visitor's that is and whoever they were when it
// began, and so its link works.
func TestAttachmentsOfAnyConversation(t *testing.T) {
	t.Parallel()
	var files *attachment.Files
	b := setup(t, withFiles(t, &files, &atomic.Int64{}))
	b.channel("acme", channel.RotateIdentitySecret{})
	anonymous := b.session(`{"site_key":"site_acme"}`)
	first := b.ok(201, "POST", "/chat/v1/messages", anonymous, `{"id":"m1","text":"one"}`).str("conversation_id")
	token := b.identified("u1", anonymous).str("token")
	sent := func(path, id, text, upload string) answer {
		t.Helper()
		return b.ok(201, "POST", path, token, `{"id":"`+id+`","text":"`+text+`","attachments":["`+upload+`"]}`)
	}
	if at := sent("/chat/v1/messages", "m2", "", b.upload(token, "a.txt", "hello")).str("conversation_id"); at != first {
		t.Errorf("a file for the present conversation went to %s, not to %s", at, first)
	}
	begin := b.upload(token, "b.txt&conversation_id=new", "world")
	second := sent("/chat/v1/conversations", "m3", "two", begin)
	if again := sent("/chat/v1/conversations", "m3", "two", b.upload(token, "b.txt&conversation_id=new", "world")); again.raw != second.raw {
		t.Errorf("a resend answers %s, first %s", again.raw, second.raw)
	}
	if again := sent("/chat/v1/messages", "m2", "", b.upload(token, "a.txt", "hello")); again.str("conversation_id") != first {
		t.Errorf("a resend answers %s", again.raw)
	}
	back := b.upload(token, "c.txt&conversation_id="+first, "again")
	if at := sent("/chat/v1/messages", "m4", "", back).str("conversation_id"); at != first {
		t.Errorf("a file for the first conversation went to %s", at)
	}
	for conversation, want := range map[string][]string{first: {"hello", "again"}, second.str("conversation_id"): {"world"}} {
		var got []string
		for _, m := range b.ok(200, "GET", "/chat/v1/messages?conversation_id="+conversation, token, "").body["items"].([]any) {
			if f := file(m.(map[string]any), 0); f != nil {
				status, body := follow(t, files, f)
				if status != 200 {
					t.Errorf("%s: the link gives %d %s", conversation, status, body)
				}
				got = append(got, body)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v", conversation, got, want)
		}
	}
	other := b.session(`{"site_key":"site_acme"}`)
	if a := b.do("POST", "/chat/v1/attachments?name=x&conversation_id="+first, other, "x"); a.status != 404 {
		t.Errorf("a file for somebody else's conversation: %d %s", a.status, a.raw)
	}
}

package attachment_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash/crc32"
	"image"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/attachment"
	"github.com/tidemark-desk/tidemark/internal/blob"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/internal/web"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// orgs is a directory of two orgs.
type orgs struct{}

func (orgs) Wait(context.Context) error { return nil }
func (orgs) Org(id string) (directory.Org, bool) {
	return directory.Org{ID: id}, id == "acme" || id == "other"
}

// bundle is Files on a real directory, behind a real server: POST /upload takes what is sent, GET /files/ answers links.
type bundle struct {
	t      *testing.T
	files  *attachment.Files
	store  blob.Store
	now    atomic.Int64
	exists func(ctx context.Context) error
	owner  attachment.Owner
	server *httptest.Server
}

func setup(t *testing.T, change ...func(d *attachment.Deps)) *bundle {
	t.Helper()
	store, err := blob.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{t: t, store: store, exists: func(context.Context) error { return nil }}
	b.owner = attachment.Owner{Org: "acme", Conversation: "c1", By: "visitor:v1"}
	b.now.Store(time.Date(2026, 1, 1, 12, 30, 0, 0, time.UTC).Unix())
	d := attachment.Deps{Store: store, Directory: orgs{}, Clock: func() time.Time { return time.Unix(b.now.Load(), 0) }}
	for _, c := range change {
		c(&d)
	}
	b.files = attachment.New(d)
	mux := http.NewServeMux()
	mux.Handle(attachment.Path, b.files.Handler())
	mux.HandleFunc("POST /upload", func(w http.ResponseWriter, r *http.Request) {
		u, err := b.files.Receive(w, r, b.owner, r.URL.Query().Get("name"), b.exists)
		if err != nil {
			web.WriteError(w, r, nil, err)
			return
		}
		_ = web.WriteJSON(w, http.StatusCreated, u)
	})
	b.server = httptest.NewServer(mux)
	t.Cleanup(b.server.Close)
	return b
}

func (b *bundle) after(d time.Duration) { b.now.Add(int64(d / time.Second)) }

type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) code() string {
	var p web.Problem
	_ = json.Unmarshal(a.body, &p)
	return p.Code
}

func (b *bundle) do(method, path string, body io.Reader, header ...string) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.server.URL+path, body)
	if err != nil {
		b.t.Fatal(err)
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
	return answer{res.StatusCode, res.Header, raw}
}

// upload keeps a file, and gives what a message would say of it.
func (b *bundle) upload(name string, body []byte) (attachment.Uploaded, events.Attachment) {
	b.t.Helper()
	a := b.do("POST", "/upload?name="+name, bytes.NewReader(body), "Content-Type", "text/html")
	var u attachment.Uploaded
	if err := json.Unmarshal(a.body, &u); err != nil || a.status != 201 {
		b.t.Fatalf("%s: %d %s", name, a.status, a.body)
	}
	files, err := b.files.Redeem(b.owner, []string{u.ID})
	if err != nil {
		b.t.Fatal(err)
	}
	return u, files[0]
}

// get follows the link of a file.
func (b *bundle) get(a events.Attachment) answer {
	b.t.Helper()
	return b.do("GET", b.files.Show("acme", "c1", []events.Attachment{a})[0].URL, nil)
}

func picture(w, h int) *image.Paletted {
	return image.NewPaletted(image.Rect(0, 0, w, h), palette.Plan9)
}

func encode(t *testing.T, write func(w io.Writer) error) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func pngOf(t *testing.T, w, h int) []byte {
	t.Helper()
	return encode(t, func(out io.Writer) error { return png.Encode(out, picture(w, h)) })
}

// hugePNG is a small file that says it is an image of many pixels.
func hugePNG(t *testing.T, w, h uint32) []byte {
	t.Helper()
	raw := pngOf(t, 1, 1)
	header := raw[12:29] // IHDR and what it says
	for n, v := range []uint32{w, h} {
		for i := range 4 {
			header[4+4*n+i] = byte(v >> (24 - 8*i))
		}
	}
	sum := crc32.ChecksumIEEE(header)
	for i := range 4 {
		raw[29+i] = byte(sum >> (24 - 8*i))
	}
	return raw
}

// A webp of one pixel; nothing in Go writes one.
const webp = "UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=="

func TestWhatAFileIs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	onePixel, err := base64.StdEncoding.DecodeString(webp)
	if err != nil {
		t.Fatal(err)
	}
	photo := pngOf(t, 40, 30)
	for name, c := range map[string]struct {
		body  []byte
		typ   string
		shown bool // to a browser, as the image that it is
	}{
		"a.png":                    {photo, "image/png", true},
		"a.gif":                    {encode(t, func(w io.Writer) error { return gif.Encode(w, picture(40, 30), nil) }), "image/gif", true},
		"a.jpg":                    {encode(t, func(w io.Writer) error { return jpeg.Encode(w, picture(40, 30), nil) }), "image/jpeg", true},
		"a.webp":                   {onePixel, "image/webp", true},
		"polyglot.png":             {append(bytes.Clone(photo), "<script>alert(1)</script>"...), "image/png", true}, // all bytes are an image's, and nobody runs them
		"cut.png":                  {photo[:len(photo)-20], "image/png", false},
		"bomb.png":                 {hugePNG(t, 60_000, 60_000), "image/png", false},
		"overflow.png":             {hugePNG(t, 1<<31-1, 1<<31-1), "image/png", false},
		"page.png":                 {[]byte("<!DOCTYPE html><script>alert(1)</script>"), "text/html", false},
		"picture.svg":              {[]byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`), "image/svg+xml", false},
		"gifar.gif":                {[]byte("GIF89a/*<script>*/=alert(1);//"), "image/gif", false},
		"a.pdf":                    {[]byte("%PDF-1.7\n"), "application/pdf", false},
		"a.txt":                    {[]byte("hello"), "text/plain", false},
		"a.exe":                    {[]byte("MZ\x90\x00"), "", false},
		"zeros.bin":                {make([]byte, 1000), "application/octet-stream", false},
		"as large as possible.bin": {make([]byte, attachment.MaxSize), "application/octet-stream", false},
	} {
		u, a := b.upload(strings.ReplaceAll(name, " ", "%20"), c.body)
		sum := sha256.Sum256(c.body)
		if a.ID != hex.EncodeToString(sum[:]) || a.Name != name || a.Size != len(c.body) || c.typ != "" && a.Type != c.typ {
			t.Errorf("%s: %+v", name, a)
		}
		if (u.Width > 0) != c.shown || u.Name != a.Name || u.Type != a.Type || u.Size != a.Size || u.Width != a.Width || u.Height != a.Height {
			t.Errorf("%s: answered with %+v, kept as %+v", name, u, a)
		}
		got := b.get(a)
		wantType, wantDisposition := "application/octet-stream", "attachment;"
		if c.shown {
			wantType, wantDisposition = c.typ, "inline;"
		}
		if got.status != 200 || !bytes.Equal(got.body, c.body) || got.header.Get("Content-Type") != wantType || !strings.HasPrefix(got.header.Get("Content-Disposition"), wantDisposition) {
			t.Errorf("%s: %d, %d bytes, %v", name, got.status, len(got.body), got.header)
		}
		if got.header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(got.header.Get("Content-Security-Policy"), "sandbox") ||
			!strings.Contains(got.header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: a browser may do more with it than it should: %v", name, got.header)
		}
	}
}

func TestHostileNames(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, want := range map[string]string{
		"..%2F..%2Fetc%2Fpasswd":            `attachment; filename=passwd`,
		"a%22%3B%20filename%3Dx.html":       `attachment; filename="a_; filename=x.html"`,
		"a%0D%0ASet-Cookie%3A%20x%3D1.txt":  `attachment; filename="a  Set-Cookie_ x=1.txt"`,
		"cod.%E2%80%AEgnp.exe":              `attachment; filename=cod.gnp.exe`,
		"Zo%C3%AB.txt":                      `attachment; filename*=utf-8''Zo%C3%AB.txt`,
		"":                                  `attachment; filename=file`,
		"%FF%00":                            `attachment; filename*=utf-8''%EF%BF%BD`,
		strings.Repeat("%F0%9F%90%9F", 999): `attachment; filename*=utf-8''` + strings.Repeat("%F0%9F%90%9F", 200),
	} {
		_, a := b.upload(name, []byte("text of "+name))
		got := b.get(a)
		if got.status != 200 || got.header.Get("Content-Disposition") != want || len(got.header.Values("Set-Cookie")) != 0 {
			t.Errorf("%s: %d %v", name, got.status, got.header)
		}
	}
}

func TestRefusedUploads(t *testing.T) {
	t.Parallel()
	b := setup(t)
	large := make([]byte, attachment.MaxSize+1)
	for name, c := range map[string]struct {
		body   io.Reader
		header []string
		status int
		code   string
	}{
		"too large, and says so":   {bytes.NewReader(large), nil, 413, "attachment_too_large"},
		"too large, without a say": {io.MultiReader(bytes.NewReader(large)), nil, 413, "attachment_too_large"},
		"empty":                    {strings.NewReader(""), nil, 422, "validation_failed"},
		"compressed":               {strings.NewReader("x"), []string{"Content-Encoding", "gzip"}, 415, "unsupported_media_type"},
	} {
		if a := b.do("POST", "/upload", c.body, c.header...); a.status != c.status || a.code() != c.code {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// A body that does not come is cut off.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	b := setup(t, func(d *attachment.Deps) { d.Slowest = 50 * time.Millisecond })
	body, writer := io.Pipe()
	defer writer.Close()
	go func() { _, _ = writer.Write([]byte("a little, and then no more")) }()
	if a := b.do("POST", "/upload", body); a.status != 408 || a.code() != "body_timeout" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// An upload is of one visitor, for one conversation, of one org, for a day.
func TestTickets(t *testing.T) {
	t.Parallel()
	b := setup(t)
	u, a := b.upload("a.txt", []byte("hello"))
	for name, o := range map[string]attachment.Owner{
		"another org":          {Org: "other", Conversation: "c1", By: "visitor:v1"},
		"another conversation": {Org: "acme", Conversation: "c2", By: "visitor:v1"},
		"another visitor":      {Org: "acme", Conversation: "c1", By: "visitor:v2"},
		"the desk":             {Org: "acme", Conversation: "c1", By: "desk"},
	} {
		if files, err := b.files.Redeem(o, []string{u.ID}); !errors.Is(err, attachment.ErrUnknown) || files != nil {
			t.Errorf("%s: %v %v", name, files, err)
		}
	}
	token := strings.TrimPrefix(b.files.Show("acme", "c1", []events.Attachment{a})[0].URL, attachment.Path)
	for name, id := range map[string]string{
		"empty":            "",
		"a hash":           a.ID,
		"a link":           token,
		"a link in guise":  "tdmf1_" + strings.TrimPrefix(token, "tdml1_"),
		"no signature":     strings.Split(u.ID, ".")[0],
		"a bit less":       u.ID[:len(u.ID)-1],
		"a bit more":       u.ID + "A",
		"larger than ever": u.ID + strings.Repeat("A", 5000),
	} {
		if files, err := b.files.Redeem(b.owner, []string{u.ID, id}); !errors.Is(err, attachment.ErrUnknown) || files != nil {
			t.Errorf("%s: %v %v", name, files, err)
		}
	}
	b.after(24 * time.Hour)
	if files, err := b.files.Redeem(b.owner, []string{u.ID}); !errors.Is(err, attachment.ErrExpired) || len(files) != 1 || files[0] != a {
		t.Errorf("a day later: %v %v", files, err)
	}
}

// A link is of one file, for some hours, and nothing of it can be changed.
func TestLinks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	u, a := b.upload("a.txt", []byte("hello"))
	url := b.files.Show("acme", "c1", []events.Attachment{a})[0].URL
	b.after(time.Minute)
	if again := b.files.Show("acme", "c1", []events.Attachment{a})[0].URL; again != url {
		t.Error("a browser loads the file again with each reading")
	}
	if got := b.do("GET", url, nil); got.status != 200 || !strings.HasPrefix(got.header.Get("Cache-Control"), "private,") {
		t.Errorf("%d %v", got.status, got.header)
	}
	if got := b.do("GET", url, nil, "Origin", "https://shop.example"); got.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("the page of a widget could not show it: %v", got.header)
	}
	if got := b.do("GET", url, nil, "Range", "bytes=1-2"); got.status != 206 || string(got.body) != "el" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := b.do("HEAD", url, nil); got.status != 200 || got.header.Get("Content-Length") != "5" {
		t.Errorf("%d %v", got.status, got.header)
	}
	if got := b.do("POST", url, nil); got.status != 405 || got.code() != "method_not_allowed" {
		t.Errorf("%d %s", got.status, got.body)
	}
	forged := func(from string) string {
		payload, signature, _ := strings.Cut(strings.TrimPrefix(from, attachment.Path+"tdml1_"), ".")
		raw, err := base64.RawURLEncoding.DecodeString(payload)
		if err != nil {
			t.Fatal(err)
		}
		raw = bytes.Replace(raw, []byte(`"f":"c1"`), []byte(`"f":"c2"`), 1)
		return attachment.Path + "tdml1_" + base64.RawURLEncoding.EncodeToString(raw) + "." + signature
	}
	for name, bad := range map[string]string{
		"a ticket":          attachment.Path + u.ID,
		"a ticket in guise": attachment.Path + "tdml1_" + strings.TrimPrefix(u.ID, "tdmf1_"),
		"a hash":            attachment.Path + a.ID,
		"another folder":    forged(url),
		"a bit off":         url[:len(url)-2] + "AA",
		"of nobody":         strings.Replace(url, "tdml1_", "tdml2_", 1),
	} {
		if got := b.do("GET", bad, nil); got.status != 403 || got.code() != "link_invalid" {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	elsewhere := b.files.Show("other", "c1", []events.Attachment{a})[0].URL // whoever could have it made: there is no such file
	if got := b.do("GET", elsewhere, nil); got.status != 404 || got.code() != "file_not_found" {
		t.Errorf("the file of another org: %d %s", got.status, got.body)
	}
	if err := b.files.DeleteFolder(t.Context(), "acme", "c1"); err != nil {
		t.Fatal(err)
	}
	if got := b.do("GET", url, nil); got.status != 404 || got.code() != "file_not_found" {
		t.Errorf("what was deleted: %d %s", got.status, got.body)
	}
	b.after(2 * time.Hour)
	if got := b.do("GET", url, nil); got.status != 403 || got.code() != "link_invalid" {
		t.Errorf("two hours later: %d %s", got.status, got.body)
	}
}

// An erasure that passes while a file is on its way does not miss it.
func TestUploadDuringErasure(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exists = func(ctx context.Context) error {
		file, err := b.store.Open(ctx, keyOf("hello"))
		if err != nil {
			t.Errorf("asked before the file is there: %v", err)
		} else {
			_ = file.Close()
		}
		return fault.New(fault.NotFound, "conversation_erased", "erased")
	}
	if a := b.do("POST", "/upload", strings.NewReader("hello")); a.status != 404 || a.code() != "conversation_erased" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if _, err := b.store.Open(t.Context(), keyOf("hello")); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("the file is still there: %v", err)
	}
	b.exists = func(context.Context) error { return fault.New(fault.Unavailable, "log_unavailable", "away") }
	if a := b.do("POST", "/upload", strings.NewReader("hello")); a.status != 503 || a.code() != "log_unavailable" {
		t.Errorf("%d %s", a.status, a.body)
	}
	file, err := b.store.Open(t.Context(), keyOf("hello"))
	if err != nil {
		t.Fatalf("a file was deleted although nobody knows of an erasure: %v", err)
	}
	_ = file.Close()
}

func keyOf(body string) blob.Key {
	sum := sha256.Sum256([]byte(body))
	return blob.Key{Folder: blob.Folder{Org: "acme", ID: "c1"}, Hash: hex.EncodeToString(sum[:])}
}

// broken is a store that is away.
type broken struct{ blob.Store }

func (broken) Put(context.Context, blob.Key, io.Reader, int64) error {
	return errors.New("disk full at /secret")
}

func (broken) Open(context.Context, blob.Key) (io.ReadSeekCloser, error) {
	return nil, errors.New("away at /secret")
}

func TestStoreAway(t *testing.T) {
	t.Parallel()
	b := setup(t, func(d *attachment.Deps) { d.Store = broken{} })
	a := b.do("POST", "/upload", strings.NewReader("hello"))
	if a.status != 503 || a.code() != "files_unavailable" || strings.Contains(string(a.body), "secret") {
		t.Errorf("%d %s", a.status, a.body)
	}
	a = b.get(events.Attachment{ID: keyOf("hello").Hash, Name: "a"})
	if a.status != 503 || a.code() != "files_unavailable" || strings.Contains(string(a.body), "secret") || a.header.Get("Content-Disposition") != "" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

package widget_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/services/chat/widget"
)

// answer is what the widget's handlers say.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func get(t *testing.T, path string, header ...string) answer {
	t.Helper()
	mux := http.NewServeMux()
	widget.Mount(mux)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return answer{status: w.Code, header: w.Header(), body: w.Body.Bytes()}
}

// The promise to the sites: what a visitor's browser fetches is small.
func TestTheScriptIsSmall(t *testing.T) {
	t.Parallel()
	r := get(t, widget.Path, "Accept-Encoding", "br, gzip")
	sent := r.body
	if r.header.Get("Content-Encoding") != "gzip" || len(sent) > 30<<10 {
		t.Errorf("%d bytes, encoded as %q; the promise is 30 KiB", len(sent), r.header.Get("Content-Encoding"))
	}
	z, err := gzip.NewReader(bytes.NewReader(sent))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile("widget.js")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(whole, committed) {
		t.Error("what is sent is not what is committed")
	}
	if plain := get(t, widget.Path, "Accept-Encoding", "gzip;q=0").body; !bytes.Equal(plain, committed) {
		t.Error("who takes no gzip does not get it plain")
	}
}

// The short name is asked for again soon, and costs nothing then; the versioned one never is.
func TestCaching(t *testing.T) {
	t.Parallel()
	short := get(t, widget.Path)
	if c := short.header.Get("Cache-Control"); !strings.Contains(c, "max-age=300") || strings.Contains(c, "immutable") {
		t.Errorf("the short name may be kept for %q", c)
	}
	if again := get(t, widget.Path, "If-None-Match", short.header.Get("ETag")); again.status != http.StatusNotModified {
		t.Errorf("asking again gives %d", again.status)
	}
	if other := get(t, widget.Path, "Accept-Encoding", "gzip"); other.header.Get("ETag") == short.header.Get("ETag") || other.header.Get("Vary") != "Accept-Encoding" {
		t.Error("a cache could take one encoding for the other")
	}
	versioned := get(t, widget.VersionedPath())
	if c := versioned.header.Get("Cache-Control"); versioned.status != http.StatusOK || !strings.Contains(c, "immutable") {
		t.Errorf("%s: %d, %q", widget.VersionedPath(), versioned.status, c)
	}
	old := get(t, "/chat/widget/0123456789abcdef.js")
	if c := old.header.Get("Cache-Control"); old.status != http.StatusNotFound || c != "no-store" {
		t.Errorf("a version that is not here: %d, %q", old.status, c)
	}
}

// A page on another origin can demand that the script is the one that it knows.
func TestIntegrity(t *testing.T) {
	t.Parallel()
	r := get(t, widget.VersionedPath())
	sum := sha512.Sum384(r.body)
	if want := "sha384-" + base64.StdEncoding.EncodeToString(sum[:]); widget.Integrity() != want {
		t.Errorf("%s is told, %s it is", widget.Integrity(), want)
	}
	if r.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Error("no other origin could check it")
	}
	tag := widget.Tag("https://desk.example", `k"><script>`, true)
	if !strings.Contains(tag, widget.Integrity()) || !strings.Contains(tag, widget.Version()) || strings.Contains(tag, `"><script>`) {
		t.Error(tag)
	}
}

// The demo page is there only while it is on.
func TestTheDemoPageCanBeOff(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{true, false} {
		mux := http.NewServeMux()
		widget.MountDemo(mux, func() bool { return on })
		for _, path := range []string{widget.DemoPath, widget.DemoPath + "demo.css"} {
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
			if got := w.Code == http.StatusOK; got != on {
				t.Errorf("on is %v, and %s gives %d", on, path, w.Code)
			}
			if on && !strings.HasPrefix(w.Header().Get("Content-Security-Policy"), "default-src 'none'; ") {
				t.Errorf("%s has the policy %q", path, w.Header().Get("Content-Security-Policy"))
			}
		}
	}
}

// Package widget is the chat on a site's pages: one script, which a page loads from the desk with one tag. It is written
// in TypeScript (src/), made into one file by bundle/, and embedded.
//
// It speaks to the desk through /chat/v1 alone, as any other client could. This package only hands the script out: under
// a short name that always has the newest, and under a name with its version in it, whose content never changes.
package widget

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	_ "embed" // for widget.js
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tidemark-desk/tidemark/internal/web"
)

//go:generate go run ./bundle src widget.js

//go:embed widget.js
var script []byte

// The paths of the script.
const (
	Path          = "/chat/widget.js"
	versionedPath = "/chat/widget/{file}"
)

// How long browsers keep the script. The short name's is short, so that a new version is soon everywhere; in between it
// costs a visitor one question without an answer's body.
const (
	newest    = "public, max-age=300, stale-while-revalidate=86400"
	immutable = "public, max-age=31536000, immutable"
)

// Version names the script by its content.
var Version = sync.OnceValue(func() string {
	sum := sha256.Sum256(script)
	return hex.EncodeToString(sum[:8])
})

// Integrity is what a page may demand of the script (subresource integrity).
var Integrity = sync.OnceValue(func() string {
	sum := sha512.Sum384(script)
	return "sha384-" + base64.StdEncoding.EncodeToString(sum[:])
})

var small = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(script)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
})

// VersionedPath is where this version of the script is, and no other ever.
func VersionedPath() string { return "/chat/widget/" + Version() + ".js" }

// Tag is the element that puts the widget on a page: the newest version, or only this one.
func Tag(server, siteKey string, pinned bool) string {
	if pinned {
		return fmt.Sprintf(`<script async src="%s" integrity="%s" crossorigin="anonymous" data-site-key="%s"></script>`,
			html.EscapeString(server+VersionedPath()), Integrity(), html.EscapeString(siteKey))
	}
	return fmt.Sprintf(`<script async src="%s" data-site-key="%s"></script>`, html.EscapeString(server+Path), html.EscapeString(siteKey))
}

// Mount hands the script out.
func Mount(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Path, func(w http.ResponseWriter, r *http.Request) { serve(w, r, newest) })
	mux.HandleFunc("GET "+versionedPath, func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("file") != Version()+".js" {
			w.Header().Set("Cache-Control", "no-store") // another server of this desk may have it already
			w.Header().Set("Access-Control-Allow-Origin", "*")
			web.WriteError(w, r, nil, web.ErrNoRoute)
			return
		}
		serve(w, r, immutable)
	})
}

func serve(w http.ResponseWriter, r *http.Request, cache string) {
	h := w.Header()
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Cache-Control", cache)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Access-Control-Allow-Origin", "*") // integrity is checked of what may be read
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Timing-Allow-Origin", "*")
	h.Add("Vary", "Accept-Encoding")
	body, tag := script, `"`+Version()+`"`
	if acceptsGzip(r) {
		body, tag = small(), `"`+Version()+`-gzip"`
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", tag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q := strings.TrimPrefix(strings.ReplaceAll(quality, " ", ""), "q=")
			return strings.Trim(q, "0.") != "" || q == ""
		}
	}
	return false
}

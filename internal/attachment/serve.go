package attachment

import (
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/tidemark-desk/tidemark/internal/blob"
	"github.com/tidemark-desk/tidemark/internal/web"
)

// Path is what every link begins with.
const Path = "/files/"

// Handler answers links. Whoever has one may read the file; it says itself when that ends. A browser shows nothing but
// images that were decoded when they came, and treats anything else as bytes to be saved.
func (f *Files) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path+"{token}", func(w http.ResponseWriter, r *http.Request) {
		if err := f.serve(w, r); err != nil {
			web.WriteError(w, r, f.Logger, err)
		}
	})
	return web.Recover(f.Logger, web.Routes(mux))
}

func (f *Files) serve(w http.ResponseWriter, r *http.Request) error {
	if err := f.ready(r.Context()); err != nil {
		return err
	}
	l, ok := verify[link](linkPrefix, r.PathValue("token"), func(org string) ([]byte, bool) { return f.key(org, linkPurpose) })
	left := time.Unix(l.Expires, 0).Sub(f.Clock())
	if !ok || left <= 0 {
		return ErrLinkInvalid
	}
	o := Owner{Org: l.Org, Conversation: l.Folder}
	file, err := f.Store.Open(r.Context(), blob.Key{Folder: o.folder(), Hash: l.Hash})
	if err != nil {
		if blob.ErrNotFound.Is(err) {
			return err
		}
		return f.away(r.Context(), "a file was not read", o, err)
	}
	defer file.Close()
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	disposition := "attachment"
	if shown(l.Type) {
		h.Set("Content-Type", l.Type)
		disposition = "inline"
	}
	h.Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": l.Name}))
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin") // a widget stands on somebody else's page
	h.Set("Access-Control-Allow-Origin", "*")             // and paints images; whoever has the link may read the file anyway
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "private, immutable, max-age="+strconv.Itoa(int(left.Seconds())))
	h.Set("ETag", `"`+l.Hash+`"`)
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(f.Slowest)) // not every writer has one; those of servers do
	defer control.SetWriteDeadline(time.Time{})             //nolint:errcheck // the same
	http.ServeContent(w, r, "", time.Time{}, file)
	return nil
}

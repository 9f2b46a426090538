package widget

import (
	"embed"
	"io/fs"
	"net/http"

	"github.com/tidemark-desk/tidemark/internal/web"
)

//go:embed demo
var demoFiles embed.FS

// DemoPath is where the page is that shows the widget.
const DemoPath = "/demo/"

// demoPolicy is as strict as a page's policy can be, to show that the widget needs no more: scripts and requests of this
// server, nothing inline, and no text that becomes HTML.
const demoPolicy = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// MountDemo serves the demo page while on says so: it is for the org of a first start, not for a desk in earnest.
func MountDemo(mux *http.ServeMux, on func() bool) {
	files, err := fs.Sub(demoFiles, "demo")
	if err != nil {
		panic(err) // the name is a constant
	}
	pages := http.StripPrefix(DemoPath, http.FileServerFS(files))
	mux.HandleFunc("GET "+DemoPath, func(w http.ResponseWriter, r *http.Request) {
		if !on() {
			web.WriteError(w, r, nil, web.ErrNoRoute)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", demoPolicy)
		h.Set("Cache-Control", "no-cache")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		pages.ServeHTTP(w, r)
	})
}

package api

import (
	_ "embed"
	"encoding/json"
	"html"
	"net/http"
	"strings"

	"github.com/tidemark-desk/tidemark/docs"
)

// docsPage renders /openapi.json by itself: it needs nothing from other hosts.
//
//go:embed docs.html
var docsPage []byte

// writeSpec renders the OpenAPI document once: it does not change while the process runs.
func (s *Service) writeSpec() error {
	spec, err := json.Marshal(s.api.OpenAPI())
	s.spec = spec
	return err
}

func (s *Service) serveSpec(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/openapi+json")
	_, _ = w.Write(s.spec)
}

func servePage(w http.ResponseWriter, page []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(page)
}

func serveDocs(w http.ResponseWriter, _ *http.Request) { servePage(w, docsPage) }

// serveErrors shows the table of codes, each under its own name so that a problem's type leads to it.
func serveErrors(w http.ResponseWriter, _ *http.Request) {
	var b strings.Builder
	b.WriteString(`<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Tidemark errors</title>` +
		`<style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}` +
		`td{padding:.3rem .8rem .3rem 0;vertical-align:top}tr:target{outline:2px solid}</style><h1>Errors</h1><table>`)
	for line := range strings.Lines(docs.Errors) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		code := strings.Trim(cells[0], " `")
		if len(cells) != 4 || !strings.HasPrefix(strings.TrimSpace(cells[0]), "`") {
			continue
		}
		b.WriteString(`<tr id="` + html.EscapeString(code) + `"><td><code>` + html.EscapeString(code) + "</code>")
		for _, cell := range cells[1:] {
			b.WriteString("<td>" + html.EscapeString(strings.ReplaceAll(strings.TrimSpace(cell), "`", "")))
		}
	}
	b.WriteString("</table>")
	servePage(w, []byte(b.String()))
}

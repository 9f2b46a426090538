package chat

import (
	"net/http"
	"slices"

	"github.com/tidemark-desk/tidemark/internal/directory"
)

// crossOrigin lets pages of other origins call: a widget always stands on somebody else's page. Which origins a
// channel takes is checked once the channel is known; no cookie is ever used, so there is nothing else to guard.
func (s *Service) crossOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		if origin := r.Header.Get("Origin"); origin != "" {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", "Tidemark-Position, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset")
		}
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Last-Event-ID")
			h.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// allowed tells whether a page of this origin may use the channel. A request without an origin comes from no page:
// an app or a server, which could claim any.
func allowed(c directory.Channel, origin string) bool {
	return origin == "" || len(c.Origins) == 0 || slices.Contains(c.Origins, origin)
}

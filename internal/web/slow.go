package web

import (
	"net/http"
	"time"
)

// BodyTimeout is how long a body may take to arrive, unless it is a file.
const BodyTimeout = 10 * time.Second

// rest is how long what nobody has read of a body is waited for once the request is answered.
const rest = time.Second

// CutOff ends the connection of whoever sends a body that is not there in time, whether it is wanted or not: a server would
// read what is left of it for as long as it dribbles, also after a refusal, and before one is sent. CheckRequest lifts the
// limit once it has the whole body; who reads another sets their own.
//
// It must be before everything that may answer.
func CutOff(next http.Handler, within time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		control := http.NewResponseController(w)
		_ = control.SetReadDeadline(time.Now().Add(within)) // not every writer has one; those of servers do
		next.ServeHTTP(w, r)
		_ = control.SetReadDeadline(time.Now().Add(min(rest, within)))
	})
}

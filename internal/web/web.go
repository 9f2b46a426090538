// Package web is what every HTTP face of Tidemark shares: errors as RFC 9457 problems, the checks that a request
// body must pass before anybody decodes it, rate limits, server-sent events, health and readiness.
//
// It translates internal/fault to HTTP in one place (problem.go) and lists every code that a caller can meet
// (codes.go). It must not know about any resource, key or session: who is asking is for the services to say.
package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
)

// Recover answers a panic of next with the problem "internal" and logs it with its stack. A handler that had
// already begun its answer is cut off, so that nobody takes half an answer for a whole one.
func Recover(logger *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := &tracker{ResponseWriter: w}
		defer t.rescue(r, logger)
		next.ServeHTTP(t, r)
	})
}

// tracker remembers whether an answer has begun.
type tracker struct {
	http.ResponseWriter
	began bool
}

func (t *tracker) WriteHeader(status int) {
	t.began = true
	t.ResponseWriter.WriteHeader(status)
}

func (t *tracker) Write(b []byte) (int, error) {
	t.began = true
	return t.ResponseWriter.Write(b) //nolint:wrapcheck // the writer is passed through as it is
}

// rescue is deferred: it answers for a handler that panicked.
func (t *tracker) rescue(r *http.Request, logger *slog.Logger) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler { //nolint:errorlint // net/http compares this very value
		panic(cause)
	}
	logPanic(r.Context(), logger, r.Method, r.Pattern, cause)
	if t.began {
		panic(http.ErrAbortHandler)
	}
	WriteProblem(t.ResponseWriter, internalProblem())
}

// logPanic must be called in the goroutine that panicked.
func logPanic(ctx context.Context, logger *slog.Logger, method, route string, cause any) {
	logger.ErrorContext(ctx, "handler panicked",
		"method", method, "route", route, "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
}

// Unwrap lets http.ResponseController find the connection.
func (t *tracker) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// Routes serves mux, with problems in place of its plain-text answers for unknown paths and methods.
func Routes(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		miss := &discard{header: http.Header{}}
		h.ServeHTTP(miss, r)
		if miss.status == http.StatusMethodNotAllowed {
			w.Header()["Allow"] = miss.header["Allow"]
			WriteError(w, r, nil, ErrMethodNotAllowed)
			return
		}
		WriteError(w, r, nil, ErrNoRoute)
	})
}

// discard keeps only the status and the headers of an answer.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }

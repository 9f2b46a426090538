package web

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Streams are the open streams of a service. They end together, so that the server can stop.
type Streams struct {
	heartbeat time.Duration
	logger    *slog.Logger

	mu     sync.Mutex
	open   map[*Stream]context.CancelCauseFunc
	served sync.WaitGroup
	closed bool
}

// NewStreams makes an empty set. A heartbeat of zero means the default.
func NewStreams(logger *slog.Logger, heartbeat time.Duration) *Streams {
	return &Streams{heartbeat: heartbeat, logger: logger, open: map[*Stream]context.CancelCauseFunc{}}
}

// Serve opens a stream and lets tail write to it until tail returns, the client leaves, Close is called, or allowed has
// an error; tail's context ends then. allowed is asked before each event and with each heartbeat, because a stream
// outlives whatever its request was let in for; its client comes back and is told why. Serve returns an error only when
// nothing was answered yet: one of tail is logged. over, which may be nil, is called when all of it is over, also when it
// never came to tail.
//
// Where it can it takes the connection from net/http and returns at once, and tail goes on in a goroutine of its own:
// neither of them may use w or r, whose request is over then.
func (s *Streams) Serve(w http.ResponseWriter, r *http.Request, allowed func() error, tail func(ctx context.Context, out *Stream) error, over func()) error {
	if over == nil {
		over = func() {}
	}
	if !s.enter() {
		over()
		return ErrStopping
	}
	describe(w.Header())
	if conn := takeOver(w, r); conn != nil {
		// Of the request's own context nothing is needed, and it would keep all that the request had.
		s.goOn(context.Background(), conn, r.Pattern, allowed, tail, over) //nolint:contextcheck,forbidigo // see above
		return nil
	}
	defer s.served.Done()
	defer over()
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	out, err := OpenStream(w, s.heartbeat)
	if err != nil {
		return err
	}
	s.serve(ctx, cancel, out, r.Pattern, allowed, tail)
	return nil
}

// goOn serves a connection that was taken over, and lets go of all else that its request had.
func (s *Streams) goOn(ctx context.Context, conn *connection, route string, allowed func() error, tail func(ctx context.Context, out *Stream) error, over func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	s.served.Go(func() { conn.watch(func() { cancel(nil) }) })
	go func() {
		defer s.served.Done()
		defer over()
		defer cancel(nil)
		defer func() {
			if cause := recover(); cause != nil {
				logPanic(ctx, s.logger, http.MethodGet, route, cause)
				_ = conn.Close() // without an end: nobody takes it for a whole answer
				return
			}
			conn.end()
		}()
		if out, err := beginStream(conn, s.heartbeat); err == nil { // otherwise the client has left
			s.serve(ctx, cancel, out, route, allowed, tail)
		}
	}()
}

func (s *Streams) serve(ctx context.Context, cancel context.CancelCauseFunc, out *Stream, route string, allowed func() error, tail func(ctx context.Context, out *Stream) error) {
	defer out.Close()
	out.guard(allowed, cancel)
	s.keep(out, cancel)
	defer s.drop(out)
	err := tail(ctx, out)
	out.Release()
	switch {
	case errors.Is(context.Cause(ctx), ErrStopping):
		out.comeBack()
	case err != nil && ctx.Err() == nil && !out.broken():
		s.logger.WarnContext(ctx, "a stream ended before its time", "route", route, "error", err)
	}
}

// enter counts one who is served, unless the streams were closed.
func (s *Streams) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.served.Add(1)
	return true
}

func (s *Streams) keep(out *Stream, cancel context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[out] = cancel
	if s.closed { // between enter and here
		cancel(ErrStopping)
	}
}

func (s *Streams) drop(out *Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, out)
}

// Close ends all streams, waits for them, and lets no new ones in.
func (s *Streams) Close() {
	s.mu.Lock()
	s.closed = true
	for _, cancel := range s.open {
		cancel(ErrStopping)
	}
	s.mu.Unlock()
	s.served.Wait()
}

// comeBack tells the client when to connect again: spread over some seconds, so that not all come at once. Browsers do
// as retry says; other clients hear it as an event.
func (s *Stream) comeBack() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	pause := 500 + rand.Int64N(4500) //nolint:gosec // spreads load, guards nothing
	s.retry(time.Duration(pause) * time.Millisecond)
	s.buf.WriteString("event: reconnect\ndata: {\"after_ms\":" + strconv.FormatInt(pause, 10) + "}\n\n")
	_ = s.flush()
}

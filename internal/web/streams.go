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
// nothing was answered yet: one of tail is logged.
func (s *Streams) Serve(w http.ResponseWriter, r *http.Request, allowed func() error, tail func(ctx context.Context, out *Stream) error) error {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	if !s.enter() {
		return ErrStopping
	}
	defer s.served.Done()
	out, err := OpenStream(w, s.heartbeat)
	if err != nil {
		return err
	}
	defer out.Close()
	out.guard(allowed, cancel)
	s.keep(out, cancel)
	defer s.drop(out)
	err = tail(ctx, out)
	out.Release()
	switch {
	case errors.Is(context.Cause(ctx), ErrStopping):
		out.comeBack()
	case err != nil && ctx.Err() == nil && !out.broken():
		s.logger.WarnContext(r.Context(), "a stream ended before its time", "route", r.Pattern, "error", err)
	}
	return nil
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

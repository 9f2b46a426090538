package web

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Streams are the open streams of a service. They end together, so that the server can stop.
type Streams struct {
	heartbeat time.Duration
	logger    *slog.Logger

	mu     sync.Mutex
	open   sync.WaitGroup
	closed bool
	stop   chan struct{}
}

// NewStreams makes an empty set. A heartbeat of zero means the default.
func NewStreams(logger *slog.Logger, heartbeat time.Duration) *Streams {
	return &Streams{heartbeat: heartbeat, logger: logger, stop: make(chan struct{})}
}

// Serve opens a stream and lets tail write to it until tail returns, the client leaves, Close is called, or allowed has
// an error; tail's context ends then. allowed is asked before each event and with each heartbeat, because a stream
// outlives whatever its request was let in for; its client comes back and is told why. Serve returns an error only when
// nothing was answered yet: one of tail is logged.
func (s *Streams) Serve(w http.ResponseWriter, r *http.Request, allowed func() error, tail func(ctx context.Context, out *Stream) error) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrStopping
	}
	s.open.Add(1)
	s.mu.Unlock()
	defer s.open.Done()

	out, err := OpenStream(w, s.heartbeat)
	if err != nil {
		return err
	}
	defer out.Close()
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	out.guard(allowed, cancel)
	unwatch := make(chan struct{})
	defer close(unwatch)
	go func() {
		select {
		case <-s.stop:
			cancel(ErrStopping)
		case <-unwatch:
		}
	}()
	err = tail(ctx, out)
	switch {
	case errors.Is(context.Cause(ctx), ErrStopping):
		out.comeBack()
	case err != nil && ctx.Err() == nil && !out.broken():
		s.logger.WarnContext(r.Context(), "a stream ended before its time", "route", r.Pattern, "error", err)
	}
	return nil
}

// Close ends all streams, waits for them, and lets no new ones in.
func (s *Streams) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.stop)
	}
	s.mu.Unlock()
	s.open.Wait()
}

// comeBack tells the client when to connect again: spread over some seconds, so that not all come at once.
func (s *Stream) comeBack() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	pause := 500 + rand.Int64N(4500) //nolint:gosec // spreads load, guards nothing
	s.retry(time.Duration(pause) * time.Millisecond)
	_ = s.flush()
}

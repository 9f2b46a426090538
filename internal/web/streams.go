package web

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Streams are the open streams of a service. They end together, so that the server can stop.
type Streams struct {
	heartbeat time.Duration

	mu     sync.Mutex
	open   sync.WaitGroup
	closed bool
	stop   chan struct{}
}

// NewStreams makes an empty set. A heartbeat of zero means the default.
func NewStreams(heartbeat time.Duration) *Streams {
	return &Streams{heartbeat: heartbeat, stop: make(chan struct{})}
}

// Serve opens a stream and lets tail write to it until tail returns, the client leaves or Close is called; tail's
// context ends then. It returns an error only when nothing was answered yet.
func (s *Streams) Serve(w http.ResponseWriter, r *http.Request, tail func(ctx context.Context, out *Stream) error) error {
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
	unwatch := make(chan struct{})
	defer close(unwatch)
	go func() {
		select {
		case <-s.stop:
			cancel(ErrStopping)
		case <-unwatch:
		}
	}()
	if err := tail(ctx, out); err != nil && errors.Is(context.Cause(ctx), ErrStopping) {
		out.comeBack()
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

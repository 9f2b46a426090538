package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tidemark-desk/tidemark/internal/postgres"
)

// embedded starts the private database beside everything else, and tells who waits where it is.
type embedded struct {
	config  postgres.Config
	started chan struct{} // closed once server is set

	mu     sync.Mutex
	server *postgres.Server
	err    error
}

func newEmbedded(c postgres.Config) *embedded {
	return &embedded{config: c, started: make(chan struct{})}
}

// run starts the server; the supervisor calls it again when that fails.
func (e *embedded) run(ctx context.Context) error {
	server, err := postgres.Start(ctx, e.config)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err = err; err != nil {
		return err
	}
	e.server = server
	close(e.started)
	return nil
}

// url waits for the server a little, and says why there is none.
func (e *embedded) url(ctx context.Context) (string, error) {
	timer := time.NewTimer(5 * time.Second)
	defer timer.Stop()
	select {
	case <-e.started:
		return e.server.URL(), nil
	case <-ctx.Done():
		return "", ctx.Err()
	case <-timer.C:
		e.mu.Lock()
		defer e.mu.Unlock()
		return "", postgres.ErrUnreachable.WithCause(errors.Join(errors.New("it is still starting"), e.err))
	}
}

func (e *embedded) stop(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.server == nil {
		return nil
	}
	return e.server.Stop(ctx)
}

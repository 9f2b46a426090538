// Package run starts parts together and stops them together.
//
// A part is a Run(ctx) error. A part that fails is started again with growing pauses, and the others go on: a
// search index that cannot be opened must not take chat with it. What failed, and when, stays visible in
// Status until the part has run for a while. Stop cancels all parts and waits for them.
//
// It must not know what the parts do.
package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// calm is how long a part has to run before an earlier failure is forgotten.
const calm = 30 * time.Second

// Status is how one part is doing.
type Status struct {
	Name     string    `json:"name"`
	Running  bool      `json:"running"`
	Restarts int       `json:"restarts"`
	Error    string    `json:"error,omitempty"` // of the newest failure, until the part is calm again
	Since    time.Time `json:"since"`           // of Running
}

// Group runs parts.
type Group struct {
	logger *slog.Logger
	ctx    context.Context //nolint:containedctx // the group is the lifetime: parts are started from it and end with it
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu    sync.Mutex
	parts []*Status
}

// NewGroup makes a group whose parts end when ctx does, or at Stop.
func NewGroup(ctx context.Context, logger *slog.Logger) *Group {
	ctx, cancel := context.WithCancel(ctx)
	return &Group{logger: logger, ctx: ctx, cancel: cancel}
}

// Go starts a part and keeps it running until the group stops. A part that returns nil before that has done
// its work and is not started again.
func (g *Group) Go(name string, part func(ctx context.Context) error) {
	status := &Status{Name: name, Running: true, Since: time.Now()}
	g.mu.Lock()
	g.parts = append(g.parts, status)
	g.mu.Unlock()
	g.wg.Go(func() { g.keep(status, part) })
}

func (g *Group) keep(status *Status, part func(ctx context.Context) error) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 100*time.Millisecond, 15*time.Second
	for {
		started := time.Now()
		err := guard(g.ctx, part)
		if g.ctx.Err() != nil || err == nil {
			g.set(func() { status.Running = false })
			if err != nil && !errors.Is(err, context.Canceled) {
				g.logger.Warn("part did not stop cleanly", "part", status.Name, "error", err)
			}
			return
		}
		if time.Since(started) > calm {
			pause.Reset()
		}
		wait := pause.NextBackOff()
		g.logger.Error("part failed and is started again", "part", status.Name, "error", err, "after", wait)
		g.set(func() {
			status.Running, status.Error, status.Since = false, err.Error(), time.Now()
			status.Restarts++
		})
		select {
		case <-g.ctx.Done():
			return
		case <-time.After(wait):
		}
		g.set(func() { status.Running, status.Since = true, time.Now() })
	}
}

// guard turns a panic of a part into its failure.
func guard(ctx context.Context, part func(ctx context.Context) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return part(ctx)
}

func (g *Group) set(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
}

// Status tells how every part is doing, in the order they were started.
func (g *Group) Status() []Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]Status, 0, len(g.parts))
	for _, p := range g.parts {
		s := *p
		if s.Running && time.Since(s.Since) > calm {
			s.Error = ""
		}
		out = append(out, s)
	}
	return out
}

// Stop ends all parts and waits for them, or until ctx ends.
func (g *Group) Stop(ctx context.Context) error {
	g.cancel()
	done := make(chan struct{})
	go func() { g.wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		var names []string
		for _, s := range g.Status() {
			if s.Running {
				names = append(names, s.Name)
			}
		}
		return fmt.Errorf("stop %v: %w", names, ctx.Err())
	}
}

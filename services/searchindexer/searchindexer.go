// Package searchindexer keeps the search index up with the log, and answers searches over NATS.
//
// One process at a time has the index; others stand by and take over. A damaged or unreachable index never ends the
// process: searches are answered with search_unavailable and the reason, everything else goes on, and the service
// tries again until somebody has mended it.
//
// It must not decide who may search what: callers name the org, and are our own services.
package searchindexer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark-desk/tidemark/internal/run"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/indexes"
	"github.com/tidemark-desk/tidemark/projections/search/rebuild"
)

// Name of the projection.
const Name = "search"

// Deps is what the service needs.
type Deps struct {
	Log        projections.Log
	Conn       *nats.Conn
	Open       func(ctx context.Context) (search.Engine, error) // projections.ErrHeld while another process has the index
	Logger     *slog.Logger
	Registerer prometheus.Registerer // may be nil
	Pace       *projections.Pace     // of the process; nil: one of its own
	Limits     projections.Limits
	Workers    int // searches at a time; default 16

	Engine      string // its name, for people
	Fingerprint string // of an index that this version makes
}

// Service indexes and answers.
type Service struct {
	deps Deps

	mu      sync.Mutex
	status  search.Status // State and Reason
	runner  *projections.Runner
	answers *answers // of the index that was open last; nil: none was

	meter meter // of its lag
}

// New makes the service; nothing happens before Run.
func New(d Deps) *Service {
	if d.Workers <= 0 {
		d.Workers = 16
	}
	return &Service{deps: d, status: search.Status{State: StateStarting}}
}

// The states of the service.
const (
	StateStarting = "starting"
	StateStandby  = "standby" // another process has the index
	StateRunning  = "running"
	StateFailing  = "failing" // the index cannot be opened; it tries again
)

// Run works until ctx ends, and returns nil then.
func (s *Service) Run(ctx context.Context) error {
	if r := s.deps.Registerer; r != nil {
		c := collector{s}
		if err := r.Register(c); err != nil {
			return fmt.Errorf("register the metrics of search: %w", err)
		}
		defer r.Unregister(c)
	}
	var measuring sync.WaitGroup
	defer measuring.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	measuring.Go(func() { s.measure(ctx) })
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 250*time.Millisecond, 10*time.Second
	for ctx.Err() == nil {
		engine, err := s.deps.Open(ctx)
		switch {
		case err == nil:
			pause.Reset()
			if err = s.work(ctx, engine); ctx.Err() != nil {
				return err
			}
			s.enter(StateFailing, err)
			s.unavailable(ctx, pause.NextBackOff())
		case errors.Is(err, projections.ErrHeld):
			s.enter(StateStandby, err)
			_ = run.Pause(ctx, time.Second)
		default:
			s.enter(StateFailing, err)
			s.unavailable(ctx, pause.NextBackOff())
		}
	}
	return nil
}

// work indexes and answers with an open engine; it closes it.
func (s *Service) work(ctx context.Context, engine search.Engine) (err error) {
	defer func() { err = errors.Join(err, engine.Close()) }()
	tracker := newTracker(engine, s.deps.Log.Head)
	runner := projections.NewRunner(projections.RunnerConfig{
		Name: Name, Kinds: search.Kinds, Log: s.deps.Log, Sink: tracker,
		Logger: s.deps.Logger, Registerer: s.deps.Registerer, Limits: s.deps.Limits, Pace: s.deps.Pace, Group: projections.Index,
	})
	a := &answers{deps: s.deps, engine: engine, tracker: tracker, runner: runner, service: s}
	s.mu.Lock()
	s.runner, s.answers = runner, a
	s.mu.Unlock()
	group, ctx := errgroup.WithContext(ctx)
	if set, ok := engine.(*indexes.Set); ok {
		a.job = rebuild.New(rebuild.Config{
			Set: set, Log: s.deps.Log, Logger: s.deps.Logger, Engine: s.deps.Engine, Fingerprint: s.deps.Fingerprint, Pace: s.deps.Pace,
			Lag: func() float64 { return a.asOf().LagSeconds },
		})
		group.Go(func() error { return a.job.Run(ctx) })
	}
	group.Go(func() error { return engine.Run(ctx) })
	group.Go(func() error { return tracker.refreshing(ctx, engine) })
	group.Go(func() error { return runner.Run(ctx) })
	group.Go(func() error { return listen(ctx, s.deps.Conn, s.deps.Workers, a.handlers()) })
	s.enter(StateRunning, nil)
	return group.Wait()
}

// unavailable answers every search with the reason for a while.
func (s *Service) unavailable(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	down := func(context.Context, []byte) (any, error) {
		return nil, unavailable(s.asOf(), max(d, time.Second))
	}
	status := func(context.Context, []byte) (any, error) {
		st := s.Status()
		st.AsOf = s.asOf()
		st.FinishSeconds = s.finish()
		return st, nil
	}
	if err := listen(ctx, s.deps.Conn, 1, map[string]handler{
		search.SubjectQuery: down, search.SubjectCount: down, search.SubjectParked: down, search.SubjectAsk: down,
		search.SubjectHave: down, search.SubjectRebuild: down, search.SubjectStatus: status,
	}); err != nil {
		s.deps.Logger.WarnContext(ctx, "search cannot be answered", "error", err)
		_ = run.Pause(ctx, d)
	}
}

// measure notes how the lag changes, until ctx ends.
func (s *Service) measure(ctx context.Context) {
	tick := time.NewTicker(measureEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if a := s.last(); a != nil {
				s.meter.add(now, a.asOf().LagEvents)
			}
		}
	}
}

// finish is how many seconds are left until the index is current; nil when that is not known.
func (s *Service) finish() *float64 {
	a := s.last()
	if a == nil {
		return nil
	}
	var seconds float64
	if a.asOf().LagEvents > 0 {
		left, known := s.meter.finish()
		if !known {
			return nil
		}
		seconds = left.Seconds()
	}
	return &seconds
}

// last is what answered last; nil when nothing ever did.
func (s *Service) last() *answers {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answers
}

// asOf is how fresh the index was that was open last, and how far the log has gone since; zero when none was.
func (s *Service) asOf() projections.AsOf {
	if a := s.last(); a != nil {
		return a.asOf()
	}
	return projections.AsOf{}
}

func (s *Service) enter(state string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reason := ""
	if err != nil {
		reason = err.Error()
	}
	if state == s.status.State && reason == s.status.Reason {
		return
	}
	s.status.State, s.status.Reason = state, reason
	if state == StateFailing {
		s.deps.Logger.Error("search is not available", "reason", reason)
		return
	}
	s.deps.Logger.Info("search indexer", "state", state, "reason", reason)
}

// Status of the service in this process. A standby is healthy.
func (s *Service) Status() search.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	st.Healthy = st.State != StateFailing
	if st.State == StateRunning {
		st.Partitions = s.runner.Status()
		for _, p := range st.Partitions {
			if !p.Healthy {
				st.Healthy, st.Reason = false, p.Reason
			}
		}
	}
	return st
}

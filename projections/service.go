package projections

import (
	"context"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// ServiceConfig is a reactor, and what is done about what it leaves to do.
type ServiceConfig struct {
	Reactor    Reactor
	Perform    func(context.Context, Intent) error // see PerformerConfig
	Begin      func(context.Context) error         // see PerformerConfig; may be nil
	Log        Log
	Pool       *pgxpool.Pool
	Logger     *slog.Logger
	Registerer prometheus.Registerer // may be nil
	Pace       *Pace                 // of the process; nil: one of its own
}

// Service is a reactor at work: it applies events to tables of its own and writes intents in the same transactions,
// performs these, and can be rebuilt while it runs.
type Service struct {
	runner    *Runner
	performer *Performer
	rebuilder *Rebuilder
}

// NewService makes a service; nothing happens before Run.
func NewService(cfg ServiceConfig) *Service {
	h := cfg.Reactor
	return &Service{
		runner: NewRunner(RunnerConfig{
			Name: h.Name(), Kinds: h.Kinds(), Log: cfg.Log, Sink: NewPostgresSink(cfg.Pool, h, cfg.Log),
			Logger: cfg.Logger, Registerer: cfg.Registerer, Pace: cfg.Pace,
		}),
		performer: NewPerformer(PerformerConfig{
			Projection: h.Name(), Pool: cfg.Pool, Perform: cfg.Perform, Begin: cfg.Begin, Logger: cfg.Logger,
		}),
		rebuilder: NewRebuilder(RebuilderConfig{
			Pool: cfg.Pool, Log: cfg.Log, Handlers: []Handler{h}, Logger: cfg.Logger, Pace: cfg.Pace,
		}),
	}
}

// Run works until ctx ends, and returns nil then.
func (s *Service) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.runner.Run(ctx) })
	g.Go(func() error { return s.performer.Run(ctx) })
	g.Go(func() error { return s.rebuilder.Run(ctx) })
	return g.Wait()
}

// Status of its projection, by partition.
func (s *Service) Status() []Status { return s.runner.Status() }

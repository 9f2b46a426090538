package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark-desk/tidemark/internal/run"
)

// readyLag is how many sequences the new one may lag behind and still be called ready: under load it is never at the end.
const readyLag = 1000

// RebuilderConfig is all that a rebuilder needs.
type RebuilderConfig struct {
	Pool     *pgxpool.Pool
	Log      Log
	Handlers []Handler
	Logger   *slog.Logger // default: nothing is logged
	Pace     *Pace        // of the process; nil: one of its own
}

// Rebuilder does the rebuilds that are asked for, each in one process at a time. All it knows is in the database: after
// a crash it goes on where it was, or another process does.
type Rebuilder struct{ cfg RebuilderConfig }

// NewRebuilder makes a rebuilder; nothing happens before Run.
func NewRebuilder(cfg RebuilderConfig) *Rebuilder {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Rebuilder{cfg: cfg}
}

// Run works until ctx ends, and returns nil then.
func (b *Rebuilder) Run(ctx context.Context) error {
	var g errgroup.Group
	for _, h := range b.cfg.Handlers {
		g.Go(func() error {
			for ctx.Err() == nil {
				err := b.own(ctx, h)
				if ctx.Err() == nil && !errors.Is(err, ErrHeld) {
					b.cfg.Logger.WarnContext(ctx, "rebuild interrupted", "projection", h.Name(), "error", err)
				}
				_ = run.Pause(ctx, standbyPause) // the loop looks at ctx
			}
			return nil
		})
	}
	return g.Wait()
}

// own does what is asked for one projection, for as long as this process holds the lock.
func (b *Rebuilder) own(ctx context.Context, h Handler) (err error) {
	conn, err := dedicated(ctx, b.cfg.Pool, "tidemark rebuild "+h.Name(), nil)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	site := &site{cfg: b.cfg, handler: h, name: h.Name(), conn: conn}
	defer func() {
		site.halt()
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closePatience)
		defer cancel()
		err = errors.Join(err, conn.Close(closing))
	}()
	if err := lock(ctx, conn, "rebuild/"+h.Name()); err != nil {
		return err
	}
	for {
		if err := site.turn(ctx); err != nil {
			return err
		}
		if err := run.Pause(ctx, beat/2); err != nil {
			return err
		}
	}
}

// site is where one projection is rebuilt.
type site struct {
	cfg     RebuilderConfig
	handler Handler
	name    string
	conn    *pgx.Conn
	runner  *Runner // of the new one; nil when none runs
	stop    context.CancelFunc
	done    chan struct{}
	bounds  []uint64 // of a reactor: by partition, what the new one must not pass; nil: nothing
}

// turn does the next thing.
func (s *site) turn(ctx context.Context) error {
	r, err := findRebuild(ctx, s.conn, s.name)
	if errors.Is(err, ErrNoRebuild) {
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case r.State == RebuildSwitched && r.Asked == AskDropOld:
		return s.finish(ctx, r.State, RebuildDropped, oldOf(s.name))
	case r.State.over():
		s.halt()
		return nil
	case r.Asked == AskCancel:
		s.halt()
		return s.finish(ctx, r.State, RebuildCancelled, nextOf(s.name))
	case r.State == RebuildRequested:
		s.halt()
		return s.finish(ctx, r.State, RebuildBuilding, nextOf(s.name)) // whatever an earlier one left
	}
	s.build(ctx)
	if err := s.follow(ctx); err != nil {
		return err
	}
	switch r.Asked {
	case AskCompare:
		defer s.goOn()
		return s.compare(ctx)
	case AskSwitch:
		defer s.goOn()
		return s.swap(ctx)
	default:
		return s.progress(ctx, r)
	}
}

// finish removes a read model and moves the rebuild from one state to the next, in one transaction. It does neither when
// the rebuild is no longer where it was: somebody has cancelled it before it began.
func (s *site) finish(ctx context.Context, from, to RebuildState, remove string) error {
	err := pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "UPDATE tidemark.rebuilds SET state = $3, asked = '', updated_at = now() WHERE projection = $1 AND state = $2", s.name, from, to)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		return forget(ctx, tx, remove)
	})
	if err != nil {
		return fmt.Errorf("rebuild of %s: %s: %w", s.name, to, err)
	}
	return nil
}

// conclude ends what was asked.
func (s *site) conclude(ctx context.Context, to RebuildState, equal *bool, detail string) error {
	_, err := s.conn.Exec(ctx, "UPDATE tidemark.rebuilds SET state = $2, asked = '', equal = $3, detail = $4, updated_at = now() WHERE projection = $1",
		s.name, to, equal, detail)
	if err != nil {
		return fmt.Errorf("rebuild of %s: %s: %w", s.name, to, err)
	}
	return nil
}

// build runs the new one, when it does not run yet.
func (s *site) build(ctx context.Context) {
	if s.runner != nil {
		return
	}
	s.runner = NewRunner(RunnerConfig{
		Name: nextOf(s.name), Kinds: s.handler.Kinds(), Log: s.cfg.Log, Logger: s.cfg.Logger,
		Sink: newNextSink(s.cfg.Pool, s.handler, s.cfg.Log), Limits: Limits{LiveAfter: NoLive}, Pace: s.cfg.Pace,
	})
	if _, reacts := s.handler.(Reactor); reacts {
		s.bounds = make([]uint64, s.cfg.Log.Partitions())
		s.goOn()
	}
	ctx, s.stop = context.WithCancel(ctx)
	s.done = make(chan struct{})
	go func(r *Runner, done chan struct{}) {
		defer close(done)
		_ = r.Run(ctx) // without metrics it cannot fail
	}(s.runner, s.done)
}

func (s *site) halt() {
	if s.runner != nil {
		s.stop()
		<-s.done
		s.runner, s.stop, s.done, s.bounds = nil, nil, nil, nil
	}
}

// goOn ends whatever the new one was held for: it may go on, to its bounds.
func (s *site) goOn() {
	switch {
	case s.runner == nil:
	case s.bounds == nil:
		s.runner.Release()
	default:
		for p, at := range s.bounds {
			s.runner.Hold(p, at)
		}
	}
}

// progress writes down how far the new one is.
func (s *site) progress(ctx context.Context, r Rebuild) error {
	if r.State != RebuildBuilding {
		return nil
	}
	total := s.cfg.Log.Head()
	done, detail, near := total, "", true
	for _, p := range s.runner.Status() {
		goal := s.cfg.Log.HeadOf(p.Partition)
		if s.bounds != nil {
			goal = min(goal, s.bounds[p.Partition]) // it can be no fresher than the running one
		}
		if p.Progress.Checkpoint < goal || p.Phase != PhaseRunning {
			done = min(done, p.Progress.Checkpoint)
		}
		near = near && p.Phase == PhaseRunning && p.Progress.Checkpoint+readyLag >= goal
		if p.Reason != "" {
			detail = fmt.Sprintf("partition %d: %s", p.Partition, p.Reason)
		}
	}
	state := RebuildBuilding
	if near {
		state = RebuildReady
	}
	_, err := s.conn.Exec(ctx, "UPDATE tidemark.rebuilds SET state = $2, done = $3, total = $4, detail = $5, updated_at = now() WHERE projection = $1",
		s.name, state, signed(done), signed(total), detail)
	if err != nil {
		return fmt.Errorf("rebuild of %s: %w", s.name, err)
	}
	return nil
}

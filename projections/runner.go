package projections

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/run"
)

// NoLive as Limits.LiveAfter keeps the live lane shut, for who only wants to be done.
const NoLive = math.MaxUint64

const (
	standbyPause  = 2 * time.Second // between two attempts to take over a partition
	closePatience = 5 * time.Second
)

// RunnerConfig is all that a runner needs. Zero values of the limits mean the defaults.
type RunnerConfig struct {
	Name       string
	Kinds      []events.Kind
	Log        Log
	Sink       Sink
	Logger     *slog.Logger          // default: nothing is logged
	Registerer prometheus.Registerer // may be nil
	Limits     Limits
	Pace       *Pace // shared by the runners of a process; nil: one of its own
	Group      Group // that it takes its turns in; default Tables
}

// Limits bound what a runner does at a time.
type Limits struct {
	Batch     int           // events in one commit, at most; default 8192
	Window    int           // events of a lane read ahead, at most; default 8192
	Bytes     int           // and what they take in memory, about; default 2 MiB
	LiveAfter uint64        // sequences of lag at which the live lane opens; default 4096; NoLive for never
	LiveAge   time.Duration // age of the oldest waiting event at which it opens too; default 5 s
	Parked    int           // parked keys in a partition at which it stops; default 100
	Attempts  int           // tries of one event before its key is parked; default 3
}

func (l *Limits) defaults() {
	l.Batch = cmp.Or(l.Batch, 8192)
	l.Window = cmp.Or(l.Window, 8192)
	l.Bytes = cmp.Or(l.Bytes, 2<<20)
	l.LiveAfter = cmp.Or(l.LiveAfter, 4096)
	l.LiveAge = cmp.Or(l.LiveAge, 5*time.Second)
	l.Parked = cmp.Or(l.Parked, 100)
	l.Attempts = cmp.Or(l.Attempts, 3)
}

// Runner drives one projection: every partition that it can acquire.
type Runner struct {
	cfg    RunnerConfig
	gauges []*gauge
	holds  []atomic.Uint64
}

// NewRunner makes a runner; nothing happens before Run.
func NewRunner(cfg RunnerConfig) *Runner {
	cfg.Limits.defaults()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Group = cmp.Or(cfg.Group, Tables)
	if cfg.Pace == nil {
		cfg.Pace = NewPace(runtime.GOMAXPROCS(0))
	}
	n := cfg.Log.Partitions()
	r := &Runner{cfg: cfg, gauges: make([]*gauge, n), holds: make([]atomic.Uint64, n)}
	for i := range n {
		r.gauges[i] = &gauge{phase: PhaseStarting}
		r.holds[i].Store(open)
	}
	return r
}

// Run works until ctx ends, and returns nil then. It survives whatever happens to the store and the log meanwhile:
// Status says what it suffers from.
func (r *Runner) Run(ctx context.Context) error {
	if r.cfg.Registerer != nil {
		c := collector{r}
		if err := r.cfg.Registerer.Register(c); err != nil {
			return fmt.Errorf("register metrics of %s: %w", r.cfg.Name, err)
		}
		defer r.cfg.Registerer.Unregister(c)
	}
	var g errgroup.Group
	for id := range r.gauges {
		g.Go(func() error { r.own(ctx, id); return nil })
	}
	g.Go(func() error { r.watch(ctx); return nil })
	return g.Wait()
}

// Hold makes a partition read no event after a sequence, so that it comes to rest there; Release lets it go on. What
// was read already is still applied.
func (r *Runner) Hold(partition int, after uint64) {
	r.gauges[partition].rest(0, 0) // what an earlier hold came to says nothing of this one
	r.holds[partition].Store(after + 1)
}

// Release ends what Hold began, in every partition.
func (r *Runner) Release() {
	for i := range r.holds {
		r.holds[i].Store(open)
	}
}

// restsAt tells whether what Hold asked has come true, and where the partition is.
func (r *Runner) restsAt(partition int, after uint64) (uint64, bool) {
	g := r.gauges[partition]
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.restAt, g.restLine == after+1
}

// own acquires a partition and drives it, again and again until ctx ends.
func (r *Runner) own(ctx context.Context, id int) {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 50*time.Millisecond, 10*time.Second
	g := r.gauges[id]
	for ctx.Err() == nil {
		before := g.commits()
		err := r.once(ctx, id)
		if ctx.Err() != nil {
			return
		}
		if g.commits() > before {
			wait.Reset()
		}
		delay := wait.NextBackOff()
		switch {
		case errors.Is(err, ErrHeld):
			g.pass(PhaseStandby, err)
			delay = standbyPause
		case errors.Is(err, ErrFenced):
			r.cfg.Logger.InfoContext(ctx, "partition was taken over", "projection", r.cfg.Name, "partition", id)
			g.pass(PhaseStarting, err)
		default:
			g.pass(PhaseFailing, err)
			r.cfg.Logger.WarnContext(ctx, "partition interrupted", "projection", r.cfg.Name, "partition", id,
				"error", err, "retry_in", delay)
		}
		if run.Pause(ctx, delay) != nil {
			return
		}
	}
}

// once opens a session and drives it until it is lost.
func (r *Runner) once(ctx context.Context, id int) (err error) {
	session, err := r.cfg.Sink.Open(ctx, id)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closePatience)
		defer cancel()
		if failed := session.Close(closing); failed != nil && err == nil {
			err = failed
		}
	}()
	kinds := map[events.Kind]bool{}
	for _, k := range r.cfg.Kinds {
		kinds[k] = true
	}
	p := &partition{cfg: &r.cfg, id: id, kinds: kinds, session: session, gauge: r.gauges[id], hold: &r.holds[id]}
	return p.drive(ctx)
}

// watch notices partitions that have work and make no progress.
func (r *Runner) watch(ctx context.Context) {
	for run.Pause(ctx, beat) == nil {
		for id, g := range r.gauges {
			g.look(r.cfg.Log.HeadOf(id), time.Now())
		}
	}
}

// Status of every partition.
func (r *Runner) Status() []Status {
	out := make([]Status, 0, len(r.gauges))
	for id, g := range r.gauges {
		s := g.status(r.cfg.Log.HeadOf(id), time.Now())
		s.Projection, s.Partition = r.cfg.Name, id
		out = append(out, s)
	}
	return out
}

// Healthy tells whether no partition of statuses is unhealthy, and why one is.
func Healthy(statuses []Status) (bool, string) {
	i := slices.IndexFunc(statuses, func(s Status) bool { return !s.Healthy })
	if i < 0 {
		return true, ""
	}
	return false, fmt.Sprintf("%s, partition %d: %s", statuses[i].Projection, statuses[i].Partition, statuses[i].Reason)
}

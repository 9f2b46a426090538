// Package rebuild builds a search index anew beside the one that serves, from the log alone, and has it take over once it
// was compared with the old one and with the log.
//
// What it does is kept with the new index: killed at any moment, it goes on where it was. It never writes to the index that
// serves. Live work comes first: see pace.go.
package rebuild

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/run"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/indexes"
)

// Log is what a rebuild reads.
type Log interface {
	Head() uint64
	Partitions() int
	Block(ctx context.Context, from uint64) (projections.Block, error)
	Read(ctx context.Context, a events.Aggregate, after uint64) ([]events.Recorded, error)
	Past(ctx context.Context, r events.Recorded, after uint64) ([]events.Recorded, error)
}

// Config of a job.
type Config struct {
	Set         *indexes.Set
	Log         Log
	Logger      *slog.Logger
	Engine      string            // its name, for people
	Fingerprint string            // of an index that this version makes
	Pace        *projections.Pace // of the process; nil: one of its own
	Lag         func() float64    // how many seconds live work is behind; nil: not known
	Workers     int               // zero: 2
	Window      uint64            // events that are held at a time; zero: 8192
}

// Job looks after the indexes of a set. All methods may be used concurrently.
type Job struct {
	set     *indexes.Set
	log     Log
	logger  *slog.Logger
	cfg     Config
	workers int
	pace    *pacer

	ready chan struct{} // closed once it is known what was begun
	asked chan struct{} // signalled when there is something to do

	acting sync.Mutex // held by who takes a step

	mu       sync.Mutex
	now      *search.RebuildProgress // nil: none
	begun    time.Time               // when this process took it up
	before   uint64                  // documents that it had then
	cancel   context.CancelFunc
	done     chan struct{} // closed when the work that cancel ends is over
	sample   int           // that was asked for
	previous string        // why the previous index cannot serve yet
}

// noteKey is where a rebuild keeps what it does, in the new index.
const noteKey = "rebuild"

// usualSample is how many documents a verification folds again.
const usualSample = 200

// New makes a job; nothing happens before Run.
func New(cfg Config) *Job {
	if cfg.Workers <= 0 {
		cfg.Workers = 2
	}
	if cfg.Window == 0 {
		cfg.Window = windowEvents
	}
	if cfg.Pace == nil {
		cfg.Pace = projections.NewPace(cfg.Workers)
	}
	if cfg.Lag == nil {
		cfg.Lag = func() float64 { return 0 }
	}
	return &Job{
		set: cfg.Set, log: cfg.Log, logger: cfg.Logger, cfg: cfg, workers: cfg.Workers,
		pace: newPacer(cfg.Pace, cfg.Lag, cfg.Set.RefreshInterval()), ready: make(chan struct{}), asked: make(chan struct{}, 1),
	}
}

// Run takes up what was begun, here or in another process before, and works until ctx ends.
func (j *Job) Run(ctx context.Context) error {
	if err := j.load(ctx); err != nil {
		return err
	}
	close(j.ready)
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 250*time.Millisecond, 10*time.Second
	for {
		err := j.work(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // it was told to end
		case errors.Is(err, projections.ErrTransient):
			j.logger.WarnContext(ctx, "a rebuild of the search index waits for the engine", "error", err)
			if run.Pause(ctx, pause.NextBackOff()) != nil {
				return nil //nolint:nilerr // it was told to end
			}
			continue
		case err != nil && !errors.Is(err, context.Canceled):
			j.logger.ErrorContext(ctx, "a rebuild of the search index has failed", "error", err)
			if err := j.enter(ctx, search.RebuildFailed, err.Error()); err != nil {
				j.logger.WarnContext(ctx, "what a rebuild does cannot be noted", "error", err)
			}
		}
		pause.Reset()
		select {
		case <-ctx.Done():
			return nil
		case <-j.asked:
		}
	}
}

// load reads what was noted.
func (j *Job) load(ctx context.Context) error {
	if j.set.Has(search.RolePrevious) {
		j.mu.Lock()
		j.previous = "it is compared with the one that serves"
		j.mu.Unlock()
	}
	if !j.set.Has(search.RoleBuilding) {
		return nil
	}
	var raw []byte
	err := j.set.With(search.RoleBuilding, func(i search.Index) (err error) {
		raw, err = i.Noted(ctx, noteKey)
		return err
	})
	if err != nil {
		return err
	}
	r := &search.RebuildProgress{}
	if raw == nil { // it was killed between making the index and saying so
		r = j.fresh(search.RebuildRequest{})
	} else if err := json.Unmarshal(raw, r); err != nil {
		return fmt.Errorf("%w: what a rebuild noted does not decode: %w", search.ErrCorrupt, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.now = r
	j.pace.limit(r.Limit)
	return nil
}

func (j *Job) fresh(r search.RebuildRequest) *search.RebuildProgress {
	now := time.Now().UTC()
	return &search.RebuildProgress{
		ID: events.NewID(), State: search.RebuildBuilding, Total: j.log.Head(), Limit: r.Rate, Switch: r.Switch, StartedAt: now, UpdatedAt: now,
	}
}

// work does what is to be done now, and returns when that is over, or somebody asked for something else.
func (j *Job) work(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	j.acting.Lock()
	j.mu.Lock()
	j.cancel, j.done = cancel, done
	previous := j.previous
	j.mu.Unlock()
	j.acting.Unlock()
	if previous != "" {
		if err := j.heal(ctx, search.RolePrevious); err != nil {
			return err
		}
		j.mu.Lock()
		j.previous = ""
		j.mu.Unlock()
	}
	r := j.current()
	if r == nil || r.State != search.RebuildBuilding && r.State != search.RebuildVerifying {
		return nil
	}
	if r.State == search.RebuildBuilding {
		if err := j.build(ctx, r); err != nil {
			return err
		}
	}
	return j.verify(ctx)
}

// heal writes what a crash took from an index and not from the one that serves.
func (j *Job) heal(ctx context.Context, role search.Role) error {
	from, err := j.set.Behind(ctx, role)
	if err != nil || from == 0 {
		return err
	}
	return j.walk(ctx, role, from, j.log.Head(), func(uint64) error { return nil })
}

// build goes through the log, newest first.
func (j *Job) build(ctx context.Context, r *search.RebuildProgress) error {
	if r.Prepared {
		if err := j.heal(ctx, search.RoleBuilding); err != nil {
			return err
		}
	} else if err := j.prepare(ctx, r); err != nil {
		return err
	}
	j.mu.Lock()
	j.begun, j.before = time.Now(), r.Documents
	j.mu.Unlock()
	err := j.walk(ctx, search.RoleBuilding, 1, r.Total-min(r.Done, r.Total), func(through uint64) error {
		j.mu.Lock()
		j.now.Done = j.now.Total - through
		j.mu.Unlock()
		return j.note(ctx)
	})
	if err != nil {
		return err
	}
	return j.enter(ctx, search.RebuildVerifying, "")
}

// prepare tells the new index what was known before it, and then up to where the log is gone through. Only from then on its own
// progress tells what a crash took from it; were it killed before, it is prepared again, and goes through what came meanwhile.
func (j *Job) prepare(ctx context.Context, r *search.RebuildProgress) error {
	if err := j.set.Prepare(ctx); err != nil {
		return err
	}
	j.mu.Lock()
	j.now.Total, j.now.Prepared = j.log.Head(), true
	*r = *j.now
	j.mu.Unlock()
	return j.note(ctx)
}

// wrote counts documents, and tells from them the rate and the time to finish.
func (j *Job) wrote(n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.now == nil || j.begun.IsZero() { // an index is healed
		return
	}
	j.now.Documents += uint64(n) //nolint:gosec // it is positive
	spent := time.Since(j.begun).Seconds()
	if spent <= 0 {
		return
	}
	j.now.Rate = float64(j.now.Documents-j.before) / spent
	j.now.ETA = 0
	if done := float64(j.now.Done); done > 0 {
		share := done / float64(max(1, j.now.Total))
		j.now.ETA = time.Since(j.now.StartedAt).Seconds() * (1 - share) / share
	}
	j.now.UpdatedAt = time.Now().UTC()
}

// verify compares, and has the new index serve when that was asked for.
func (j *Job) verify(ctx context.Context) error {
	j.mu.Lock()
	sample := cmp.Or(j.sample, usualSample)
	j.mu.Unlock()
	found, err := j.compare(ctx, sample)
	if err != nil {
		return err
	}
	j.mu.Lock()
	j.now.Verified = found
	onward := j.now.Switch
	j.mu.Unlock()
	if found.Found > 0 {
		return j.enter(ctx, search.RebuildDiffers, fmt.Sprintf("%d differences, the first: %s", found.Found, found.Differences[0]))
	}
	if err := j.enter(ctx, search.RebuildVerified, ""); err != nil || !onward {
		return err
	}
	return j.serve(ctx)
}

// serve has the new index take over.
func (j *Job) serve(ctx context.Context) error {
	if err := j.set.Switch(ctx, search.RoleBuilding); err != nil {
		return err
	}
	j.mu.Lock()
	j.now = nil
	j.mu.Unlock()
	j.logger.InfoContext(ctx, "the search index that was built anew serves")
	return nil
}

// current is a copy of what is under way; nil: nothing.
func (j *Job) current() *search.RebuildProgress {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.now == nil {
		return nil
	}
	c := *j.now
	return &c
}

// enter changes the state, and notes it.
func (j *Job) enter(ctx context.Context, state search.RebuildState, detail string) error {
	j.mu.Lock()
	if j.now == nil {
		j.mu.Unlock()
		return nil
	}
	j.now.State, j.now.Detail, j.now.UpdatedAt = state, detail, time.Now().UTC()
	j.mu.Unlock()
	return j.keep(ctx)
}

// note keeps what is done with the new index. A crash may take the last note, together with what it tells of.
func (j *Job) note(ctx context.Context) error { return j.noteIn(ctx, false) }

// keep is note for what somebody asked for, and will not ask for again.
func (j *Job) keep(ctx context.Context) error { return j.noteIn(ctx, true) }

func (j *Job) noteIn(ctx context.Context, safe bool) error {
	r := j.current()
	if r == nil {
		return nil
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode the rebuild: %w", err)
	}
	return j.set.With(search.RoleBuilding, func(i search.Index) error {
		if err := i.Note(ctx, noteKey, raw); err != nil || !safe {
			return err
		}
		return i.Flush(ctx)
	})
}

// Status tells which indexes there are.
func (j *Job) Status(ctx context.Context) (search.RebuildStatus, error) {
	select {
	case <-j.ready:
	case <-ctx.Done():
		return search.RebuildStatus{}, ctx.Err()
	}
	list, err := j.set.Indexes(ctx)
	if err != nil {
		return search.RebuildStatus{}, err
	}
	s := search.RebuildStatus{Engine: j.cfg.Engine, Indexes: list, Rebuild: j.current()}
	for _, i := range list {
		if i.Role == search.RoleServing {
			s.Due = i.Fingerprint != j.cfg.Fingerprint
		}
		if i.Role == search.RoleBuilding && s.Rebuild != nil {
			s.Rebuild.Index, s.Rebuild.Bytes = i.Name, i.Bytes
		}
	}
	if s.Rebuild != nil {
		s.Rebuild.Slowed = j.pace.slowed()
		if slices.Contains([]search.RebuildState{search.RebuildPaused, search.RebuildFailed}, s.Rebuild.State) {
			s.Rebuild.Rate, s.Rebuild.ETA = 0, 0
		}
	}
	return s, nil
}

// What is asked at the wrong time.
func errState(what string, now search.RebuildState) error {
	return fault.Newf(fault.Conflict, "rebuild_state", "the rebuild is %s: it cannot %s now", now, what).
		WithHint("'tidemark search status' tells how far it is")
}

var errNone = fault.New(fault.Conflict, "rebuild_state", "there is no rebuild").WithHint("'tidemark search rebuild' begins one")

package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/run"
)

// Faults of the loop itself.
var (
	ErrKeyReused = fault.New(fault.Conflict, "idempotency_key_reused", "this idempotency key was used for another request").
			WithHint("a new request needs a new key")
	ErrConflict = fault.New(fault.Conflict, "conflict", "somebody else kept changing it at the same time").
			WithHint("try again with the same key")
	ErrUnknownOutcome = fault.New(fault.Unavailable, "outcome_unknown", "nobody knows whether it was written").
				WithHint("try again with the same key: it will not happen twice")
	ErrIDInvalid = fault.New(fault.Invalid, "id_invalid", "an id is 1 to 64 letters, digits, '-' or '_'")
)

// retries is how many times a command is decided again after the first.
const retries = 3

// Loop runs commands. Make one per process and Handlers from it with For.
type Loop struct {
	log    Log
	clock  func() time.Time
	logger *slog.Logger
	locks  *locks
	cache  *otter.Cache[events.Aggregate, *fold]
}

// NewLoop makes a loop over a log. It starts no goroutine that outlives its work.
func NewLoop(log Log, o Options) *Loop {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = 64 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Loop{
		log: log, clock: o.Clock, logger: o.Logger, locks: newLocks(),
		cache: otter.Must(&otter.Options[events.Aggregate, *fold]{
			MaximumWeight: uint64(o.CacheBytes), //nolint:gosec // it is positive, see above
			Weigher:       func(_ events.Aggregate, f *fold) uint32 { return f.weight },
		}),
	}
}

// Handler runs the commands of one kind of aggregate.
type Handler[S, C any] struct {
	loop    *Loop
	decider Decider[S, C]
}

// For makes the handler of one kind of aggregate. Make one per kind: the kinds of a loop share its cache.
func For[S, C any](l *Loop, d Decider[S, C]) *Handler[S, C] {
	return &Handler[S, C]{loop: l, decider: d}
}

// Handle runs one command on one aggregate. On success the events are in the log for good. A fault of the domain is
// answered as it is, and leaves no trace: the same command id may be tried again.
func (h *Handler[S, C]) Handle(ctx context.Context, org, id string, m Meta, c C) (Result, error) {
	a := events.Aggregate{Org: org, Kind: h.decider.Kind, ID: id}
	if !a.Valid() {
		return Result{}, ErrIDInvalid
	}
	m = h.loop.complete(m)
	if err := h.loop.locks.lock(ctx, a); err != nil {
		return Result{}, fmt.Errorf("wait for %s: %w", a, err)
	}
	defer h.loop.locks.unlock(a)

	var tries tries
	for {
		w, known, err := h.decide(ctx, a, m, c)
		if err != nil {
			return Result{}, err
		}
		if known != 0 {
			result, err := h.loop.replay(ctx, a, m, known, tries)
			if !errors.Is(err, errErased) {
				return result, err
			}
			h.loop.cache.Invalidate(a)
			if err := h.loop.again(ctx, a, m, &tries, err); err != nil {
				return Result{}, err
			}
			continue
		}
		if len(w.drafts) == 0 {
			return Result{Position: h.loop.log.Position(a, w.fold.sequence)}, nil
		}
		tries.note(w.drafts)
		last, err := h.loop.log.Append(ctx, eventlog.Write{Aggregate: a, Expected: w.fold.sequence, Before: w.fold.trail, Drafts: w.drafts})
		if err == nil {
			recorded := h.loop.advance(a, w, last[0])
			return Result{Position: h.loop.log.Position(a, last[0]), Events: recorded}, nil
		}
		h.loop.cache.Invalidate(a)
		if err := h.loop.again(ctx, a, m, &tries, err); err != nil {
			return Result{}, err
		}
	}
}

// State is the aggregate folded now; seq is the sequence of its last event, 0 when it does not exist.
func (h *Handler[S, C]) State(ctx context.Context, org, id string) (s S, seq uint64, err error) {
	a := events.Aggregate{Org: org, Kind: h.decider.Kind, ID: id}
	if !a.Valid() {
		return s, 0, nil // nothing with such a name exists
	}
	if err := h.loop.locks.lock(ctx, a); err != nil {
		return s, 0, fmt.Errorf("wait for %s: %w", a, err)
	}
	defer h.loop.locks.unlock(a)
	f, err := h.fresh(ctx, a)
	if err != nil {
		return s, 0, err
	}
	return stateOf[S](f), f.sequence, nil
}

// work is a decision on one aggregate that is not yet in the log.
type work struct {
	fold   *fold
	state  any // after the drafts
	drafts []events.Draft
}

// decide loads and decides; known is the first sequence of the command when it happened before. An entry of the
// cache may be behind another process. For news the log finds out; a refusal or "nothing new" is only final once
// the log was asked, so that nobody is told an old truth.
func (h *Handler[S, C]) decide(ctx context.Context, a events.Aggregate, m Meta, c C) (w work, known uint64, err error) {
	f, warm := h.loop.cache.GetIfPresent(a)
	if warm && h.loop.log.LastHeard(a) > f.sequence {
		warm = false // another process has written
	}
	if !warm {
		if f, err = h.fresh(ctx, a); err != nil {
			return work{}, 0, err
		}
	}
	for {
		if memo, ok := f.commands[keyOf(m.ID)]; ok {
			return work{}, memo.first, memo.matches(m)
		}
		state := stateOf[S](f)
		decided, refused := h.decider.Decide(state, c)
		if refused == nil && len(decided) > 0 {
			drafts, next := stage(h.decider.Evolve, state, m, c, f.revision, decided)
			return work{fold: f, state: next, drafts: drafts}, 0, nil
		}
		news := false
		if warm {
			if news, err = catchUp(ctx, h.loop.log, a, f, h.decider.Evolve); err != nil {
				h.loop.cache.Invalidate(a)
				return work{}, 0, err
			}
		}
		if f.sequence == 0 {
			h.loop.cache.Invalidate(a) // it was erased
		}
		switch {
		case news:
			warm = false
		case refused != nil:
			return work{}, 0, refused
		case f.sequence == 0:
			return work{}, 0, fmt.Errorf("%T on %s: nothing happened to nothing", c, a)
		default:
			return work{fold: f}, 0, nil
		}
	}
}

// fresh is the fold up to the newest event, from the cache and the log.
func (h *Handler[S, C]) fresh(ctx context.Context, a events.Aggregate) (*fold, error) {
	f, warm := h.loop.cache.GetIfPresent(a)
	if !warm {
		f = &fold{}
	}
	news, err := catchUp(ctx, h.loop.log, a, f, h.decider.Evolve)
	switch {
	case err != nil:
		h.loop.cache.Invalidate(a)
		return nil, err
	case f.sequence > 0 && (news || !warm): // what does not exist is not kept: asking for it must not fill the cache
		h.loop.keep(a, f)
	case f.sequence == 0 && warm:
		h.loop.cache.Invalidate(a) // it was erased
	}
	return f, nil
}

// stage makes the drafts of decided events and folds them on a state.
func stage[S, C any](evolve func(S, events.Event) S, state S, m Meta, c C, revision uint64, decided []events.Event) ([]events.Draft, S) {
	at := m.At
	if h, ok := any(c).(Happened); ok && !h.HappenedAt().IsZero() {
		at = h.HappenedAt()
	}
	drafts := make([]events.Draft, len(decided))
	for i, e := range decided {
		revision++
		drafts[i] = events.Draft{Event: e, Metadata: events.Metadata{
			ID: events.NewID(), Time: at, Command: m.ID, Digest: m.Digest, Actor: m.Actor,
			Depth: m.Depth, Cause: m.Cause, Traceparent: m.Traceparent, Revision: revision,
		}}
		state = evolve(state, e)
	}
	return drafts, state
}

// complete fills in what the caller left out. A command without an id gets one, so that an unknown outcome of its
// own append can be told from somebody else's change.
func (l *Loop) complete(m Meta) Meta {
	if m.ID == "" {
		m.ID = events.NewID()
	}
	if m.At.IsZero() {
		m.At = l.clock()
	}
	return m
}

// advance moves a fold behind its append. Only the holder of the lock may call it, and only after the append.
func (l *Loop) advance(a events.Aggregate, w work, last uint64) []events.Recorded {
	recorded := recordedOf(a, l.log.Position(a, last), w.drafts)
	f := w.fold
	f.state, f.sequence, f.revision = w.state, last, w.drafts[len(w.drafts)-1].Revision
	for _, r := range recorded {
		f.trail = f.trail.Push(r.Sequence)
	}
	f.remember(w.drafts[0].Command, w.drafts[0].Digest, recorded[0].Sequence)
	l.keep(a, f)
	return recorded
}

// recordedOf is drafts as they stand in the log now, the last of them at a position. Stored and Size stay empty.
func recordedOf(a events.Aggregate, last events.Position, drafts []events.Draft) []events.Recorded {
	recorded := make([]events.Recorded, len(drafts))
	first := last.Sequence - uint64(len(drafts)) + 1
	for i, d := range drafts {
		recorded[i] = events.Recorded{
			Metadata: d.Metadata, Aggregate: a, Partition: last.Partition, Sequence: first + uint64(i), Event: d.Event,
		}
	}
	return recorded
}

// keep puts a fold into the cache, and tells the cache again when it has grown by a quarter since.
func (l *Loop) keep(a events.Aggregate, f *fold) {
	size := f.size()
	if size > f.weight+f.weight/4 {
		f.weight = size
		l.cache.Set(a, f)
		return
	}
	l.cache.SetIfAbsent(a, f)
}

// tries is what one call has given to the log so far.
type tries struct {
	n       int
	ids     []string // of the first event of each aggregate
	unknown bool     // one of them may still turn out to have been written
}

func (t *tries) note(drafts []events.Draft) { t.ids = append(t.ids, drafts[0].ID) }

// replay answers a command that has happened. When the events are those of this very call, whose outcome was
// unknown, it is no replay.
func (l *Loop) replay(ctx context.Context, a events.Aggregate, m Meta, first uint64, own tries) (Result, error) {
	recorded, err := original(ctx, l.log, a, m.ID, first)
	if err != nil {
		return Result{}, err
	}
	return Result{
		Position: l.log.Position(a, recorded[len(recorded)-1].Sequence), Events: recorded,
		Replayed: !slices.Contains(own.ids, recorded[0].Metadata.ID),
	}, nil
}

// again says whether an append that did not succeed is worth another decision: nil to go on, the answer otherwise. After
// an outcome that was unknown a refusal says nothing: it may be the caller's own write that stands in the way.
func (l *Loop) again(ctx context.Context, a events.Aggregate, m Meta, t *tries, err error) error {
	conflict, unknown := errors.Is(err, eventlog.ErrConflict), errors.Is(err, eventlog.ErrUnknownOutcome)
	t.unknown = t.unknown || unknown
	t.n++
	switch {
	case !conflict && !unknown && !t.unknown:
		return fmt.Errorf("append to %s: %w", a, err)
	case (conflict || unknown) && t.n <= retries && pause(ctx, t) == nil:
		l.logger.DebugContext(ctx, "command decided again", "subject", a.String(), "command_id", m.ID, "attempt", t.n, "cause", err)
		return nil
	case t.unknown:
		return ErrUnknownOutcome.WithCause(err)
	default:
		return ErrConflict.WithCause(err)
	}
}

// pause waits before another try, unless it is the first after somebody else was quicker: longer each time, and longer
// when the log has to find out first what became of the last try.
func pause(ctx context.Context, t *tries) error {
	wait := time.Duration(t.n-1) * 5 * time.Millisecond
	if t.unknown {
		wait = time.Duration(t.n) * 100 * time.Millisecond
	}
	if wait == 0 {
		return ctx.Err()
	}
	return run.Pause(ctx, wait/2+rand.N(wait)) //nolint:gosec // jitter
}

// matches refuses the same id with another content. A digest that is missing on either side is not compared.
func (k memo) matches(m Meta) error {
	if d := digestOf(m.Digest); d != k.digest && d != [8]byte{} && k.digest != [8]byte{} {
		return ErrKeyReused
	}
	return nil
}

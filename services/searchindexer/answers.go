package searchindexer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/rebuild"
)

const (
	longestWait = 2 * time.Second       // for a position
	look        = 50 * time.Millisecond // how often to look at progress that needs no commit

	usualRetry    = 2 * time.Second // after which it is worth asking again, when nobody knows better
	countPatience = time.Second     // for an engine that is to count its documents
)

// answers are what the service says.
type answers struct {
	deps    Deps
	engine  search.Engine
	tracker *tracker
	runner  *projections.Runner
	service *Service
	job     *rebuild.Job // nil: the engine keeps one index

	documents atomic.Uint64 // as they were counted last
}

func (a *answers) handlers() map[string]handler {
	return map[string]handler{
		search.SubjectQuery:  a.query,
		search.SubjectCount:  a.count,
		search.SubjectHave:   a.have,
		search.SubjectStatus: a.status,
		search.SubjectParked: func(context.Context, []byte) (any, error) { return a.tracker.parked(), nil },
		search.SubjectAsk:    a.ask,

		search.SubjectRebuild: a.rebuild,
	}
}

func (a *answers) rebuild(ctx context.Context, body []byte) (any, error) {
	var r search.RebuildRequest
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, malformed(err)
	}
	if a.job == nil {
		return nil, fault.New(fault.Invalid, "rebuild_unsupported", "this engine keeps one index")
	}
	status, err := a.job.Ask(ctx, r)
	return status, a.told(ctx, "rebuild of the search index", err)
}

func (a *answers) query(ctx context.Context, body []byte) (any, error) {
	var r search.Request
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, malformed(err)
	}
	q, err := r.Parse()
	if err != nil {
		return nil, err
	}
	if absent, ok := a.engine.(search.Absent); ok { // nobody is to wait for what cannot be found
		if err := absent.Away(); err != nil {
			return nil, a.away(err)
		}
	}
	if err := a.await(ctx, r.MinPosition); err != nil {
		return nil, err
	}
	asOf := a.asOf() // before the search: what is found is at least as new
	answer, err := r.Find(ctx, a.engine, q)
	answer.AsOf = asOf
	return answer, a.told(ctx, "search", err)
}

// told makes of an error what callers are told; nil stays nil. What is nobody's but ours is logged.
func (a *answers) told(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	if _, refused := errors.AsType[*fault.Fault](err); refused {
		return err
	}
	if ctx.Err() == nil && !errors.Is(err, projections.ErrTransient) {
		a.deps.Logger.ErrorContext(ctx, "a request to the search engine failed", "what", what, "error", err)
	}
	return a.away(fmt.Errorf("%s: %w", what, err))
}

// away makes of an engine that is away what callers are told: that it is, how far the index is behind, and when to ask
// again. Any other error stays what it is.
func (a *answers) away(err error) error {
	if !errors.Is(err, projections.ErrTransient) {
		return err
	}
	after := usualRetry
	if e, ok := errors.AsType[retrier](err); ok {
		after = max(time.Second, e.RetryAfter())
	}
	return unavailable(a.asOf(), after).WithCause(err)
}

// retrier is an engine's error that knows when it is worth asking again.
type retrier interface {
	error
	RetryAfter() time.Duration
}

// unavailable tells how far the index is behind while it cannot be asked; zero: that is not known.
func unavailable(asOf projections.AsOf, after time.Duration) *fault.Fault {
	f := search.ErrUnavailable.WithRetryAfter(after)
	if asOf.Position.IsZero() {
		return f
	}
	return f.WithHint("the index is %d events and %.1f seconds behind; everything else works; try again in a moment", asOf.LagEvents, asOf.LagSeconds)
}

// await returns when the index has p.
func (a *answers) await(ctx context.Context, p events.Position) error {
	switch {
	case p.IsZero():
		return nil
	case p.Incarnation != a.deps.Log.Incarnation() || p.Partition >= a.deps.Log.Partitions():
		return fault.New(fault.Invalid, "position_unknown", "min_position is of another log").
			WithHint("forget the position and search without it")
	}
	deadline := time.NewTimer(longestWait)
	defer deadline.Stop()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		there, moved := a.tracker.applied(p.Partition, p.Sequence)
		if (there || a.passed(p)) && a.deps.Log.Head() >= p.Sequence { // so that as_of is no older than the write
			return nil
		}
		select {
		case <-moved:
		case <-tick.C:
		case <-ctx.Done():
			return a.notYet()
		case <-deadline.C:
			return a.notYet()
		}
	}
}

// passed: progress over events that mean nothing here need not be committed, but the runner knows of it.
func (a *answers) passed(p events.Position) bool {
	for _, s := range a.runner.Status() {
		if s.Partition == p.Partition && s.Phase == projections.PhaseRunning && s.Progress.Applied(p.Sequence) {
			_, clean := a.tracker.checkpoint(s.Partition)
			return clean
		}
	}
	return false
}

func (a *answers) notYet() error {
	asOf := a.asOf()
	return fault.Newf(fault.Unavailable, "not_yet", "search has not read that far: it is %d events and %.1f seconds behind",
		asOf.LagEvents, asOf.LagSeconds).WithHint("ask again, or without min_position").WithRetryAfter(time.Second)
}

// asOf is the lower bound over all partitions.
func (a *answers) asOf() projections.AsOf {
	head, at := a.deps.Log.Head(), a.deps.Log.HeadTime() // before the partitions' own ends, which may only be later
	out := projections.AsOf{Position: events.Position{Incarnation: a.deps.Log.Incarnation(), Sequence: head}, Time: at}
	for _, s := range a.runner.Status() {
		checkpoint, clean := a.tracker.checkpoint(s.Partition)
		if clean {
			checkpoint = max(checkpoint, s.Progress.Checkpoint)
		}
		if checkpoint >= a.deps.Log.HeadOf(s.Partition) {
			continue // what follows is not this partition's
		}
		if checkpoint < out.Position.Sequence {
			out.Position.Sequence, out.Position.Partition = checkpoint, s.Partition
		}
		// What is committed and not found yet waits too.
		out.LagEvents = max(out.LagEvents, s.LagEvents, a.deps.Log.HeadOf(s.Partition)-checkpoint)
		out.LagSeconds = max(out.LagSeconds, s.LagSeconds, a.tracker.hidden().Seconds())
	}
	if out.LagSeconds > 0 {
		out.Time = time.Now().Add(-time.Duration(out.LagSeconds * float64(time.Second))).UTC()
	}
	return out
}

func (a *answers) count(ctx context.Context, body []byte) (any, error) {
	var r search.CountRequest
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, malformed(err)
	}
	if !events.ValidID(r.Org) {
		return nil, fault.New(fault.Invalid, "org_invalid", "a count is of one org")
	}
	if r.Window < 0 || r.Window > 0 && r.Window < time.Second {
		return nil, fault.New(fault.Invalid, "window_invalid", "a window is at least a second long")
	}
	list, err := a.engine.Count(ctx, r)
	if err != nil {
		return nil, a.away(fmt.Errorf("count: %w", err))
	}
	const most = 5000 // rows that fit a message
	if len(list) > most {
		return nil, fault.Newf(fault.Invalid, "window_invalid", "%d windows are too many for one answer: at most %d", len(list), most).
			WithHint("take a longer window, or a shorter time")
	}
	return list, nil
}

func (a *answers) status(ctx context.Context, _ []byte) (any, error) {
	s := a.service.Status()
	s.AsOf, s.FinishSeconds = a.asOf(), a.service.finish()
	ctx, cancel := context.WithTimeout(ctx, countPatience) // how far it is, is known without the engine
	defer cancel()
	n, err := a.engine.Documents(ctx)
	if err != nil {
		s.Healthy, s.Reason, s.Documents = false, err.Error(), a.documents.Load()
		return s, nil
	}
	a.documents.Store(n)
	s.Documents = n
	return s, nil
}

// ask notes what an operator wants. The runner looks about once a second.
func (a *answers) ask(_ context.Context, body []byte) (any, error) {
	var r search.AskRequest
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, malformed(err)
	}
	if r.Ask != projections.AskRetry && r.Ask != projections.AskDrop {
		return nil, malformed(fmt.Errorf("asked to %q", r.Ask))
	}
	if err := a.tracker.ask(projections.Request{Key: r.Key, Sequence: r.Sequence, Ask: r.Ask}); err != nil {
		return nil, err
	}
	return struct{}{}, nil
}

func malformed(err error) error {
	return fault.New(fault.Invalid, "request_invalid", "the request is not JSON of its kind").WithCause(err)
}

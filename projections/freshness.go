package projections

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
)

// What Await can answer besides nil.
var (
	ErrNotYet          = fault.New(fault.Unavailable, "not_yet", "the position has not been applied yet")
	ErrPositionUnknown = fault.New(fault.Invalid, "position_unknown", "the position is of another log")
)

const (
	cacheFor  = 250 * time.Millisecond // how old an AsOf may be
	pollEvery = 10 * time.Millisecond  // while somebody waits; all who wait share a query
)

// AsOf is how fresh a projection is: everything up to Position has been applied. It is a lower bound.
type AsOf struct {
	Position   events.Position `json:"position"`
	Time       time.Time       `json:"time"`
	LagSeconds float64         `json:"lag_seconds"`
	LagEvents  uint64          `json:"lag_events"`
}

// PartitionProgress is how far one partition is, and when the log took the event at its checkpoint.
type PartitionProgress struct {
	Partition   int
	Incarnation string
	Progress    Progress
	Reached     time.Time
}

// Freshness tells readers in any process how far projections are. It reads the checkpoints, all of them in one query.
type Freshness struct {
	pool *pgxpool.Pool
	log  Log
	turn chan struct{} // holds one token; its owner may touch what is below
	read time.Time
	head heads // then
	all  map[string][]PartitionProgress

	mu   sync.Mutex
	ages map[string]age // by projection
}

// age is since when the oldest event of a projection waits, and when that was found out.
type age struct{ since, found time.Time }

// NewFreshness reads the checkpoints through pool.
func NewFreshness(pool *pgxpool.Pool, log Log) *Freshness {
	return &Freshness{pool: pool, log: log, turn: make(chan struct{}, 1), ages: map[string]age{}}
}

// AsOf tells how fresh a projection is; it may be up to 250 ms old.
func (f *Freshness) AsOf(ctx context.Context, name string) (AsOf, error) {
	parts, head, err := f.progress(ctx, name, cacheFor)
	if err != nil {
		return AsOf{}, err
	}
	return head.asOf(parts, f.since(ctx, name)), nil
}

// since looks for the age of what waits, four times a second at most: it reads the log, and everybody asks.
func (f *Freshness) since(ctx context.Context, name string) func(PartitionProgress) time.Time {
	return func(p PartitionProgress) time.Time {
		f.mu.Lock()
		known := f.ages[name]
		f.mu.Unlock()
		if time.Since(known.found) < cacheFor {
			return known.since
		}
		known = age{since: since(ctx, f.log, p), found: time.Now()}
		f.mu.Lock()
		f.ages[name] = known
		f.mu.Unlock()
		return known.since
	}
}

// Await returns when the projection has applied p (or parked its key). It fails with ErrNotYet, which says the lag,
// when that takes longer than longest, and with ErrPositionUnknown when p is of another log.
func (f *Freshness) Await(ctx context.Context, name string, p events.Position, longest time.Duration) error {
	return f.await(ctx, name, p, longest, func() (bool, error) { return false, nil })
}

// AwaitOf is Await for who only wants to read one aggregate, whose position it is. That may be applied ahead of others.
func (f *Freshness) AwaitOf(ctx context.Context, name string, a events.Aggregate, p events.Position, longest time.Duration) error {
	return f.await(ctx, name, p, longest, func() (ahead bool, err error) {
		err = f.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM tidemark.ahead WHERE projection = $1 AND partition = $2 AND key = $3 AND sequence >= $4)`,
			name, p.Partition, a.String(), signed(p.Sequence)).Scan(&ahead)
		return ahead, err
	})
}

func (f *Freshness) await(ctx context.Context, name string, p events.Position, longest time.Duration, ahead func() (bool, error)) error {
	if p.IsZero() {
		return nil
	}
	if p.Incarnation != f.log.Incarnation() || p.Partition < 0 || p.Partition >= f.log.Partitions() {
		return ErrPositionUnknown.WithHint("read again without min_position")
	}
	limit := time.NewTimer(longest)
	defer limit.Stop()
	for {
		parts, head, err := f.progress(ctx, name, pollEvery)
		if err != nil {
			return err
		}
		// The head may be told of a moment after what was applied; as_of must be no older than the caller's own write.
		if head.all >= p.Sequence && p.Partition < len(parts) && parts[p.Partition].Incarnation == p.Incarnation {
			if parts[p.Partition].Progress.Applied(p.Sequence) {
				return nil
			}
			switch done, err := ahead(); {
			case err != nil:
				return away(err)
			case done:
				return nil
			}
		}
		poll := time.NewTimer(pollEvery)
		select {
		case <-ctx.Done():
			poll.Stop()
			return ctx.Err()
		case <-limit.C:
			poll.Stop()
			now := head.asOf(parts, f.since(ctx, name))
			return ErrNotYet.WithHint("%s lags %.1f s and %d events behind; ask again later, or without min_position", name, now.LagSeconds, now.LagEvents).
				WithRetryAfter(time.Second)
		case <-poll.C:
		}
	}
}

// progress of every partition of a projection, at most so old. A partition that was never opened has none.
func (f *Freshness) progress(ctx context.Context, name string, age time.Duration) ([]PartitionProgress, heads, error) {
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return nil, heads{}, ctx.Err()
	}
	if now := time.Now(); f.all == nil || now.Sub(f.read) >= age {
		head := headOf(f.log) // before the checkpoints, so that they cover it when they say so
		all, err := f.query(ctx)
		if err != nil {
			return nil, heads{}, away(err)
		}
		f.all, f.read, f.head = all, now, head
	}
	return f.all[name], f.head, nil
}

func away(err error) error {
	return fault.New(fault.Unavailable, "read_models_unavailable", "the read models are away").
		WithHint("writing works; try again in a moment").WithCause(err)
}

func (f *Freshness) query(ctx context.Context) (map[string][]PartitionProgress, error) {
	rows, err := f.pool.Query(ctx, `SELECT projection, partition, incarnation, checkpoint, live_from, live_through, coalesce(reached, 'epoch') FROM tidemark.checkpoints`)
	if err != nil {
		return nil, fmt.Errorf("read checkpoints: %w", err)
	}
	all := map[string][]PartitionProgress{}
	var name string
	var p PartitionProgress
	var checkpoint, from, through int64
	_, err = pgx.ForEachRow(rows, []any{&name, &p.Partition, &p.Incarnation, &checkpoint, &from, &through, &p.Reached}, func() error {
		p.Progress = Progress{Checkpoint: unsigned(checkpoint), LiveFrom: unsigned(from), LiveThrough: unsigned(through)}
		if all[name] == nil {
			all[name] = make([]PartitionProgress, f.log.Partitions())
		}
		if p.Partition < len(all[name]) {
			all[name][p.Partition] = p
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read checkpoints: %w", err)
	}
	return all, nil
}

// heads is the end of the log at one moment.
type heads struct {
	incarnation string
	all         uint64
	of          []uint64
}

func headOf(log Log) heads {
	h := heads{incarnation: log.Incarnation(), all: log.Head(), of: make([]uint64, log.Partitions())}
	for i := range h.of {
		h.of[i] = log.HeadOf(i)
	}
	return h
}

// AsOfProgress is how fresh a projection is whose sink keeps its own progress. The head of the log is read first.
func AsOfProgress(ctx context.Context, log Log, progress func() ([]PartitionProgress, error)) (AsOf, error) {
	head := headOf(log)
	parts, err := progress()
	if err != nil {
		return AsOf{}, err
	}
	return head.asOf(parts, func(p PartitionProgress) time.Time { return since(ctx, log, p) }), nil
}

// asOf is the progress of the partition that is furthest behind. One that has applied all there is of its own is as
// far as the log.
func (h heads) asOf(parts []PartitionProgress, since func(PartitionProgress) time.Time) AsOf {
	out := AsOf{Position: events.Position{Incarnation: h.incarnation, Sequence: h.all}, Time: time.Now()}
	var last PartitionProgress
	for i, end := range h.of {
		p := PartitionProgress{Partition: i}
		if i < len(parts) && parts[i].Incarnation == h.incarnation {
			p = parts[i]
		}
		if p.Progress.Checkpoint < end && p.Progress.Checkpoint < out.Position.Sequence {
			out.Position.Partition, out.Position.Sequence, last = i, p.Progress.Checkpoint, p
		}
	}
	if out.LagEvents = h.all - out.Position.Sequence; out.LagEvents == 0 {
		return out
	}
	if waits := since(last); !waits.IsZero() {
		out.LagSeconds = max(0, out.Time.Sub(waits).Seconds())
	}
	if !last.Reached.IsZero() {
		out.Time = last.Reached
	}
	return out
}

// since is when the log took the oldest event that a partition has not applied. The log is asked, because the one
// before it may be much older.
func since(ctx context.Context, log Log, p PartitionProgress) time.Time {
	b, err := log.Block(ctx, p.Progress.Checkpoint+1)
	if err != nil || len(b.Events) == 0 {
		return p.Reached
	}
	for i := range b.Events {
		if b.Events[i].Partition == p.Partition && b.Events[i].Sequence > p.Progress.Checkpoint {
			return b.Events[i].Stored
		}
	}
	return b.Events[len(b.Events)-1].Stored
}

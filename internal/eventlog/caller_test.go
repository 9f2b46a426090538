package eventlog_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
)

// log is what callers use of a log.
type log interface {
	Append(ctx context.Context, writes ...eventlog.Write) ([]uint64, error)
	Read(ctx context.Context, a events.Aggregate, after uint64) ([]events.Recorded, error)
	Block(ctx context.Context, from uint64) (eventlog.Block, error)
	Tail(ctx context.Context, f eventlog.Filter, after uint64, caughtUp func(), fn func(events.Recorded) error) error
	Wait(ctx context.Context, after uint64) error
	Purge(ctx context.Context, a events.Aggregate) error
	PurgeBefore(ctx context.Context, a events.Aggregate, sequence uint64) error
	Head() uint64
	HeadOf(partition int) uint64
	HeadTime() time.Time
	Incarnation() string
	Partitions() int
	Position(a events.Aggregate, sequence uint64) events.Position
}

// patience is how long a patient caller waits for one answer.
const patience = 2 * time.Second

// patient is a caller as the log's errors tell it to be: what was not done is done again, what may have been written is
// looked for, and who follows goes on where it was. Any other error is its caller's.
type patient struct{ *eventlog.Log }

// insist does it until it is done or refused.
func insist(ctx context.Context, do func(ctx context.Context) error) error {
	for {
		bounded, cancel := context.WithTimeout(ctx, patience)
		err := do(bounded)
		late := bounded.Err() != nil
		cancel()
		if err == nil || ctx.Err() != nil || !errors.Is(err, eventlog.ErrUnavailable) && !late {
			return err
		}
		pause(ctx)
	}
}

// pause is between two tries.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(20 * time.Millisecond):
	}
}

func (p patient) Append(ctx context.Context, writes ...eventlog.Write) ([]uint64, error) {
	unknown := false // whether it may be there although nobody said so
	for {
		bounded, cancel := context.WithTimeout(ctx, patience)
		seqs, err := p.Log.Append(bounded, writes...)
		cancel()
		refused := errors.Is(err, eventlog.ErrConflict)
		switch {
		case err == nil || ctx.Err() != nil || refused && !unknown:
			return seqs, err
		case refused:
		case errors.Is(err, eventlog.ErrUnknownOutcome):
			unknown = true
		case errors.Is(err, eventlog.ErrUnavailable):
			pause(ctx)
			continue
		default:
			return nil, err
		}
		seqs, moved, err := p.find(ctx, writes)
		switch {
		case ctx.Err() != nil:
			return nil, eventlog.ErrUnknownOutcome.WithCause(ctx.Err())
		case err != nil || seqs != nil:
			return seqs, err
		case moved && refused:
			return nil, eventlog.ErrConflict
		}
		pause(ctx)
	}
}

// find looks for what may have been written. When it is not there, moved tells whether an expectation no longer holds,
// so that it will never be.
func (p patient) find(ctx context.Context, writes []eventlog.Write) (seqs []uint64, moved bool, err error) {
	for _, w := range writes {
		there, err := p.Read(ctx, w.Aggregate, 0)
		if err != nil {
			return nil, false, err
		}
		first := slices.IndexFunc(there, func(r events.Recorded) bool { return r.Metadata.ID == w.Drafts[0].ID })
		if first >= 0 && first+len(w.Drafts) <= len(there) {
			seqs = append(seqs, there[first+len(w.Drafts)-1].Sequence)
			continue
		}
		last := uint64(0)
		if len(there) > 0 {
			last = there[len(there)-1].Sequence
		}
		moved = moved || last != w.Expected
	}
	if len(seqs) < len(writes) {
		return nil, moved, nil
	}
	return seqs, false, nil
}

func (p patient) Read(ctx context.Context, a events.Aggregate, after uint64) (there []events.Recorded, err error) {
	err = insist(ctx, func(ctx context.Context) (err error) {
		there, err = p.Log.Read(ctx, a, after)
		return err
	})
	return there, err
}

func (p patient) Block(ctx context.Context, from uint64) (b eventlog.Block, err error) {
	err = insist(ctx, func(ctx context.Context) (err error) {
		b, err = p.Log.Block(ctx, from)
		return err
	})
	return b, err
}

func (p patient) Purge(ctx context.Context, a events.Aggregate) error {
	return insist(ctx, func(ctx context.Context) error { return p.Log.Purge(ctx, a) })
}

func (p patient) PurgeBefore(ctx context.Context, a events.Aggregate, sequence uint64) error {
	return insist(ctx, func(ctx context.Context) error { return p.Log.PurgeBefore(ctx, a, sequence) })
}

func (p patient) Tail(ctx context.Context, f eventlog.Filter, after uint64, caughtUp func(), fn func(events.Recorded) error) error {
	for {
		err := p.Log.Tail(ctx, f, after, func() {
			if caughtUp != nil {
				caughtUp()
				caughtUp = nil
			}
		}, func(e events.Recorded) error {
			after = e.Sequence
			return fn(e)
		})
		if ctx.Err() != nil || !errors.Is(err, eventlog.ErrUnavailable) {
			return err
		}
		pause(ctx)
	}
}

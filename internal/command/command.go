// Package command is the one loop by which anything changes: load, fold, decide, append, position.
//
// It owns the promise that a command happens once for ever: every event carries the id and the digest of the
// command that made it, and a command whose id is already in the history of its aggregate answers with its first
// events. Callers of one aggregate in this process queue up; other processes are met by the expected last sequence
// of the subject. A warm aggregate costs no read.
//
// It must not know what any command means: that is the domain's. Whoever wants a change builds a command of the
// domain and gives it to a Handler, or stages several in Loop.Atomic.
package command

import (
	"context"
	"log/slog"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
)

// Log is what the loop needs of the event log. Append is atomic; it answers the sequence of the last event of each
// write, eventlog.ErrConflict when an expectation did not hold, and eventlog.ErrUnknownOutcome when it cannot tell.
type Log interface {
	Append(ctx context.Context, writes ...eventlog.Write) ([]uint64, error)
	Read(ctx context.Context, a events.Aggregate, after uint64) ([]events.Recorded, error)
	ReadCommand(ctx context.Context, a events.Aggregate, first uint64, command string) ([]events.Recorded, error)
	LastHeard(a events.Aggregate) uint64
	Position(a events.Aggregate, sequence uint64) events.Position
}

// Meta is what a command says about itself.
type Meta struct {
	ID          string // of the command; the same id adds nothing a second time. Empty: a new one is made
	Digest      string // of the request, see Digest; the same id with another digest is refused. Empty: not compared
	Actor       events.Actor
	Depth       int       // how many automations deep: 0 for people
	Cause       uint64    // sequence of the event that led to it; 0 for none
	At          time.Time // when it happened; zero: now
	Traceparent string
}

// Happened may be implemented by a command that knows when it happened, such as an imported message. A time that is
// not zero goes before Meta.At.
type Happened interface{ HappenedAt() time.Time }

// Result is what came of a command.
type Result struct {
	Position events.Position   // of the last event, or of the aggregate's last event when nothing was new; never zero on success
	Events   []events.Recorded // that the command added, now or the first time
	Replayed bool              // the command had happened before this call
}

// Decider is the three functions of an aggregate's package, as values.
type Decider[S, C any] struct {
	Kind   events.Kind
	Evolve func(S, events.Event) S
	Decide func(S, C) ([]events.Event, error)
}

// Options of a Loop.
type Options struct {
	Clock      func() time.Time // default time.Now
	CacheBytes int              // bound of the cache of folded aggregates; default 64 MiB
	Logger     *slog.Logger     // default: none
}

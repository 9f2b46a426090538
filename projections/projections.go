// Package projections is the one engine behind everything that is derived from the log: Postgres read models, the
// search index, and the reactors behind routing and workflow.
//
// A handler only says what an event means. Order, checkpoints, the two lanes, fairness between tenants, parking,
// progress and metrics are the engine's. One writer at a time holds a partition of a projection; it commits what it
// derived together with its progress, so that every event counts exactly once, whatever is retried or restarted.
//
// The engine never names a table of a read model, and no handler does anything but write its own rows: effects on the
// world are intents, written with the rows and performed afterwards (see Intent).
package projections

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
)

// Handler says what events mean to one Postgres read model or reactor.
type Handler interface {
	// Name of the projection, and of the schema that its tables live in: "inbox".
	Name() string
	// Kinds of aggregate it wants to see. Others never reach it.
	Kinds() []events.Kind
	// Schema is the DDL of its tables with unqualified names. It is run once, when the schema is made.
	Schema() string
	// Apply writes what the batch means. The batch is of one partition and holds several aggregates; each aggregate's
	// events are in order, between aggregates nothing is promised. Everything Apply writes must depend on the events
	// alone (no clock, no random ids): a rebuild must give the same rows. Any error that is not the database being
	// away is taken to be an event's fault, and parks its key.
	Apply(ctx context.Context, tx pgx.Tx, batch []events.Recorded) error
}

// Block is a run of the log: every event with a sequence in [from, Next). Next == from means that there is none yet.
// Its events are shared by all readers.
type Block = eventlog.Block

// Log is what the engine needs of the log.
type Log interface {
	Incarnation() string
	Partitions() int
	Block(ctx context.Context, from uint64) (Block, error)
	Read(ctx context.Context, a events.Aggregate, after uint64) ([]events.Recorded, error)
	Past(ctx context.Context, r events.Recorded, after uint64) ([]events.Recorded, error)
	Head() uint64
	HeadOf(partition int) uint64
	HeadTime() time.Time
	Wait(ctx context.Context, after uint64) error
}

// What a sink can answer besides nil.
var (
	// ErrHeld says that another process holds the partition. It may be free a moment later.
	ErrHeld = errors.New("another process holds this partition")
	// ErrFenced says that another owner took over: nothing of the commit was written.
	ErrFenced = errors.New("another owner took over this partition")
	// ErrTransient marks errors that say nothing about the events: the store is away, slow, or asks to try again. The
	// outcome of a commit that failed so is unknown; the engine opens the partition anew and reads what was committed.
	ErrTransient = errors.New("the store is away")
	// ErrForeign says that the store's content was derived from another log, or from more of it than there is.
	ErrForeign = errors.New("derived from another log")
)

// Sink is where a projection's state is kept, with its progress. Postgres read models share one; the search index
// brings its own.
type Sink interface {
	// Open acquires a partition and loads its state. ErrHeld when somebody else has it.
	Open(ctx context.Context, partition int) (Session, error)
}

// Session is one ownership of one partition. It is used by one goroutine.
type Session interface {
	// State as it was committed last, by whomever.
	State() State
	// Commit applies the events and records the progress, both or neither. Errors: ErrFenced, ErrTransient; anything
	// else blames the events, and the engine finds out which.
	Commit(ctx context.Context, c Commit) error
	// Requests are what operators ask for since the last call; nil when the sink has no way to be asked. It is called
	// about once a second also when there is nothing to do, and so notices a lost store.
	Requests(ctx context.Context) ([]Request, error)
	// Close gives the partition up.
	Close(ctx context.Context) error
}

// State is what is known of a partition between two commits.
type State struct {
	Progress Progress
	Ahead    map[string]uint64 // by key: everything of the key up to here is applied although the checkpoint is behind
	Parked   map[string]Parked // by key
}

// Commit is one step of a partition.
type Commit struct {
	// Events to apply: each aggregate's in order, none twice over the life of the sink.
	Events []events.Recorded
	// Progress once they are applied, and Time, when the log took the event at its checkpoint (zero: as before).
	Progress Progress
	Time     time.Time
	// Ahead has the keys whose entry changes. Entries at or below the checkpoint mean nothing; they are to be removed
	// when Prune is set.
	Ahead map[string]uint64
	Prune bool
	// Park has keys to park or whose parked event changes, Unpark the keys to free.
	Park   []Parked
	Unpark []string
}

// Parked is a key that waits for an operator: the event at Sequence failed, it and all later events of the key are
// held back.
type Parked struct {
	Projection string
	Partition  int
	Aggregate  events.Aggregate
	Sequence   uint64
	Type       string // of the event that failed
	Error      string
	Attempts   int
	Since      time.Time
	Asked      string // "retry" or "drop" while the owner has not answered yet
}

// Key of the aggregate that is parked.
func (p Parked) Key() string { return p.Aggregate.String() }

// What an operator can ask of a parked key.
const (
	AskRetry = "retry" // apply the event and all that waits behind it
	AskDrop  = "drop"  // skip the event that failed, apply all that waits behind it
)

// Request is what an operator asks of the owner of a partition.
type Request struct {
	Key      string
	Sequence uint64 // that the key was parked at when it was asked; it is ignored when another event failed since
	Ask      string // AskRetry or AskDrop
}

func nextOf(name string) string { return name + "_next" }
func oldOf(name string) string  { return name + "_old" }

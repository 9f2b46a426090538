package search

import (
	"context"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
)

// Store is where an engine keeps its indexes, numbered from 1. One process at a time has it.
type Store interface {
	// Indexes lists what is there, in the order of numbers. One without a role is of no use any more.
	Indexes(ctx context.Context) ([]IndexInfo, error)
	// Create makes an empty index, which has its role from the first moment on.
	Create(ctx context.Context, number int, role Role) (Index, error)
	// Open opens an index. ErrCorrupt, ErrFormat and ErrIncarnation say what to do.
	Open(ctx context.Context, number int) (Index, error)
	// Assign changes roles, all at once or none. What is not named keeps its own; who has none is of no use any more.
	Assign(ctx context.Context, roles map[int]Role) error
	// Remove takes an index away for good; one that is not there is no error.
	Remove(ctx context.Context, number int) error

	// Run keeps the store for this process, and returns when it is somebody else's, or ctx ends.
	Run(ctx context.Context) error
	// Owns tells whether it is still this process's, as far as is known.
	Owns() bool
	// RefreshInterval is how often Refresh of an index is worth its price; zero: what is written is found at once.
	RefreshInterval() time.Duration
	// Close gives the store up; its indexes are closed.
	Close() error
}

// Absent is a store, or an engine, that may be away, and knows it without asking.
type Absent interface {
	// Away tells why it cannot be asked now: an error of kind projections.ErrTransient; nil when it can, as far as is known.
	Away() error
}

// Role is what an index is there for.
type Role string

// The roles. Each is of one index at most.
const (
	RoleServing  Role = "serving"  // answers searches
	RoleBuilding Role = "building" // is filled beside it
	RolePrevious Role = "previous" // has served before, and is kept current for going back to it
	RoleNone     Role = ""
)

// IndexInfo is what a store knows of an index.
type IndexInfo struct {
	Number      int       `json:"number"`
	Name        string    `json:"name"` // in the engine
	Role        Role      `json:"role"`
	Created     time.Time `json:"created_at"`
	Fingerprint string    `json:"fingerprint"`     // of the mapping and the analysis that it was made with
	Lacks       string    `json:"lacks,omitempty"` // what the engine does not have, and is not searched by therefore
	Documents   uint64    `json:"documents"`       // conversations
	Bytes       uint64    `json:"bytes"`
}

// Index is one index of a store. All methods may be used concurrently; Close once nothing else runs.
type Index interface {
	// Have reads what the index has of conversations and customers, also what searches do not find yet.
	Have(ctx context.Context, list []events.Aggregate) (map[events.Aggregate]*Document, error)
	// Places tells up to where the index has conversations and customers, also those of whom nothing may be found.
	Places(ctx context.Context, list []events.Aggregate) (map[events.Aggregate]Place, error)
	// People reads the marks.
	People(ctx context.Context) (People, error)
	// State is the progress of a partition in this index.
	State(ctx context.Context, partition int) (projections.State, error)
	// Write carries a batch out. Repeated, it does no harm. A document never goes back to an older position.
	// Errors: projections.ErrFenced when another process has written the progress of the partition; projections.ErrTransient
	// when it may go well later.
	Write(ctx context.Context, b Batch) error
	// Refresh returns once everything that was written before is found by searches.
	Refresh(ctx context.Context) error
	// Flush returns once everything that was written before is safe from a crash.
	Flush(ctx context.Context) error
	// Note keeps something that is not searched for beside the documents; it is written after what was written before.
	Note(ctx context.Context, key string, value []byte) error
	// Noted reads it; nil when there is nothing.
	Noted(ctx context.Context, key string) ([]byte, error)

	Search(ctx context.Context, q Query) (Result, error)
	Count(ctx context.Context, c CountRequest) ([]Count, error)
	Documents(ctx context.Context) (uint64, error)
	// Scan hands over every conversation and customer that searches find.
	Scan(ctx context.Context, fn func(Scanned) error) error
	Close() error
}

// Place is what an index has of a conversation.
type Place struct {
	Position uint64
	Gone     bool // a stub
}

// Scanned is what a scan tells of a conversation or a customer.
type Scanned struct {
	Kind     events.Kind
	Org, ID  string
	Status   string
	Position uint64
}

// Aggregate is whose document it is.
func (s Scanned) Aggregate() events.Aggregate {
	return events.Aggregate{Org: s.Org, Kind: s.Kind, ID: s.ID}
}

// Batch is what is written together. The progress is never there before the documents that it tells of.
type Batch struct {
	Plan
	Progress  *Progress // nil: documents alone
	Overtaken bool      // there may be newer documents already, and others may write some meanwhile
}

// Progress is the state of a partition after a batch.
type Progress struct {
	Partition int
	State     projections.State
	Ahead     bool // State.Ahead has changed
	Parked    bool // State.Parked has changed
}

package search

import (
	"context"
	"errors"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
)

// Engine keeps documents, finds them, and remembers with them up to where it has read. It is disposable: emptied,
// it is filled again from the log. Every engine passes searchtest.Run.
type Engine interface {
	// Sink: a session's commit writes each touched conversation
	// once, together with the progress, all or nothing; a document never goes back to an older position.
	projections.Sink
	// Run does what the index needs while it is open, until ctx ends; its error says that the index was lost.
	Run(ctx context.Context) error
	// Refresh returns once everything that was committed before is found by searches.
	Refresh(ctx context.Context) error
	// RefreshInterval is how often Refresh is worth its price; zero: what is committed is found at once.
	RefreshInterval() time.Duration
	// Search answers with conversations of q.Org only. What it finds may lag; it never blocks on indexing.
	Search(ctx context.Context, q Query) (Result, error)
	// Count tells how much of an org is in the index, by channel and window.
	Count(ctx context.Context, c CountRequest) ([]Count, error)
	// Documents is the number of conversations of all orgs.
	Documents(ctx context.Context) (uint64, error)
	// Document is one conversation as the index has it; nil when it has none.
	Document(ctx context.Context, org, id string) (*Document, error)
	Close() error
}

// Why an index cannot be opened. Each is wrapped with what the operator has to do.
var (
	ErrCorrupt     = errors.New("the search index is damaged")
	ErrFormat      = errors.New("the search index was made by another version")
	ErrIncarnation = errors.New("the search index belongs to another log")
)

// ErrConfined is a bug, never an answer: a document of another org came back.
var ErrConfined = errors.New("the index answered with another org's document")

// History reads one aggregate's own events; the log does.
type History interface {
	Read(ctx context.Context, a events.Aggregate, after uint64) ([]events.Recorded, error)
}

// Sort is the order of results.
type Sort string

// The orders.
const (
	SortRelevance Sort = "relevance"
	SortNewest    Sort = "newest" // last changed first
	SortOldest    Sort = "oldest" // last changed last
)

// TotalBound is how many matches are counted. Beyond it all that is said is that there are more.
const TotalBound = 10_000

// Query is a question as an engine gets it.
type Query struct {
	Kind    events.Kind // of what is looked for; empty: conversations
	Org     string      // nothing of another org is ever found
	Clauses []Clause
	Status  string // empty: any
	Sort    Sort
	Limit   int
	After   *After
	Notes   bool      // notes are searched too: for agents, never for visitors
	Facets  []string  // some of Facets: how the matches spread over their values
	Until   time.Time // only what was last changed until then; zero: all

	told    int    // hits on the pages before
	instead string // what is asked instead of what was typed; empty: nothing else
}

// After is where a page begins.
type After struct {
	Updated time.Time // of the last hit of the page before, unless it is sorted by relevance
	ID      string
	Seen    Seen // by relevance: all hits of the pages before
}

// Result is a page of hits; Total counts all matches.
type Result struct {
	Hits    []Hit
	Total   uint64
	AtLeast bool             // there are more than Total, which is TotalBound
	After   *After           // where the next page begins; nil when there is none
	Facets  map[string]Facet // of each that was asked for
}

// Hit is one conversation found.
type Hit struct {
	ConversationID string      `json:"conversation_id"`
	Score          float64     `json:"score"`
	Subject        string      `json:"subject"`
	Status         string      `json:"status"`
	Updated        time.Time   `json:"updated_at"`
	Highlights     []Highlight `json:"highlights,omitempty"`

	// Of a customer, whose id stands in ConversationID.
	Name       string            `json:"-"`
	Identities []events.Identity `json:"-"`
}

// CustomerHit is one customer found.
type CustomerHit struct {
	CustomerID string            `json:"customer_id"`
	Score      float64           `json:"score"`
	Name       string            `json:"name"`
	Identities []events.Identity `json:"identities" nullable:"false"`
	Updated    time.Time         `json:"updated_at"`
}

// Customers are the hits of a search for customers.
func (r Result) Customers() []CustomerHit {
	out := make([]CustomerHit, len(r.Hits))
	for i, h := range r.Hits {
		out[i] = CustomerHit{
			CustomerID: h.ConversationID, Score: h.Score, Name: h.Name, Identities: append([]events.Identity{}, h.Identities...), Updated: h.Updated,
		}
	}
	return out
}

// Highlight is where it was found: at most three per conversation.
type Highlight struct {
	In        string   `json:"in"`                   // subject, message or note
	MessageID string   `json:"message_id,omitempty"` // of the message or the note
	Fragment  string   `json:"fragment"`             // some of the text
	Matches   [][2]int `json:"matches"`              // byte ranges of the fragment
}

// CountRequest asks how much is in the index: conversations by when they were opened, messages by their own time.
type CountRequest struct {
	Org     string        `json:"org"`
	Channel string        `json:"channel,omitempty"` // empty: every channel
	From    time.Time     `json:"from"`              // zero: from the beginning
	To      time.Time     `json:"to"`                // exclusive; zero: to the end
	Window  time.Duration `json:"window,omitempty"`  // zero: one window
}

// Count is what is in the index for one channel and window.
type Count struct {
	Channel       string    `json:"channel"`
	From          time.Time `json:"from"` // of the window; zero when there is only one that begins with time
	Conversations uint64    `json:"conversations"`
	Messages      uint64    `json:"messages"`
}

package search

import (
	"encoding/base64"
	"encoding/json"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections"
)

// Request is a question as a caller asks it. Org is set by the server from who is asking, never by the caller.
type Request struct {
	Org         string          `json:"org"`
	Customers   bool            `json:"customers,omitempty"` // look for customers, not for conversations
	Q           string          `json:"q"`
	Status      string          `json:"status,omitempty"` // open, snoozed, closed; any or empty: all
	Sort        Sort            `json:"sort,omitempty"`   // default: relevance; newest when nothing can rank
	Limit       int             `json:"limit,omitempty"`  // default 25, at most 100
	Cursor      string          `json:"cursor,omitempty"`
	Notes       bool            `json:"notes,omitempty"` // look into notes too: for agents only
	MinPosition events.Position `json:"min_position"`    // answer from here on, or not_yet
}

// Answer is a page of what was found.
type Answer struct {
	Items     []Hit            `json:"items"`
	Customers []CustomerHit    `json:"customers,omitempty"` // instead of items, when they were looked for
	Total     uint64           `json:"total"`               // of all pages
	Next      string           `json:"next,omitempty"`
	AsOf      projections.AsOf `json:"as_of"`
}

// Parse checks the request and makes it a query. Errors: fault Invalid with query_invalid, filter_invalid,
// sort_invalid, limit_invalid, cursor_invalid, cursor_mismatch.
func (r Request) Parse() (Query, error) {
	if !events.ValidID(r.Org) {
		return Query{}, fault.Newf(fault.Invalid, "org_invalid", "a search is of one org")
	}
	q := Query{Org: r.Org, Status: r.Status, Sort: r.Sort, Limit: r.Limit, Notes: r.Notes}
	var err error
	if q.Clauses, err = ParseQuery(r.Q); err != nil {
		return Query{}, err
	}
	if r.Customers {
		q.Kind = events.KindCustomer
		for _, c := range q.Clauses {
			if c.Kind == Field && c.Field != FieldEmail {
				return Query{}, invalid(c.At, "customers have no field %s; put quotes around it to find it as text", c.Field)
			}
		}
	}
	statuses := []string{string(events.StatusOpen), string(events.StatusSnoozed), string(events.StatusClosed)}
	switch {
	case q.Status == "any":
		q.Status = ""
	case q.Status != "" && !slices.Contains(statuses, q.Status):
		return Query{}, param("filter_invalid", "status", "one of "+strings.Join(statuses, ", ")+", any")
	}
	switch q.Sort {
	case "", SortRelevance:
		q.Sort = SortRelevance
		if !q.Scored() {
			q.Sort = SortNewest
		}
	case SortNewest:
	default:
		return Query{}, param("sort_invalid", "sort", "relevance or newest")
	}
	switch {
	case q.Limit == 0:
		q.Limit = DefaultLimit
	case q.Limit < 0 || q.Limit > MaxLimit:
		return Query{}, param("limit_invalid", "limit", "1 to "+strconv.Itoa(MaxLimit))
	}
	if r.Cursor != "" {
		if q.After, err = r.parseCursor(q.Sort); err != nil {
			return Query{}, err
		}
	}
	return q, nil
}

func param(code, name, want string) *fault.Fault {
	return fault.Newf(fault.Invalid, code, "%s must be %s", name, want).
		WithFields(fault.Field{Location: "query." + name, Message: "must be " + want})
}

// What can be wrong with a cursor.
var (
	errCursor = fault.New(fault.Invalid, "cursor_invalid", "the cursor is not one of ours").
			WithHint("take cursors from links.next as they are, or start without one")
	errMismatch = fault.New(fault.Invalid, "cursor_mismatch", "the cursor belongs to another search").
			WithHint("repeat the request that gave the cursor, or start without one")
)

type cursor struct {
	After
	Of uint64 `json:"q"` // the request that it goes on with
}

// Next is the cursor of the page after this result; empty when there is none.
func (r Request) Next(q Query, after *After) string {
	if after == nil {
		return ""
	}
	raw, err := json.Marshal(cursor{After: *after, Of: r.digest(q.Sort)})
	if err != nil {
		return "" // a score that is not a number: there is no way on from it
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func (r Request) parseCursor(sort Sort) (*After, error) {
	raw, err := base64.RawURLEncoding.DecodeString(r.Cursor)
	if err != nil {
		return nil, errCursor
	}
	var c cursor
	switch {
	case json.Unmarshal(raw, &c) != nil || c.ID == "":
		return nil, errCursor
	case c.Of != r.digest(sort):
		return nil, errMismatch
	}
	return &c.After, nil
}

// digest ties a cursor to the question, so that it cannot be carried to another one.
func (r Request) digest(sort Sort) uint64 {
	h := fnv.New64a()
	for _, s := range []string{r.Org, r.Q, r.Status, string(sort), strconv.FormatBool(r.Notes), strconv.FormatBool(r.Customers)} {
		_, _ = h.Write([]byte(s))
		_, _ = h.Write([]byte{0})
	}
	return h.Sum64()
}

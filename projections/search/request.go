package search

import (
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
	Facets      []string        `json:"facets,omitempty"` // some of Facets
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
	AtLeast   bool             `json:"at_least,omitempty"`  // there are more than Total
	Next      string           `json:"next,omitempty"`
	Facets    map[string]Facet `json:"facets,omitempty"`
	Instead   *Instead         `json:"instead,omitempty"` // what was searched instead
	AsOf      projections.AsOf `json:"as_of"`
}

// Parse checks the request and makes it a query. Errors: fault Invalid with query_invalid, query_too_costly,
// filter_invalid, sort_invalid, limit_invalid, facet_invalid, cursor_invalid, cursor_mismatch, page_too_deep.
func (r Request) Parse() (Query, error) {
	if !events.ValidID(r.Org) {
		return Query{}, fault.Newf(fault.Invalid, "org_invalid", "a search is of one org")
	}
	q := Query{Org: r.Org, Status: r.Status, Sort: r.Sort, Limit: r.Limit, Notes: r.Notes, Facets: r.Facets}
	if err := q.read(r.Q); err != nil {
		return Query{}, err
	}
	if r.Customers {
		q.Kind = events.KindCustomer
		if c := foreign(q.Clauses); c != nil {
			return Query{}, invalid(c.At, "customers have no field %s; put quotes around it to find it as text", c.Field)
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
	case SortNewest, SortOldest:
	default:
		return Query{}, param("sort_invalid", "sort", "relevance, newest or oldest")
	}
	switch {
	case q.Limit == 0:
		q.Limit = DefaultLimit
	case q.Limit < 0 || q.Limit > MaxLimit:
		return Query{}, param("limit_invalid", "limit", "1 to "+strconv.Itoa(MaxLimit))
	}
	for _, f := range q.Facets {
		if !slices.Contains(Facets, f) {
			want := "some of " + strings.Join(Facets, ", ")
			return Query{}, fault.Newf(fault.Invalid, "facet_invalid", "facets must be %s", want).
				WithFields(fault.Field{Location: "query.facets", Message: "must be " + want})
		}
	}
	if r.Cursor != "" {
		if err := r.parseCursor(&q); err != nil {
			return Query{}, err
		}
	}
	if q.instead != "" {
		if err := q.read(q.instead); err != nil {
			return Query{}, errCursor
		}
	}
	return q, nil
}

// read parses what was typed. Whether there are notes is not for those who may not read them.
func (q *Query) read(typed string) (err error) {
	if q.Clauses, err = ParseQuery(typed); err != nil {
		return err
	}
	if c := asksOf(q.Clauses, fieldHas, HasNote); c != nil && !q.Notes {
		return invalid(c.At, "has:note needs notes to be looked into: notes=true")
	}
	return nil
}

// foreign is the first clause, at any depth, that asks customers for what only conversations have.
func foreign(list []Clause) *Clause {
	for i, c := range list {
		if c.Kind == Field && c.Field != FieldEmail {
			return &list[i]
		}
		for _, alternative := range c.Either {
			if found := foreign(alternative); found != nil {
				return found
			}
		}
	}
	return nil
}

func param(code, name, want string) *fault.Fault {
	return fault.Newf(fault.Invalid, code, "%s must be %s", name, want).
		WithFields(fault.Field{Location: "query." + name, Message: "must be " + want})
}

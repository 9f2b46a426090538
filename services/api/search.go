package api

import (
	"context"
	"net/http"

	"github.com/tidemark-desk/tidemark/projections/search"
)

// Found is a page of what a search found.
type Found struct {
	Items      []search.Hit            `json:"items" nullable:"false"`
	Total      uint64                  `json:"total" doc:"Of all pages, counted up to 10,000."`
	TotalExact bool                    `json:"total_exact" doc:"False: there are more than total."`
	Facets     map[string]search.Facet `json:"facets,omitempty" doc:"Of all matches, by each property that was asked for: the 100 most frequent values."`
	Instead    *search.Instead         `json:"instead,omitempty" doc:"Nothing matched q, and this was searched instead: the nearest words that are there. Absent otherwise."`
	Links      Links                   `json:"links"`
	AsOf       *AsOf                   `json:"as_of"`
}

func (s *Service) registerSearch() {
	add(s, operation{
		id: "search", method: http.MethodGet, path: "/v1/search", tag: "Search",
		summary: "Find conversations by their words",
		doc: "q has words (all must be found), \"phrases\", prefix*, -not, OR between two of these, parentheses, and field:value with " +
			"status, queue, assignee, tag, channel, priority, customer, email (of the customer, also of who was merged into them), " +
			"has (attachment, note, assignee, queue, tag), before and after " +
			"(a date or a time, of the last change); assignee:none and queue:none. What changes while a caller goes through the pages " +
			"neither repeats nor hides anything else. When the index cannot be asked to the end the answer is search_unavailable, never " +
			"an empty or a partial list.",
		codes: []string{
			"query_invalid", "query_too_costly", "filter_invalid", "sort_invalid", "limit_invalid", "facet_invalid", "cursor_invalid",
			"cursor_mismatch", "page_too_deep", "search_unavailable", "not_yet", "position_unknown",
		},
	}, s.search)
	add(s, operation{
		id: "search-customers", method: http.MethodGet, path: "/v1/search/customers", tag: "Search",
		summary: "Find customers by their names, e-mail addresses, phone numbers and ids",
		doc: "An address or an id is found whole, by its parts and by how it begins with a star: anna.smith@example.com by itself, by " +
			"anna.smith, example.com and smith, and by ann*. Who was erased is not found, and for who was merged the one who took over is.",
		codes: []string{
			"query_invalid", "limit_invalid", "cursor_invalid", "cursor_mismatch", "search_unavailable", "not_yet", "position_unknown",
		},
	}, s.searchCustomers)
}

func (s *Service) searchCustomers(ctx context.Context, in *SearchCustomersInput) (*Answer[FoundCustomers], error) {
	p, err := in.minPosition()
	if err != nil {
		return nil, err
	}
	a, err := s.Reads.Search.Search(ctx, search.Request{
		Org: callerOf(ctx).OrgID, Customers: true, Q: in.Q, Limit: in.Limit, Cursor: in.Cursor, MinPosition: p,
	})
	if err != nil {
		return nil, err
	}
	return &Answer[FoundCustomers]{FoundCustomers{
		Items: append([]search.CustomerHit{}, a.Customers...), Total: a.Total, Links: next(ctx, a.Next), AsOf: asOf(a.AsOf),
	}}, nil
}

// FoundCustomers is a page of the customers that a search found.
type FoundCustomers struct {
	Items []search.CustomerHit `json:"items" nullable:"false"`
	Total uint64               `json:"total" doc:"Of all pages."`
	Links Links                `json:"links"`
	AsOf  *AsOf                `json:"as_of"`
}

// SearchCustomersInput is a search for customers.
type SearchCustomersInput struct {
	Reading
	Paging
	Q string `query:"q" maxLength:"1000" doc:"Words, parts of addresses and of ids, \"phrases\", prefix*, -not and email:address."`
}

// SearchInput is a search.
type SearchInput struct {
	Reading
	Limit  int      `query:"limit" minimum:"1" maximum:"100" default:"25" doc:"Items on a page."`
	Cursor string   `query:"cursor" maxLength:"8000" doc:"From links.next of the page before. Pages end after 1,000 items by relevance, and after 10,000 by date."`
	Q      string   `query:"q" maxLength:"1000"`
	Status string   `query:"status" enum:"open,snoozed,closed,any" default:"any"`
	Sort   string   `query:"sort" enum:"relevance,newest,oldest" doc:"Newest and oldest: by the last change. Default: relevance; newest when nothing in q can rank."`
	Notes  bool     `query:"notes" doc:"Look into notes too."`
	Facets []string `query:"facets" enum:"status,queue,assignee,tag,channel,priority" maxItems:"6" doc:"Count all matches by these, with commas between."`
}

func (s *Service) search(ctx context.Context, in *SearchInput) (*Answer[Found], error) {
	p, err := in.minPosition()
	if err != nil {
		return nil, err
	}
	a, err := s.Reads.Search.Search(ctx, search.Request{
		Org: callerOf(ctx).OrgID, Q: in.Q, Status: in.Status, Sort: search.Sort(in.Sort), Limit: in.Limit, Facets: in.Facets,
		Cursor: in.Cursor, Notes: in.Notes, MinPosition: p,
	})
	if err != nil {
		return nil, err
	}
	return &Answer[Found]{Found{
		Items: append([]search.Hit{}, a.Items...), Total: a.Total, TotalExact: !a.AtLeast, Facets: a.Facets, Instead: a.Instead,
		Links: next(ctx, a.Next), AsOf: asOf(a.AsOf),
	}}, nil
}

package api

import (
	"context"
	"net/http"

	"github.com/tidemark-desk/tidemark/projections/search"
)

// Found is a page of what a search found.
type Found struct {
	Items []search.Hit `json:"items" nullable:"false"`
	Total uint64       `json:"total" doc:"Of all pages."`
	Links Links        `json:"links"`
	AsOf  *AsOf        `json:"as_of"`
}

func (s *Service) registerSearch() {
	add(s, operation{
		id: "search", method: http.MethodGet, path: "/v1/search", tag: "Search",
		summary: "Find conversations by their words",
		doc: "q has words (all must be found), \"phrases\", prefix*, -not and field:value with status, queue, assignee, tag, channel, " +
			"priority and customer. When the index cannot be asked the answer is search_unavailable, never an empty list.",
		codes: []string{
			"query_invalid", "filter_invalid", "sort_invalid", "limit_invalid", "cursor_invalid", "cursor_mismatch",
			"search_unavailable", "not_yet", "position_unknown",
		},
	}, s.search)
}

// SearchInput is a search.
type SearchInput struct {
	Reading
	Paging
	Q      string `query:"q" maxLength:"1000"`
	Status string `query:"status" enum:"open,snoozed,closed,any" default:"any"`
	Sort   string `query:"sort" enum:"relevance,newest" doc:"Default: relevance; newest when nothing in q can rank."`
	Notes  bool   `query:"notes" doc:"Look into notes too."`
}

func (s *Service) search(ctx context.Context, in *SearchInput) (*Answer[Found], error) {
	p, err := in.minPosition()
	if err != nil {
		return nil, err
	}
	a, err := s.Reads.Search.Search(ctx, search.Request{
		Org: callerOf(ctx).OrgID, Q: in.Q, Status: in.Status, Sort: search.Sort(in.Sort), Limit: in.Limit,
		Cursor: in.Cursor, Notes: in.Notes, MinPosition: p,
	})
	if err != nil {
		return nil, err
	}
	return &Answer[Found]{Found{
		Items: append([]search.Hit{}, a.Items...), Total: a.Total, Links: next(ctx, a.Next), AsOf: asOf(a.AsOf),
	}}, nil
}

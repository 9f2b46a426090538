package bleve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	blevesearch "github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/numeric"
	bsearch "github.com/blevesearch/bleve/v2/search"
	"github.com/blevesearch/bleve/v2/search/query"
	index "github.com/blevesearch/bleve_index_api"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// errConfined is a bug, never an answer: a document of another org came back.
var errConfined = errors.New("the index answered with another org's document")

// reader is a snapshot of the index; done gives it back.
func (e *Engine) reader() (r index.IndexReader, done func(), err error) {
	inner, err := e.index.Advanced()
	if err != nil {
		return nil, nil, fmt.Errorf("open the search index: %w", err)
	}
	if r, err = inner.Reader(); err != nil {
		return nil, nil, fmt.Errorf("read the search index: %w", err)
	}
	return r, func() { _ = r.Close() }, nil
}

// Search finds in two steps: which conversations are on the page, and then, of those alone, what is in them and where
// the words stand. Finding positions for every match would cost far more than the search.
func (e *Engine) Search(ctx context.Context, q search.Query) (search.Result, error) {
	r, done, err := e.reader()
	if err != nil {
		return search.Result{}, err
	}
	defer done()
	c, err := compile(r, q)
	if err != nil || c.none {
		return nothing(q), err
	}
	page, err := e.index.SearchInContext(ctx, request(q, c))
	if err != nil {
		return search.Result{}, interrupted(ctx, "search", err)
	}
	return e.describe(ctx, r, q, c, page)
}

// nothing is the result of what cannot match.
func nothing(q search.Query) search.Result {
	var res search.Result
	for _, f := range q.Facets {
		if res.Facets == nil {
			res.Facets = map[string]search.Facet{}
		}
		res.Facets[f] = search.Facet{Values: []search.FacetValue{}}
	}
	return res
}

// interrupted tells a search that was out of time, which may be well again later, from one that failed.
func interrupted(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %s: %w", projections.ErrTransient, what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// request asks for the page, and by relevance also for what was on those before, because it may stand anywhere by now.
func request(q search.Query, c compiled) *blevesearch.SearchRequest {
	size := q.Limit
	if q.After != nil {
		size += q.After.Seen.Len()
	}
	req := blevesearch.NewSearchRequestOptions(c.root, size, 0, false)
	if ranked(q, c) {
		req.SortByCustom(bsearch.SortOrder{&bsearch.SortScore{Desc: true}, &bsearch.SortDocID{}})
	} else {
		req.Score = "none"
		req.SortByCustom(bsearch.SortOrder{
			&bsearch.SortField{
				Field: fieldUpdated, Type: bsearch.SortFieldAsDate, Mode: bsearch.SortFieldDefault, Desc: q.Sort != search.SortOldest,
			},
			&bsearch.SortDocID{},
		})
		if q.After != nil {
			req.SetSearchAfter([]string{representable(q.After.Updated).UTC().Format(time.RFC3339Nano), docID(q.Org, search.Key(events.Aggregate{Kind: q.Kind, ID: q.After.ID}))})
		}
	}
	for _, f := range q.Facets {
		req.AddFacet(f, blevesearch.NewFacetRequest(f, search.MaxFacetValues))
	}
	return req
}

func ranked(q search.Query, c compiled) bool {
	return q.Sort == search.SortRelevance && len(c.words) > 0
}

// describe turns matches into hits.
func (e *Engine) describe(ctx context.Context, r index.IndexReader, q search.Query, c compiled, page *blevesearch.SearchResult) (search.Result, error) {
	result := search.Result{
		Total: min(page.Total, search.TotalBound), AtLeast: page.Total > search.TotalBound,
		Hits: make([]search.Hit, 0, q.Limit), Facets: facets(q, page.Facets),
	}
	hits := page.Hits
	if q.After != nil && q.After.Seen.Len() > 0 {
		hits = slices.DeleteFunc(hits, func(h *bsearch.DocumentMatch) bool {
			return q.After.Seen.Has(idAt(h.ID))
		})
	}
	hits = hits[:min(len(hits), q.Limit)]
	where, err := e.locate(ctx, c, hits)
	if err != nil {
		return search.Result{}, err
	}
	for _, match := range hits {
		doc, err := stored(r, match.ID)
		switch {
		case err != nil:
			return search.Result{}, err
		case doc == nil || doc.Erased:
			continue // taken out a moment ago, or put in
		case doc.Org != q.Org:
			return search.Result{}, errConfined
		}
		result.Hits = append(result.Hits, search.Hit{
			ConversationID: doc.ID, Score: match.Score, Subject: doc.Subject, Status: doc.Status, Updated: doc.Updated,
			Highlights: highlights(doc, where[match.ID]), Name: doc.Name, Identities: doc.Identities,
		})
	}
	if len(hits) == q.Limit {
		if result.After, err = after(q, result.Hits, hits[len(hits)-1]); err != nil {
			return search.Result{}, err
		}
	}
	return result, nil
}

// after is where the next page begins: behind the last match as the index found it, whatever became of it since.
func after(q search.Query, told []search.Hit, last *bsearch.DocumentMatch) (*search.After, error) {
	var seen search.Seen
	if q.After != nil {
		seen = q.After.Seen
	}
	a := &search.After{ID: idAt(last.ID), Seen: seen.With(told)}
	if q.Sort == search.SortRelevance {
		return a, nil
	}
	nanoseconds, err := numeric.PrefixCoded(last.Sort[0]).Int64()
	if err != nil {
		return nil, fmt.Errorf("read when %s was changed: %w", last.ID, err)
	}
	a.Updated = time.Unix(0, nanoseconds).UTC()
	return a, nil
}

// idAt is whose document stands at a place.
func idAt(place string) string { return place[strings.LastIndexByte(place, '/')+1:] }

// facets are how many matches have which value.
func facets(q search.Query, found bsearch.FacetResults) map[string]search.Facet {
	if len(q.Facets) == 0 {
		return nil
	}
	out := map[string]search.Facet{}
	for name, res := range found {
		f := search.Facet{Values: []search.FacetValue{}, None: uint64(max(res.Missing, 0))}
		if res.Terms != nil {
			for _, t := range res.Terms.Terms() {
				f.Values = append(f.Values, search.FacetValue{Value: t.Term, Count: uint64(max(t.Count, 0))})
			}
		}
		out[name] = f.Sorted()
	}
	return out
}

// locate finds where the words stand in the documents of a page.
func (e *Engine) locate(ctx context.Context, c compiled, hits bsearch.DocumentMatchCollection) (map[string]bsearch.FieldTermLocationMap, error) {
	if len(c.words) == 0 || len(hits) == 0 {
		return nil, nil
	}
	ids := make([]string, len(hits))
	for i, h := range hits {
		ids[i] = h.ID
	}
	slices.Sort(ids)
	req := blevesearch.NewSearchRequestOptions(query.NewConjunctionQuery([]query.Query{
		query.NewDocIDQuery(ids), query.NewDisjunctionQuery(c.words),
	}), len(ids), 0, false)
	req.IncludeLocations = true
	res, err := e.index.SearchInContext(ctx, req)
	if err != nil {
		return nil, interrupted(ctx, "find highlights", err)
	}
	where := make(map[string]bsearch.FieldTermLocationMap, len(res.Hits))
	for _, h := range res.Hits {
		where[h.ID] = h.Locations
	}
	return where, nil
}

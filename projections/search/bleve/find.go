package bleve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/blevesearch/bleve/v2/numeric"
	bsearch "github.com/blevesearch/bleve/v2/search"
	"github.com/blevesearch/bleve/v2/search/collector"
	"github.com/blevesearch/bleve/v2/search/facet"
	"github.com/blevesearch/bleve/v2/search/query"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// Search finds in two steps, in one snapshot: which conversations are on the page, and then, of those alone, what is in them
// and where the words stand. Finding positions for every match would cost far more than the search.
func (e *Engine) Search(ctx context.Context, q search.Query) (search.Result, error) {
	r, done, err := e.reader()
	if err != nil {
		return search.Result{}, err
	}
	defer done()
	c, err := compile(r, q)
	if err != nil || c.none {
		return q.Nothing(), err
	}
	page, err := e.collect(ctx, r, q, c)
	if err != nil {
		return search.Result{}, interrupted(ctx, "search", err)
	}
	return e.describe(ctx, r, q, c, page)
}

// interrupted tells a search that was out of time, which may be well again later, from one that failed.
func interrupted(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %s: %w", projections.ErrTransient, what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// collect goes through all matches, and keeps those of the page.
func (e *Engine) collect(ctx context.Context, r *snapshot, q search.Query, c compiled) (page *collector.TopNCollector, err error) {
	page, options := top(q, c)
	found, err := c.root.Searcher(ctx, r, e.index.Mapping(), options)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	if len(q.Facets) > 0 {
		counts := bsearch.NewFacetsBuilder(r)
		for _, f := range q.Facets {
			counts.Add(f, facet.NewTermsFacetBuilder(f, search.MaxFacetValues))
		}
		page.SetFacetsBuilder(counts)
	}
	return page, page.Collect(ctx, found, r)
}

// top is which matches are on the page: by relevance also what was on those before, because it may stand anywhere by now. Among
// matches of the same score the index's own order holds: to look at the id of each would cost as much as the search.
func top(q search.Query, c compiled) (*collector.TopNCollector, bsearch.SearcherOptions) {
	size := q.Limit
	if q.After != nil {
		size += q.After.Seen.Len()
	}
	if ranked(q, c) {
		return collector.NewTopNCollector(size, 0, byScore()), bsearch.SearcherOptions{}
	}
	options := bsearch.SearcherOptions{Score: "none"}
	order := bsearch.SortOrder{
		&bsearch.SortField{Field: fieldUpdated, Type: bsearch.SortFieldAsDate, Mode: bsearch.SortFieldDefault, Desc: q.Sort != search.SortOldest},
		&bsearch.SortDocID{},
	}
	if q.After == nil {
		return collector.NewTopNCollector(size, 0, order), options
	}
	return collector.NewTopNCollectorAfter(size, order, []string{
		representable(q.After.Updated).UTC().Format(time.RFC3339Nano), docID(q.Org, search.Key(events.Aggregate{Kind: q.Kind, ID: q.After.ID})),
	}), options
}

func byScore() bsearch.SortOrder { return bsearch.SortOrder{&bsearch.SortScore{Desc: true}} }

func ranked(q search.Query, c compiled) bool {
	return q.Sort == search.SortRelevance && len(c.words) > 0
}

// describe turns matches into hits.
func (e *Engine) describe(ctx context.Context, r *snapshot, q search.Query, c compiled, page *collector.TopNCollector) (search.Result, error) {
	result := search.Result{
		Total: min(page.Total(), search.TotalBound), AtLeast: page.Total() > search.TotalBound,
		Hits: make([]search.Hit, 0, q.Limit), Facets: facets(q, page.FacetResults()),
	}
	hits := page.Results()
	if q.After != nil && q.After.Seen.Len() > 0 {
		hits = slices.DeleteFunc(hits, func(h *bsearch.DocumentMatch) bool {
			return q.After.Seen.Has(search.IDAt(h.ID))
		})
	}
	hits = hits[:min(len(hits), q.Limit)]
	where, err := e.locate(ctx, r, c, hits)
	if err != nil {
		return search.Result{}, err
	}
	for i, match := range hits {
		err := r.visit(match.IndexInternalID, func(doc *kept) error {
			if doc.Org != q.Org {
				return search.ErrConfined
			}
			shown, err := highlights(doc, where[i])
			result.Hits = append(result.Hits, search.Hit{
				ConversationID: doc.ID, Score: match.Score, Subject: doc.Subject, Status: doc.Status, Updated: doc.Updated,
				Highlights: shown, Name: doc.Name, Identities: doc.Identities,
			})
			return err
		})
		if err != nil {
			return search.Result{}, err
		}
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
	a := &search.After{ID: search.IDAt(last.ID), Seen: seen.With(told)}
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
func (e *Engine) locate(ctx context.Context, r *snapshot, c compiled, hits bsearch.DocumentMatchCollection) (where []bsearch.FieldTermLocationMap, err error) {
	where = make([]bsearch.FieldTermLocationMap, len(hits))
	if len(c.words) == 0 || len(hits) == 0 {
		return where, nil
	}
	words, err := query.NewDisjunctionQuery(c.words).Searcher(ctx, r, e.index.Mapping(), bsearch.SearcherOptions{IncludeTermVectors: true})
	if err != nil {
		return nil, interrupted(ctx, "find highlights", err)
	}
	defer func() { err = errors.Join(err, words.Close()) }()
	order := make([]int, len(hits)) // in which the index has them
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return hits[a].IndexInternalID.Compare(hits[b].IndexInternalID) })
	sc := &bsearch.SearchContext{DocumentMatchPool: bsearch.NewDocumentMatchPool(words.DocumentMatchPoolSize()+1, 0), IndexReader: r}
	var at *bsearch.DocumentMatch
	for _, i := range order {
		wanted := hits[i].IndexInternalID
		if at == nil || at.IndexInternalID.Compare(wanted) < 0 {
			sc.DocumentMatchPool.Put(at)
			if at, err = words.Advance(sc, wanted); err != nil {
				return nil, interrupted(ctx, "find highlights", err)
			}
		}
		if at == nil {
			break
		}
		if at.IndexInternalID.Equals(wanted) {
			at.Complete(nil)
			where[i] = at.Locations
		}
	}
	return where, nil
}

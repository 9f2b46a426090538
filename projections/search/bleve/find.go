package bleve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	blevesearch "github.com/blevesearch/bleve/v2"
	bsearch "github.com/blevesearch/bleve/v2/search"
	"github.com/blevesearch/bleve/v2/search/query"
	index "github.com/blevesearch/bleve_index_api"

	"github.com/tidemark-desk/tidemark/events"
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
	c := compile(q)
	if c.none {
		return search.Result{}, nil
	}
	scored := q.Sort == search.SortRelevance && len(c.words) > 0
	req := blevesearch.NewSearchRequestOptions(c.root, q.Limit, 0, false)
	if scored {
		req.SortByCustom(bsearch.SortOrder{&bsearch.SortScore{Desc: true}, &bsearch.SortDocID{}})
	} else {
		req.Score = "none"
		req.SortByCustom(bsearch.SortOrder{
			&bsearch.SortField{Field: fieldUpdated, Type: bsearch.SortFieldAsDate, Mode: bsearch.SortFieldDefault, Desc: true},
			&bsearch.SortDocID{},
		})
	}
	if q.After != nil {
		first := q.After.Updated.UTC().Format(time.RFC3339Nano)
		if scored {
			first = strconv.FormatFloat(q.After.Score, 'g', -1, 64)
		}
		req.SetSearchAfter([]string{first, docID(q.Org, search.Key(events.Aggregate{Kind: q.Kind, ID: q.After.ID}))})
	}
	page, err := e.index.SearchInContext(ctx, req)
	if err != nil {
		return search.Result{}, fmt.Errorf("search: %w", err)
	}
	return e.describe(ctx, q, c, page)
}

// describe turns matches into hits.
func (e *Engine) describe(ctx context.Context, q search.Query, c compiled, page *blevesearch.SearchResult) (search.Result, error) {
	result := search.Result{Total: page.Total, Hits: make([]search.Hit, 0, len(page.Hits))}
	where, err := e.locate(ctx, c, page.Hits)
	if err != nil {
		return search.Result{}, err
	}
	r, done, err := e.reader()
	if err != nil {
		return search.Result{}, err
	}
	defer done()
	for _, match := range page.Hits {
		doc, err := stored(r, match.ID)
		switch {
		case err != nil:
			return search.Result{}, err
		case doc == nil || doc.Erased:
			continue // taken out a moment ago
		case doc.Org != q.Org:
			return search.Result{}, errConfined
		}
		result.Hits = append(result.Hits, search.Hit{
			ConversationID: doc.ID, Score: match.Score, Subject: doc.Subject, Status: doc.Status, Updated: doc.Updated,
			Highlights: highlights(doc, where[match.ID]), Name: doc.Name, Identities: doc.Identities,
		})
		if len(page.Hits) == q.Limit {
			result.After = &search.After{Score: match.Score, Updated: representable(doc.Updated), ID: doc.ID}
		}
	}
	return result, nil
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
		return nil, fmt.Errorf("find highlights: %w", err)
	}
	where := make(map[string]bsearch.FieldTermLocationMap, len(res.Hits))
	for _, h := range res.Hits {
		where[h.ID] = h.Locations
	}
	return where, nil
}

package bleve

import (
	"context"
	"errors"
	"fmt"

	bsearch "github.com/blevesearch/bleve/v2/search"
	"github.com/blevesearch/bleve/v2/search/query"

	"github.com/tidemark-desk/tidemark/projections/search"
)

// Count reads the stored documents of the org one by one: it is for accounts, not for every request.
func (e *Engine) Count(ctx context.Context, c search.CountRequest) (_ []search.Count, err error) {
	all := []query.Query{exactly(fieldOrg, c.Org), exactly(fieldKind, kindConversation)}
	if c.Channel != "" {
		all = append(all, exactly("channel", c.Channel))
	}
	r, done, err := e.reader()
	if err != nil {
		return nil, err
	}
	defer done()
	s, err := query.NewConjunctionQuery(all).Searcher(ctx, r, e.index.Mapping(), bsearch.SearcherOptions{Score: "none"})
	if err != nil {
		return nil, fmt.Errorf("count: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	sc := &bsearch.SearchContext{DocumentMatchPool: bsearch.NewDocumentMatchPool(s.DocumentMatchPoolSize()+1, 0), IndexReader: r}
	t := search.NewTally(c)
	for {
		match, err := s.Next(sc)
		if err != nil {
			return nil, fmt.Errorf("count: %w", err)
		}
		if match == nil {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		id, err := r.ExternalID(match.IndexInternalID)
		if err != nil {
			return nil, fmt.Errorf("count: %w", err)
		}
		sc.DocumentMatchPool.Put(match)
		doc, err := stored(r, id)
		if err != nil {
			return nil, err
		}
		if doc != nil {
			t.Add(doc)
		}
	}
	return t.Counts(), nil
}

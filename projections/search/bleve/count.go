package bleve

import (
	"context"
	"errors"
	"fmt"

	bsearch "github.com/blevesearch/bleve/v2/search"
	"github.com/blevesearch/bleve/v2/search/query"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// Count reads the stored documents of the org one by one: it is for accounts, not for every request.
func (e *Engine) Count(ctx context.Context, c search.CountRequest) ([]search.Count, error) {
	all := []query.Query{exactly(fieldScope, scope(c.Org, events.KindConversation))}
	if c.Channel != "" {
		all = append(all, exactly("channel", c.Channel))
	}
	t := search.NewTally(c)
	err := e.each(ctx, query.NewConjunctionQuery(all), func(k *kept) error {
		d, err := k.whole()
		if err == nil {
			t.Add(d)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count: %w", err)
	}
	return t.Counts(), nil
}

// Scan reads every stored document.
func (e *Engine) Scan(ctx context.Context, fn func(search.Scanned) error) error {
	both := query.NewDisjunctionQuery([]query.Query{exactly(fieldKind, kindConversation), exactly(fieldKind, kindCustomer)})
	err := e.each(ctx, both, func(d *kept) error {
		return fn(search.Scanned{Kind: d.Aggregate().Kind, Org: d.Org, ID: d.ID, Status: d.Status, Position: d.Position})
	})
	if err != nil {
		return fmt.Errorf("scan: %w", err)
	}
	return nil
}

// each reads the stored documents that a query matches.
func (e *Engine) each(ctx context.Context, q query.Query, fn func(*kept) error) (err error) {
	r, done, err := e.reader()
	if err != nil {
		return err
	}
	defer done()
	s, err := q.Searcher(ctx, r, e.index.Mapping(), bsearch.SearcherOptions{Score: "none"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	sc := &bsearch.SearchContext{DocumentMatchPool: bsearch.NewDocumentMatchPool(s.DocumentMatchPoolSize()+1, 0), IndexReader: r}
	for {
		match, err := s.Next(sc)
		if match == nil || err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		err = r.visit(match.IndexInternalID, fn)
		sc.DocumentMatchPool.Put(match)
		if err != nil {
			return err
		}
	}
}

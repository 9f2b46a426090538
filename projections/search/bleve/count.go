package bleve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

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
	counts := map[countKey]*search.Count{}
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
			tally(counts, c, doc)
		}
	}
	out := make([]search.Count, 0, len(counts))
	for _, n := range counts {
		out = append(out, *n)
	}
	slices.SortFunc(out, func(a, b search.Count) int {
		return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Channel, b.Channel))
	})
	return out, nil
}

type countKey struct {
	channel string
	from    int64
}

func tally(counts map[countKey]*search.Count, c search.CountRequest, d *search.Document) {
	at := func(t time.Time) *search.Count {
		if t.Before(c.From) || !c.To.IsZero() && !t.Before(c.To) {
			return &search.Count{} // outside; counted for nobody
		}
		from := c.From
		if c.Window > 0 {
			from = t.Truncate(c.Window).UTC()
		}
		k := countKey{channel: d.Channel, from: from.UnixNano()}
		if counts[k] == nil {
			counts[k] = &search.Count{Channel: d.Channel, From: from}
		}
		return counts[k]
	}
	at(d.Created).Conversations++
	for _, m := range d.Messages {
		at(m.At).Messages++
	}
}

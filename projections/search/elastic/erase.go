package elastic

import (
	"context"
	"encoding/json"
	"fmt"

	es "github.com/olivere/elastic/v7"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// scanned is how many documents one request of a scan reads.
const scanned = 1000

// scan hands over every document that a query matches, as it was when the last refresh was.
func (e *Engine) scan(ctx context.Context, q es.Query, fields []string, each func(h *es.SearchHit) error) error {
	var after []any
	for {
		find := e.client.Search(e.index).Query(q).Size(scanned).Sort("org", true).Sort("id", true).Sort("kind", true).
			FetchSourceContext(es.NewFetchSourceContext(len(fields) > 0).Include(fields...)).Version(true).TrackTotalHits(false)
		if after != nil {
			find = find.SearchAfter(after...)
		}
		res, err := find.Do(ctx)
		if err != nil {
			return e.away("read the search index", err)
		}
		for _, h := range res.Hits.Hits {
			if err := each(h); err != nil {
				return err
			}
		}
		if len(res.Hits.Hits) < scanned {
			return nil
		}
		after = res.Hits.Hits[len(res.Hits.Hits)-1].Sort
	}
}

// People reads the marks.
func (e *Engine) People(ctx context.Context) (search.People, error) {
	p := search.NewPeople()
	marks := es.NewTermsQuery("kind", kindErased, kindMerged)
	err := e.scan(ctx, marks, []string{"org", "id", "into"}, func(h *es.SearchHit) error {
		var d document
		if err := json.Unmarshal(h.Source, &d); err != nil {
			return fmt.Errorf("%w: a mark does not decode: %w", search.ErrCorrupt, err)
		}
		p.Add(search.Mark{Customer: search.Customer{Org: d.Org, ID: d.ID}, Into: d.Into})
		return nil
	})
	return p, err
}

// forget leaves stubs of the conversations of a customer.
func (e *Engine) forget(ctx context.Context, c search.Customer) error {
	theirs := es.NewBoolQuery().Filter(
		es.NewTermQuery("kind", kindConversation), es.NewTermQuery("org", c.Org), es.NewTermQuery("customer", c.ID))
	w := bulk{fields: e.fields}
	err := e.scan(ctx, theirs, []string{"id"}, func(h *es.SearchHit) error {
		var d document
		if err := json.Unmarshal(h.Source, &d); err != nil {
			return fmt.Errorf("%w: a document does not decode: %w", search.ErrCorrupt, err)
		}
		if h.Version == nil || *h.Version < 0 {
			return fmt.Errorf("%w: document %s has no version", search.ErrCorrupt, h.Id)
		}
		return w.add(h.Id, uint64(*h.Version), document{Kind: kindGone, Org: c.Org, ID: d.ID})
	})
	if err != nil {
		return err
	}
	return e.write(ctx, &w)
}

// Scan hands over every conversation.
func (e *Engine) Scan(ctx context.Context, fn func(search.Scanned) error) error {
	return e.scan(ctx, es.NewTermsQuery("kind", kindConversation, kindCustomer), []string{"kind", "org", "id", "status"}, func(h *es.SearchHit) error {
		var d document
		if err := json.Unmarshal(h.Source, &d); err != nil {
			return fmt.Errorf("%w: a document does not decode: %w", search.ErrCorrupt, err)
		}
		if h.Version == nil || *h.Version < 0 {
			return fmt.Errorf("%w: document %s has no version", search.ErrCorrupt, h.Id)
		}
		kind := events.KindConversation
		if d.Kind == kindCustomer {
			kind = events.KindCustomer
		}
		return fn(search.Scanned{Kind: kind, Org: d.Org, ID: d.ID, Status: d.Status, Position: uint64(*h.Version)})
	})
}

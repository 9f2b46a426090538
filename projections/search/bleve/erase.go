package bleve

import (
	"context"
	"fmt"

	blevesearch "github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/document"
	"github.com/blevesearch/bleve/v2/search/query"
	index "github.com/blevesearch/bleve_index_api"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// mark keeps what became of a customer, in a document of its own.
func mark(batch *blevesearch.Batch, m search.Mark) error {
	id, kind := erasedID(m.Customer), kindErased
	if m.Into != "" {
		id, kind = mergedID(m.Customer), kindMerged
	}
	doc := document.NewDocument(id)
	doc.AddField(document.NewTextFieldCustom(fieldKind, nil, []byte(kind), exactOptions, nil))
	if m.Into != "" {
		doc.AddField(document.NewTextFieldCustom(fieldInto, nil, []byte(m.Into), index.StoreField, nil))
	}
	if err := batch.IndexAdvanced(doc); err != nil {
		return fmt.Errorf("mark what became of %s: %w", m.ID, err)
	}
	return nil
}

// People reads the marks.
func (e *Engine) People(ctx context.Context) (search.People, error) {
	p := search.NewPeople()
	for _, kind := range []string{kindErased, kindMerged} {
		marks := blevesearch.NewSearchRequestOptions(exactly(fieldKind, kind), 1<<20, 0, false)
		marks.Fields = []string{fieldInto}
		res, err := e.index.SearchInContext(ctx, marks)
		if err != nil {
			return search.People{}, fmt.Errorf("read who is %s: %w", kind, err)
		}
		for _, hit := range res.Hits {
			into, _ := hit.Fields[fieldInto].(string)
			p.Add(search.Mark{Customer: ofMark(hit.ID), Into: into})
		}
	}
	return p, nil
}

// forget takes the conversations of a customer out of the index.
func (e *Engine) forget(ctx context.Context, batch *blevesearch.Batch, c search.Customer) error {
	theirs := query.NewConjunctionQuery([]query.Query{
		exactly(fieldScope, scope(c.Org, events.KindConversation)), exactly("customer", c.ID),
	})
	count, err := e.index.DocCount()
	if err != nil {
		return fmt.Errorf("count documents: %w", err)
	}
	req := blevesearch.NewSearchRequestOptions(theirs, int(min(count, 1<<24)), 0, false)
	req.Score = "none"
	res, err := e.index.SearchInContext(ctx, req)
	if err != nil {
		return fmt.Errorf("find conversations of %s: %w", c.ID, err)
	}
	for _, hit := range res.Hits {
		batch.Delete(hit.ID)
	}
	return nil
}

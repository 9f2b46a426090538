package bleve

import (
	"context"
	"fmt"

	blevesearch "github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/document"
	"github.com/blevesearch/bleve/v2/search/query"

	"github.com/tidemark-desk/tidemark/events"
)

// erase takes a customer's conversations out, and leaves a mark so that an event that is still on its way cannot
// bring one back.
func (e *Engine) erase(ctx context.Context, batch *blevesearch.Batch, customer events.Aggregate) error {
	theirs := query.NewConjunctionQuery([]query.Query{
		exactly(fieldKind, kindConversation), exactly(fieldOrg, customer.Org), exactly("customer", customer.ID),
	})
	count, err := e.index.DocCount()
	if err != nil {
		return fmt.Errorf("count documents: %w", err)
	}
	req := blevesearch.NewSearchRequestOptions(theirs, int(min(count, 1<<24)), 0, false)
	req.Score = "none"
	res, err := e.index.SearchInContext(ctx, req)
	if err != nil {
		return fmt.Errorf("find conversations of %s: %w", customer, err)
	}
	for _, hit := range res.Hits {
		batch.Delete(hit.ID)
	}
	mark := document.NewDocument(erasedID(customer.Org, customer.ID))
	mark.AddField(document.NewTextFieldCustom(fieldKind, nil, []byte(kindErased), exactOptions, nil))
	if err := batch.IndexAdvanced(mark); err != nil {
		return fmt.Errorf("mark %s as erased: %w", customer, err)
	}
	return nil
}

package bleve

import (
	"context"
	"fmt"
	"maps"

	blevesearch "github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/document"
	"github.com/blevesearch/bleve/v2/search/query"
	index "github.com/blevesearch/bleve_index_api"

	"github.com/tidemark-desk/tidemark/events"
)

// people is what became of customers, by customerID: who went on in whom, and who is erased. Whoever went on in somebody
// who is erased is erased with them. It is never changed in place: a commit that has news takes its own and puts it
// into the engine once it is written.
type people struct {
	into   map[string]string
	erased map[string]bool
}

func (p people) clone() people {
	return people{into: maps.Clone(p.into), erased: maps.Clone(p.erased)}
}

// gone tells whether nothing of a customer may be found.
func (p people) gone(id string) bool {
	for range len(p.into) + 1 { // a circle of merges ends
		if p.erased[id] {
			return true
		}
		next, went := p.into[id]
		if !went {
			return false
		}
		id = next
	}
	return false
}

// with is a customer and all who went on in them, however many merges ago.
func (p people) with(id string) []string {
	all := []string{id}
	seen := map[string]bool{id: true}
	for i := 0; i < len(all); i++ {
		for from, into := range p.into {
			if into == all[i] && !seen[from] {
				seen[from] = true
				all = append(all, from)
			}
		}
	}
	return all
}

// note puts what the events say of a customer into the batch, as marks that outlive the log's own history, and into p.
// news tells that it was something.
func (p people) note(batch *blevesearch.Batch, a events.Aggregate, list []events.Recorded) (news bool, err error) {
	id := customerID(a.Org, a.ID)
	for _, r := range list {
		switch e := r.Event.(type) {
		case events.Unknown:
			return false, fmt.Errorf("read %s of %s at %d: %s", e.Type, a, r.Sequence, e.Reason)
		case events.CustomerMerged:
			p.into[id] = customerID(a.Org, e.IntoID)
			news = true
			err = mark(batch, mergedID(a.Org, a.ID), kindMerged, p.into[id])
		case events.CustomerErased:
			p.erased[id] = true
			news = true
			err = mark(batch, id, kindErased, "")
		}
		if err != nil {
			return false, fmt.Errorf("mark what became of %s: %w", a, err)
		}
	}
	return news, nil
}

func mark(batch *blevesearch.Batch, id, kind, into string) error {
	m := document.NewDocument(id)
	m.AddField(document.NewTextFieldCustom(fieldKind, nil, []byte(kind), exactOptions, nil))
	if into != "" {
		m.AddField(document.NewTextFieldCustom(fieldInto, nil, []byte(into), index.StoreField, nil))
	}
	return batch.IndexAdvanced(m)
}

// loadPeople reads the marks.
func (e *Engine) loadPeople(ctx context.Context) (people, error) {
	p := people{into: map[string]string{}, erased: map[string]bool{}}
	for _, kind := range []string{kindErased, kindMerged} {
		marks := blevesearch.NewSearchRequestOptions(exactly(fieldKind, kind), 1<<20, 0, false)
		marks.Fields = []string{fieldInto}
		res, err := e.index.SearchInContext(ctx, marks)
		if err != nil {
			return people{}, fmt.Errorf("read who is %s: %w", kind, err)
		}
		for _, hit := range res.Hits {
			if into, ok := hit.Fields[fieldInto].(string); ok {
				p.into[ofMerged(hit.ID)] = into
			} else {
				p.erased[hit.ID] = true
			}
		}
	}
	return p, nil
}

// forget takes the conversations of a customer out of the index.
func (e *Engine) forget(ctx context.Context, batch *blevesearch.Batch, customer string) error {
	org, id := ofCustomer(customer)
	theirs := query.NewConjunctionQuery([]query.Query{
		exactly(fieldKind, kindConversation), exactly(fieldOrg, org), exactly("customer", id),
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
	return nil
}

package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	es "github.com/olivere/elastic/v7"

	"github.com/tidemark-desk/tidemark/projections/search"
)

// errConfined is a bug, never an answer: a document of another org came back.
var errConfined = errors.New("the index answered with another org's document")

// Search finds conversations.
func (e *Engine) Search(ctx context.Context, q search.Query) (search.Result, error) {
	c := compile(q)
	if c.none {
		return search.Result{}, nil
	}
	res, err := e.client.Search(e.index).SearchSource(source(q, c)).Do(ctx)
	if err != nil {
		return search.Result{}, e.away("search", err)
	}
	return describe(q, res)
}

// source is the body of a request for one page.
func source(q search.Query, c compiled) *es.SearchSource {
	scored := q.Sort == search.SortRelevance && c.scored
	find := es.NewSearchSource().Query(c.root).Size(q.Limit).TrackTotalHits(true).
		FetchSource(true) // as it was kept: an engine that has to pick parts of it needs about twice as long
	if scored {
		find = find.SortBy(es.NewScoreSort(), es.NewFieldSort("id").Asc()).TrackScores(true)
	} else {
		find = find.SortBy(es.NewFieldSort("updated_ns").Desc(), es.NewFieldSort("id").Asc())
	}
	switch {
	case q.After == nil:
	case scored:
		find = find.SearchAfter(q.After.Score, q.After.ID)
	default:
		find = find.SearchAfter(q.After.Updated.UnixNano(), q.After.ID)
	}
	return find
}

// describe turns matches into hits.
func describe(q search.Query, res *es.SearchResult) (search.Result, error) {
	result := search.Result{Total: uint64(max(res.TotalHits(), 0)), Hits: make([]search.Hit, 0, len(res.Hits.Hits))}
	for _, match := range res.Hits.Hits {
		doc, err := decode(match.Source)
		switch {
		case err != nil:
			return search.Result{}, err
		case doc == nil || doc.Org != q.Org:
			return search.Result{}, errConfined
		}
		hit := search.Hit{
			ConversationID: doc.ID, Subject: doc.Subject, Status: doc.Status, Updated: doc.Updated, Highlights: q.Highlights(doc),
		}
		if match.Score != nil {
			hit.Score = *match.Score
		}
		result.Hits = append(result.Hits, hit)
		if len(res.Hits.Hits) == q.Limit {
			result.After = &search.After{Score: hit.Score, Updated: representable(doc.Updated), ID: doc.ID}
		}
	}
	return result, nil
}

// Count reads the documents of the org one by one: it is for accounts, not for every request.
func (e *Engine) Count(ctx context.Context, c search.CountRequest) ([]search.Count, error) {
	q := es.NewBoolQuery().Filter(es.NewTermQuery("org", c.Org), es.NewTermQuery("kind", kindConversation))
	if c.Channel != "" {
		q.Filter(es.NewTermQuery("channel", c.Channel))
	}
	t := search.NewTally(c)
	err := e.scan(ctx, q, []string{"kept.channel", "kept.created", "kept.messages.at"}, func(h *es.SearchHit) error {
		var d struct {
			Kept search.Document `json:"kept"`
		}
		if err := json.Unmarshal(h.Source, &d); err != nil {
			return fmt.Errorf("%w: a document does not decode: %w", search.ErrCorrupt, err)
		}
		t.Add(&d.Kept)
		return nil
	})
	return t.Counts(), err
}

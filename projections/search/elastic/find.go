package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	fast "github.com/go-json-experiment/json"
	es "github.com/olivere/elastic/v7"

	"github.com/tidemark-desk/tidemark/projections/search"
)

// Search finds conversations.
func (e *Engine) Search(ctx context.Context, q search.Query) (search.Result, error) {
	c := compile(q)
	if c.none {
		return q.Nothing(), nil
	}
	again := q.After != nil && q.After.Seen.Len() > 0
	from := page(q, c)
	if until, ok := ctx.Deadline(); ok {
		from = from.TimeoutInMillis(int(max(1, time.Until(until).Milliseconds())))
	}
	if again {
		from = from.Size(q.Limit + q.After.Seen.Len()).FetchSource(false)
	}
	body, err := from.Source()
	if err != nil {
		return search.Result{}, fmt.Errorf("encode a query: %w", err)
	}
	got, err := e.client.PerformRequest(ctx, es.PerformRequestOptions{
		Method: http.MethodPost, Path: "/" + url.PathEscape(e.index) + "/_search", Body: body,
		Params: url.Values{"allow_partial_search_results": {"false"}},
	})
	if err != nil {
		return search.Result{}, e.refused(err)
	}
	res := &answer{}
	if err := fast.Unmarshal(got.Body, res); err != nil {
		return search.Result{}, e.away("search", err)
	}
	if err := res.whole(); err != nil {
		return search.Result{}, e.away("search", err)
	}
	if again {
		if err := e.load(ctx, q, res); err != nil {
			return search.Result{}, err
		}
	}
	return describe(q, res)
}

// page is the body of a request for one page. Documents come as they are kept: an engine that has to pick parts of them needs
// about twice as long.
func page(q search.Query, c compiled) *es.SearchSource {
	find := order(es.NewSearchSource().Query(c.root).Size(q.Limit).TrackTotalHits(search.TotalBound).FetchSource(true), q, c)
	for _, f := range q.Facets {
		find = find.Aggregation(f, es.NewTermsAggregation().Field(f).Size(search.MaxFacetValues)).
			Aggregation(f+noneOf, es.NewMissingAggregation().Field(f))
	}
	return find
}

// order sorts. By relevance a page is asked for together with what was on those before, because it may stand anywhere by now.
func order(find *es.SearchSource, q search.Query, c compiled) *es.SearchSource {
	if ranked(q, c) {
		return find.SortBy(es.NewScoreSort(), es.NewFieldSort("id").Asc()).TrackScores(true)
	}
	by := es.NewFieldSort("updated_ns").Order(q.Sort == search.SortOldest)
	find = find.SortBy(by, es.NewFieldSort("id").Asc())
	if q.After != nil {
		find = find.SearchAfter(representable(q.After.Updated).UnixNano(), q.After.ID)
	}
	return find
}

func ranked(q search.Query, c compiled) bool { return q.Sort == search.SortRelevance && c.scored }

// noneOf is added to the name of a facet: the matches without a value.
const noneOf = "/none"

// answer is what the engine says of a search. Documents are decoded with it, once.
type answer struct {
	TimedOut        bool `json:"timed_out"`
	TerminatedEarly bool `json:"terminated_early"`
	Shards          *struct {
		Total      int `json:"total"`
		Successful int `json:"successful"`
		Failed     int `json:"failed"`
	} `json:"_shards"`
	Hits *struct {
		Total struct {
			Value    uint64 `json:"value"`
			Relation string `json:"relation"`
		} `json:"total"`
		Hits []*match `json:"hits"`
	} `json:"hits"`
	Aggregations es.Aggregations `json:"aggregations"`
}

type match struct {
	At     string  `json:"_id"`
	Score  float64 `json:"_score"`
	Source *source `json:"_source"`
}

// errPartial is an answer from a part of the index, which is none.
var errPartial = errors.New("the engine has searched a part of the index only")

// whole tells whether all of the index was searched to the end.
func (a *answer) whole() error {
	switch {
	case a.TimedOut, a.TerminatedEarly:
		return fmt.Errorf("%w: it ran out of time", errPartial)
	case a.Shards == nil || a.Shards.Failed > 0 || a.Shards.Successful < a.Shards.Total:
		return fmt.Errorf("%w: shards failed", errPartial)
	case a.Hits == nil:
		return errPartial
	}
	return nil
}

// refused tells a query that the engine finds too costly from an engine that is away. It says so with one of two names,
// somewhere in its reasons.
func (e *Engine) refused(err error) error {
	if f, ok := errors.AsType[*es.Error](err); ok {
		why, _ := json.Marshal(f.Details)
		for _, name := range []string{"too_many_clauses", "too_many_nested_clauses"} {
			if bytes.Contains(why, []byte(`"`+name+`"`)) {
				return search.TooBroad()
			}
		}
	}
	return e.away("search", err)
}

// load leaves of the matches those that were not told yet, and reads what is in them.
func (e *Engine) load(ctx context.Context, q search.Query, res *answer) error {
	page := slices.DeleteFunc(res.Hits.Hits, func(h *match) bool {
		return q.After.Seen.Has(search.IDAt(h.At))
	})
	page = page[:min(len(page), q.Limit)]
	res.Hits.Hits = page
	if len(page) == 0 {
		return nil
	}
	get := e.client.MultiGet()
	for _, h := range page {
		get.Add(es.NewMultiGetItem().Index(e.index).Id(h.At))
	}
	got, err := get.Do(ctx)
	if err != nil {
		return e.away("read what was found", err)
	}
	if len(got.Docs) != len(page) {
		return e.away("read what was found", errPartial)
	}
	for i, d := range got.Docs {
		if d.Error != nil {
			return e.away("read "+d.Id, &es.Error{Details: d.Error})
		}
		if !d.Found {
			continue
		}
		page[i].Source = &source{}
		if err := page[i].Source.read(d.Source); err != nil {
			return err
		}
	}
	return nil
}

// describe turns matches into hits.
func describe(q search.Query, res *answer) (search.Result, error) {
	result := search.Result{Total: res.Hits.Total.Value, Hits: make([]search.Hit, 0, len(res.Hits.Hits))}
	if res.Hits.Total.Relation == "gte" || result.Total > search.TotalBound {
		result.Total, result.AtLeast = search.TotalBound, true
	}
	for _, m := range res.Hits.Hits {
		if m.Source == nil {
			continue // removed a moment ago
		}
		doc, err := m.Source.document()
		switch {
		case err != nil:
			return search.Result{}, err
		case doc == nil:
			continue // it became a stub a moment ago
		case doc.Org != q.Org:
			return search.Result{}, search.ErrConfined
		}
		result.Hits = append(result.Hits, search.Hit{
			ConversationID: doc.ID, Score: m.Score, Subject: doc.Subject, Status: doc.Status, Updated: doc.Updated,
			Highlights: q.Highlights(doc), Name: doc.Name, Identities: doc.Identities,
		})
	}
	if n := len(res.Hits.Hits); n == q.Limit {
		var err error
		if result.After, err = after(q, result.Hits, res.Hits.Hits[n-1]); err != nil {
			return search.Result{}, err
		}
	}
	var err error
	result.Facets, err = facets(q, res)
	return result, err
}

// after is where the next page begins: behind the last match as the engine found it, whatever became of it since.
func after(q search.Query, told []search.Hit, last *match) (*search.After, error) {
	var seen search.Seen
	if q.After != nil {
		seen = q.After.Seen
	}
	a := &search.After{ID: search.IDAt(last.At), Seen: seen.With(told)}
	if q.Sort == search.SortRelevance {
		return a, nil
	}
	if last.Source == nil || last.Source.Kept == nil {
		return nil, fmt.Errorf("read when %s was changed: %w", last.At, errPartial)
	}
	a.Updated = representable(last.Source.Kept.Updated)
	return a, nil
}

// facets are how many matches have which value.
func facets(q search.Query, res *answer) (map[string]search.Facet, error) {
	if len(q.Facets) == 0 {
		return nil, nil
	}
	out := map[string]search.Facet{}
	for _, name := range q.Facets {
		terms, found := res.Aggregations.Terms(name)
		missing, counted := res.Aggregations.Missing(name + noneOf)
		if !found || !counted {
			return nil, fmt.Errorf("count by %s: the engine did not", name)
		}
		f := search.Facet{Values: []search.FacetValue{}, None: uint64(max(missing.DocCount, 0))}
		for _, b := range terms.Buckets {
			value, _ := b.Key.(string)
			f.Values = append(f.Values, search.FacetValue{Value: value, Count: uint64(max(b.DocCount, 0))})
		}
		out[name] = f.Sorted()
	}
	return out, nil
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

package bleve

import (
	"time"

	blevesearch "github.com/blevesearch/bleve/v2/search/query"
	index "github.com/blevesearch/bleve_index_api"

	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/words"
)

// subjectBoost: a word in the subject says more than one in a message.
const subjectBoost = 1.5

// exactBoost: a word that was written as it is asked for counts this much more than another form of it.
const exactBoost = 0.5

// compiled is a query as the index takes it.
type compiled struct {
	root  blevesearch.Query
	words []blevesearch.Query // what is to be highlighted
	none  bool                // it cannot match anything
}

// compiler builds a query. What words the index has is read from a snapshot.
type compiler struct {
	q        search.Query
	reader   index.IndexReader
	words    []blevesearch.Query
	expanded int // words that prefixes stand for
}

// compile builds the query. Org and kind stand in the outermost conjunction, beside everything that a caller wrote,
// and each exclusion is "of this scope, but not": whatever a part comes down to, it cannot widen the whole.
func compile(r index.IndexReader, q search.Query) (compiled, error) {
	clauses, none := search.Essence(q.Clauses)
	if none {
		return compiled{none: true}, nil
	}
	c := compiler{q: q, reader: r}
	all := []blevesearch.Query{exactly(fieldScope, scope(q.Org, q.Kind))}
	if q.Status != "" {
		all = append(all, exactly("status", q.Status))
	}
	if !q.Until.IsZero() {
		all = append(all, updated(time.Time{}, q.Until, true))
	}
	parts, err := c.list(clauses, true)
	if err != nil {
		return compiled{}, err
	}
	return compiled{root: blevesearch.NewConjunctionQuery(append(all, parts...)), words: c.words}, nil
}

// list is each clause of those that must hold together. What is wanted is highlighted.
func (c *compiler) list(clauses []search.Clause, wanted bool) ([]blevesearch.Query, error) {
	out := make([]blevesearch.Query, 0, len(clauses))
	for _, clause := range clauses {
		part, err := c.clause(clause, wanted && !clause.Not)
		if err != nil {
			return nil, err
		}
		if clause.Not {
			without := blevesearch.NewBooleanQuery([]blevesearch.Query{exactly(fieldScope, scope(c.q.Org, c.q.Kind))}, nil, []blevesearch.Query{part})
			without.SetBoost(0)
			part = without
		}
		out = append(out, part)
	}
	return out, nil
}

func (c *compiler) clause(clause search.Clause, wanted bool) (blevesearch.Query, error) {
	switch clause.Kind {
	case search.Group:
		either := make([]blevesearch.Query, 0, len(clause.Either))
		for _, alternative := range clause.Either {
			parts, err := c.list(alternative, wanted)
			if err != nil {
				return nil, err
			}
			if len(parts) > 1 {
				parts = []blevesearch.Query{blevesearch.NewConjunctionQuery(parts)}
			}
			either = append(either, parts...)
		}
		return blevesearch.NewDisjunctionQuery(either), nil
	case search.Field:
		return fieldQuery(clause), nil
	case search.Near:
		return c.wanted(c.nearQuery(clause.Text))(wanted)
	case search.Prefix:
		if err := c.expand(clause.Text); err != nil {
			return nil, err
		}
	case search.Word, search.Phrase:
	}
	return c.wanted(textQuery(clause, c.q.Notes), nil)(wanted)
}

// wanted notes what is to be highlighted.
func (c *compiler) wanted(q blevesearch.Query, err error) func(bool) (blevesearch.Query, error) {
	return func(wanted bool) (blevesearch.Query, error) {
		if err != nil {
			return nil, err
		}
		if q == nil {
			q = blevesearch.NewMatchNoneQuery()
		}
		if wanted {
			c.words = append(c.words, q)
		}
		return q, nil
	}
}

// fieldQuery finds what has the value, or one of the values, in a field.
func fieldQuery(c search.Clause) blevesearch.Query {
	switch c.Field {
	case "before":
		return updated(time.Time{}, c.Time, false)
	case "after":
		return updated(c.Time, time.Time{}, false)
	}
	if c.Any == nil {
		return exactly(c.Field, c.Text)
	}
	if len(c.Any) == 0 {
		return blevesearch.NewMatchNoneQuery()
	}
	either := make([]blevesearch.Query, len(c.Any))
	for i, value := range c.Any {
		either[i] = exactly(c.Field, value)
	}
	q := blevesearch.NewDisjunctionQuery(either)
	q.SetBoost(0)
	return q
}

// The times that the index can compare with.
var (
	earliest = blevesearch.MinRFC3339CompatibleTime
	latest   = blevesearch.MaxRFC3339CompatibleTime
)

// updated is a range of times, from its beginning on; a zero end is open.
func updated(from, to time.Time, inclusive bool) blevesearch.Query {
	if from.Before(earliest) {
		from = time.Time{}
	} else if from.After(latest) {
		from = latest
	}
	switch {
	case to.After(latest):
		to = time.Time{}
	case !to.IsZero() && to.Before(earliest):
		return blevesearch.NewMatchNoneQuery()
	}
	if from.IsZero() && to.IsZero() {
		all := blevesearch.NewMatchAllQuery()
		all.SetBoost(0)
		return all
	}
	start := true
	q := blevesearch.NewDateRangeInclusiveQuery(from, to, &start, &inclusive)
	q.SetField(fieldUpdated)
	q.SetBoost(0)
	return q
}

// textQuery looks for one clause in every text that may be searched; nil when there is nothing to look for.
func textQuery(c search.Clause, notes bool) blevesearch.Query {
	var either []blevesearch.Query
	for _, field := range searched(notes) {
		boost := 1.0
		if field == fieldSubject {
			boost = subjectBoost
		}
		add := func(part blevesearch.BoostableQuery, boost float64) {
			if part != nil {
				part.SetBoost(boost)
				either = append(either, part)
			}
		}
		switch c.Kind {
		case search.Prefix:
			add(prefixQuery(words.Prefix(c.Text), field+exactForm), boost)
		case search.Phrase:
			add(placesQuery(words.ExactPlaces(c.Text), field+exactForm), boost)
		default:
			add(placesQuery(words.Places(c.Text), field), boost)
			if !c.Not {
				add(placesQuery(words.ExactPlaces(c.Text), field+exactForm), boost*exactBoost)
			}
		}
	}
	if len(either) == 0 {
		return nil
	}
	return blevesearch.NewDisjunctionQuery(either)
}

// placesQuery looks for terms side by side.
func placesQuery(at []string, field string) blevesearch.BoostableQuery {
	switch len(at) {
	case 0:
		return nil
	case 1:
		q := blevesearch.NewTermQuery(at[0])
		q.SetField(field)
		return q
	}
	return blevesearch.NewPhraseQuery(at, field)
}

// prefixQuery finds words that begin as the last one; those before it stand whole and side by side, as in "ORD-123*".
func prefixQuery(all []string, field string) blevesearch.BoostableQuery {
	if len(all) == 0 {
		return nil
	}
	last := blevesearch.NewPrefixQuery(all[len(all)-1])
	last.SetField(field)
	if len(all) == 1 {
		return last
	}
	return blevesearch.NewConjunctionQuery([]blevesearch.Query{last, placesQuery(all[:len(all)-1], field)})
}

package bleve

import (
	"strings"

	blevesearch "github.com/blevesearch/bleve/v2/search/query"

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

// compile builds the query. Org and kind stand in the outermost conjunction, beside everything that a caller wrote,
// and each exclusion is "of this org, but not": whatever a part comes down to, it cannot widen the whole.
func compile(q search.Query) compiled {
	var c compiled
	all := []blevesearch.Query{exactly(fieldOrg, q.Org), exactly(fieldKind, kindOf(q.Kind))}
	if q.Status != "" {
		all = append(all, exactly("status", q.Status))
	}
	asked := false
	drop := search.Droppable(q.Clauses)
	for i, clause := range q.Clauses {
		var part blevesearch.Query
		if clause.Kind == search.Field {
			part = fieldQuery(clause)
		} else {
			if !clause.Not {
				asked = true
			}
			if drop[i] {
				continue
			}
			if part = textQuery(clause, q.Notes); part == nil {
				continue // nothing in it but punctuation
			}
		}
		switch {
		case clause.Not:
			without := blevesearch.NewBooleanQuery([]blevesearch.Query{exactly(fieldOrg, q.Org)}, nil, []blevesearch.Query{part})
			without.SetBoost(0)
			all = append(all, without)
		case clause.Kind == search.Field:
			all = append(all, part)
		default:
			all = append(all, part)
			c.words = append(c.words, part)
		}
	}
	c.none = asked && len(c.words) == 0
	c.root = blevesearch.NewConjunctionQuery(all)
	return c
}

// fieldQuery finds what has the value, or one of the values, in a field.
func fieldQuery(c search.Clause) blevesearch.Query {
	if c.Any == nil {
		return exactly(c.Field, fieldValue(c))
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

func fieldValue(c search.Clause) string {
	if c.Field == "tag" {
		return strings.ToLower(c.Text)
	}
	return c.Text
}

// textQuery looks for one clause in every text that may be searched; nil when there is nothing to look for.
func textQuery(c search.Clause, notes bool) blevesearch.Query {
	fields := []string{fieldSubject, fieldText}
	if notes {
		fields = append(fields, fieldNotes)
	}
	var either []blevesearch.Query
	for _, field := range fields {
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

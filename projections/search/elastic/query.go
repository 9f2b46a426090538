package elastic

import (
	"strings"

	es "github.com/olivere/elastic/v7"

	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/words"
)

// subjectBoost: a word in the subject says more than one in a message.
const subjectBoost = 1.5

// exactBoost: a word that was written as it is asked for counts this much more than another form of it.
const exactBoost = 0.5

// exactForm is added to the name of a text: the same with words as they were written, not as stems.
const exactForm = ".exact"

// compiled is a query as the engine takes it.
type compiled struct {
	root   *es.BoolQuery
	scored bool
	none   bool // it cannot match anything
}

// compile builds the query. Org and kind stand in the outermost filter, beside everything that a caller wrote: whatever
// a part comes down to, it cannot widen the whole.
func compile(q search.Query) compiled {
	c := compiled{root: es.NewBoolQuery().Filter(es.NewTermQuery("org", q.Org), es.NewTermQuery("kind", kindOf(q.Kind)))}
	if q.Status != "" {
		c.root.Filter(es.NewTermQuery("status", q.Status))
	}
	asked := false
	drop := search.Droppable(q.Clauses)
	for i, clause := range q.Clauses {
		if clause.Kind == search.Field {
			part := fieldQuery(clause)
			if clause.Not {
				c.root.MustNot(part)
			} else {
				c.root.Filter(part)
			}
			continue
		}
		asked = asked || !clause.Not
		if drop[i] {
			continue
		}
		part := textQuery(clause, q.Notes)
		switch {
		case part == nil: // nothing in it but punctuation
		case clause.Not:
			c.root.MustNot(part)
		default:
			c.root.Must(part)
			c.scored = true
		}
	}
	c.none = asked && !c.scored
	return c
}

// fieldQuery finds what has the value, or one of the values, in a field.
func fieldQuery(c search.Clause) es.Query {
	if c.Any == nil {
		return es.NewTermQuery(c.Field, c.Text)
	}
	values := make([]any, len(c.Any))
	for i, v := range c.Any {
		values[i] = v
	}
	return es.NewTermsQuery(c.Field, values...)
}

// textQuery looks for one clause in every text that may be searched; nil when there is nothing to look for.
func textQuery(c search.Clause, notes bool) es.Query {
	if len(words.ExactPlaces(c.Text)) == 0 {
		return nil
	}
	text := words.Cut(c.Text)
	either := es.NewBoolQuery().MinimumNumberShouldMatch(1)
	add := func(field string, boost float64) {
		switch c.Kind {
		case search.Prefix:
			either.Should(prefixQuery(words.Prefix(c.Text), field+exactForm, boost))
		case search.Phrase:
			either.Should(es.NewMatchPhraseQuery(field+exactForm, text).Boost(boost))
		default:
			either.Should(es.NewMatchPhraseQuery(field, text).Boost(boost))
			if !c.Not {
				either.Should(es.NewMatchPhraseQuery(field+exactForm, text).Boost(boost * exactBoost))
			}
		}
	}
	add("subject", subjectBoost)
	add("text", 1)
	if notes {
		add("notes", 1)
	}
	return either
}

// prefixQuery finds words that begin as the last one; those before it stand whole and side by side, as in "ORD-123*".
func prefixQuery(all []string, field string, boost float64) es.Query {
	last := es.NewPrefixQuery(field, all[len(all)-1]).Boost(boost)
	if len(all) == 1 {
		return last
	}
	return es.NewBoolQuery().Must(last, es.NewMatchPhraseQuery(field, strings.Join(all[:len(all)-1], " ")))
}

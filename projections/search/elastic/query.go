package elastic

import (
	es "github.com/olivere/elastic/v7"

	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/words"
)

// subjectBoost: a word in the subject says more than one in a message.
const subjectBoost = 1.5

// compiled is a query as the engine takes it.
type compiled struct {
	root   *es.BoolQuery
	scored bool
	none   bool // it cannot match anything
}

// compile builds the query. Org and kind stand in the outermost filter, beside everything that a caller wrote: whatever
// a part comes down to, it cannot widen the whole.
func compile(q search.Query) compiled {
	c := compiled{root: es.NewBoolQuery().Filter(es.NewTermQuery("org", q.Org), es.NewTermQuery("kind", kindConversation))}
	if q.Status != "" {
		c.root.Filter(es.NewTermQuery("status", q.Status))
	}
	asked := false
	drop := search.Droppable(q.Clauses)
	for i, clause := range q.Clauses {
		if clause.Kind == search.Field {
			part := es.NewTermQuery(clause.Field, clause.Text)
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

// textQuery looks for one clause in every text that may be searched; nil when there is nothing to look for.
func textQuery(c search.Clause, notes bool) es.Query {
	var part func(field string, boost float64) es.Query
	if c.Kind == search.Prefix {
		all := words.Prefix(c.Text)
		if len(all) == 0 {
			return nil
		}
		part = func(field string, boost float64) es.Query { return prefixQuery(all, field, boost) }
	} else {
		if len(words.Places(c.Text)) == 0 {
			return nil
		}
		part = func(field string, boost float64) es.Query { return es.NewMatchPhraseQuery(field, c.Text).Boost(boost) }
	}
	either := es.NewBoolQuery().MinimumNumberShouldMatch(1).Should(part("subject", subjectBoost), part("text", 1))
	if notes {
		either.Should(part("notes", 1))
	}
	return either
}

// prefixQuery finds words that begin so: as they were written, or their stems.
func prefixQuery(all []string, field string, boost float64) es.Query {
	last := es.NewPrefixQuery(field, all[len(all)-1]).Boost(boost)
	if len(all) == 1 {
		return last
	}
	both := es.NewBoolQuery().Must(last) // "e-mail addr*": the others whole
	for _, w := range all[:len(all)-1] {
		both.Must(es.NewTermQuery(field, w))
	}
	return both
}

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
	clauses, none := search.Essence(q.Clauses)
	if none {
		return compiled{none: true}
	}
	root := es.NewBoolQuery().Filter(es.NewTermQuery("org", q.Org), es.NewTermQuery("kind", kindOf(q.Kind)))
	if q.Status != "" {
		root.Filter(es.NewTermQuery("status", q.Status))
	}
	if !q.Until.IsZero() {
		root.Filter(es.NewRangeQuery("updated_ns").Lte(representable(q.Until).UnixNano()))
	}
	list(root, clauses, q.Notes)
	return compiled{root: root, scored: search.Query{Clauses: clauses}.Scored()}
}

// list adds clauses that must hold together.
func list(into *es.BoolQuery, clauses []search.Clause, notes bool) {
	for _, c := range clauses {
		part := clauseQuery(c, notes)
		switch {
		case c.Not:
			into.MustNot(part)
		case c.Kind == search.Field:
			into.Filter(part)
		default:
			into.Must(part)
		}
	}
}

func clauseQuery(c search.Clause, notes bool) es.Query {
	switch c.Kind {
	case search.Group:
		either := es.NewBoolQuery().MinimumNumberShouldMatch(1)
		for _, alternative := range c.Either {
			together := es.NewBoolQuery()
			list(together, alternative, notes)
			either.Should(together)
		}
		return either
	case search.Field:
		return fieldQuery(c)
	case search.Near:
		return nearQuery(c.Text, notes)
	case search.Word, search.Phrase, search.Prefix:
	}
	if part := textQuery(c, notes); part != nil {
		return part
	}
	return es.NewMatchNoneQuery()
}

// fieldQuery finds what has the value, or one of the values, in a field.
func fieldQuery(c search.Clause) es.Query {
	switch c.Field {
	case "before":
		return es.NewRangeQuery("updated_ns").Lt(representable(c.Time).UnixNano())
	case "after":
		return es.NewRangeQuery("updated_ns").Gte(representable(c.Time).UnixNano())
	}
	if c.Any == nil {
		return es.NewTermQuery(c.Field, c.Text)
	}
	values := make([]any, len(c.Any))
	for i, v := range c.Any {
		values[i] = v
	}
	return es.NewTermsQuery(c.Field, values...)
}

// mostNear is how many words near a wrong one are looked for.
const mostNear = 200

// nearQuery looks for words near one that is nowhere.
func nearQuery(text string, notes bool) es.Query {
	word, tolerance := words.Correctable(text)
	if tolerance == 0 {
		return es.NewMatchNoneQuery()
	}
	either := es.NewBoolQuery().MinimumNumberShouldMatch(1)
	for _, field := range searched(notes) {
		either.Should(es.NewFuzzyQuery(field+exactForm, word).Fuzziness(tolerance).PrefixLength(1).MaxExpansions(mostNear).Transpositions(true))
	}
	return either
}

// searched are the fields with texts.
func searched(notes bool) []string {
	if notes {
		return []string{"subject", "text", "notes"}
	}
	return []string{"subject", "text"}
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
	// Rewritten so that the engine refuses a prefix that stands for too many words; see refused.
	last := es.NewPrefixQuery(field, all[len(all)-1]).Boost(boost).Rewrite("constant_score_boolean")
	if len(all) == 1 {
		return last
	}
	return es.NewBoolQuery().Must(last, es.NewMatchPhraseQuery(field, strings.Join(all[:len(all)-1], " ")))
}

package search

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidemark-desk/tidemark/projections/search/words"
)

// Finder is what finds: an engine.
type Finder interface {
	Search(ctx context.Context, q Query) (Result, error)
}

// Instead says that nothing matched, and what was searched instead.
type Instead struct {
	Q     string       `json:"q" doc:"The query that was searched."`
	Words []Correction `json:"words" nullable:"false" doc:"What differs."`
}

// Correction is a word of the query that stands in nothing that may be searched, and the nearest that does.
type Correction struct {
	Word string `json:"word"`
	With string `json:"with"`
	At   int    `json:"at" doc:"Character of q at which the word begins, from 1."`
}

// mostCorrected is how many words of a query may be wrong, nearHits how many conversations are looked into for better ones.
const (
	mostCorrected = 4
	nearHits      = 20
)

// Find answers a query with everything but AsOf. When nothing matches, and some of its words are nowhere in what may be
// searched, the nearest words that are take their place, and the answer says so.
func (r Request) Find(ctx context.Context, engine Finder, q Query) (Answer, error) {
	if q.Sort == SortOldest && q.After == nil {
		if err := q.settle(ctx, engine); err != nil {
			return Answer{}, err
		}
	}
	res, err := engine.Search(ctx, q)
	if err != nil {
		return Answer{}, err
	}
	if res.Total == 0 && q.After == nil && !r.Customers {
		if better, err := r.correct(ctx, engine, q); err != nil {
			return Answer{}, err
		} else if better != nil {
			q = *better
			if res, err = engine.Search(ctx, q); err != nil {
				return Answer{}, err
			}
		}
	}
	a := Answer{
		Items: append([]Hit{}, res.Hits...), Total: res.Total, AtLeast: res.AtLeast, Facets: res.Facets, Next: r.Next(q, res),
	}
	if q.instead != "" {
		a.Instead = r.insteadOf(q)
	}
	if r.Customers {
		a.Items, a.Customers = nil, res.Customers()
	}
	return a, nil
}

// settle has pages from the oldest end with what was the newest when they began: what changes meanwhile would come again
// at their end.
func (q *Query) settle(ctx context.Context, engine Finder) error {
	last := *q
	last.Sort, last.Limit, last.Facets = SortNewest, 1, nil
	res, err := engine.Search(ctx, last)
	if err == nil && len(res.Hits) > 0 {
		q.Until = res.Hits[0].Updated
	}
	return err
}

// correct is the query with better words; nil when there are none.
func (r Request) correct(ctx context.Context, engine Finder, q Query) (*Query, error) {
	wrong, err := q.unknown(ctx, engine)
	if err != nil || len(wrong) == 0 {
		return nil, err
	}
	relaxed := q
	relaxed.Clauses = relax(q.Clauses, wrong)
	relaxed.Sort, relaxed.Limit, relaxed.Facets, relaxed.Until = SortRelevance, nearHits, nil, time.Time{}
	res, err := engine.Search(ctx, relaxed)
	if err != nil {
		return nil, err
	}
	// The words that most hits have are the likeliest; together they may be in none, those of one hit are in that one.
	for _, hits := range [][]Hit{res.Hits, res.Hits[:min(1, len(res.Hits))]} {
		better := q
		if better.instead = replaced(r.Q, nearest(wrong, hits)); better.instead == "" {
			break
		}
		if err := better.read(better.instead); err != nil {
			return nil, nil //nolint:nilnil,nilerr // with longer words it is too long
		}
		probe := better
		probe.Limit, probe.Facets = 1, nil
		if res, err := engine.Search(ctx, probe); err != nil || res.Total > 0 {
			return &better, err
		}
	}
	return nil, nil //nolint:nilnil // there is nothing better
}

// unknown are the words that stand in nothing that may be searched.
func (q Query) unknown(ctx context.Context, engine Finder) ([]Clause, error) {
	var out []Clause
	for _, c := range Leaves(q.Clauses) {
		if c.Kind != Word {
			continue
		}
		if _, tolerance := words.Correctable(c.Text); tolerance == 0 {
			continue
		}
		c.Not = false
		res, err := engine.Search(ctx, Query{Org: q.Org, Notes: q.Notes, Clauses: []Clause{c}, Sort: SortNewest, Limit: 1})
		if err != nil {
			return nil, err
		}
		if res.Total > 0 {
			continue
		}
		if out = append(out, c); len(out) > mostCorrected {
			return nil, nil // this is not a typo
		}
	}
	return out, nil
}

// relax looks for words near those that are wrong.
func relax(list, wrong []Clause) []Clause {
	out := slices.Clone(list)
	for i := range out {
		c := &out[i]
		switch {
		case c.Kind == Word && !c.Not && slices.ContainsFunc(wrong, func(w Clause) bool { return w.At == c.At }):
			c.Kind = Near
		case c.Kind == Group && !c.Not:
			either := make([][]Clause, len(c.Either))
			for n := range c.Either {
				either[n] = relax(c.Either[n], wrong)
			}
			c.Either = either
		}
	}
	return out
}

// nearest picks the word for each wrong one: with the fewest typos, then the one that most hits have.
func nearest(wrong []Clause, hits []Hit) []Correction {
	var out []Correction
	for _, c := range wrong {
		word, tolerance := words.Correctable(c.Text)
		in := map[string]int{}
		for _, h := range hits {
			seen := map[string]bool{}
			for _, l := range h.Highlights {
				for _, m := range l.Matches {
					if found, _ := words.Correctable(l.Fragment[m[0]:m[1]]); found != "" && words.IsNear(word, found) {
						seen[found] = true
					}
				}
			}
			for found := range seen {
				in[found]++
			}
		}
		best := ""
		for found, n := range in {
			if best == "" || cmp.Or(
				cmp.Compare(words.Distance(word, found, tolerance), words.Distance(word, best, tolerance)),
				cmp.Compare(in[best], n), strings.Compare(found, best)) < 0 {
				best = found
			}
		}
		if best != "" {
			out = append(out, Correction{Word: c.Text, With: best, At: c.At})
		}
	}
	return out
}

// replaced is what was typed with other words; empty when there are none.
func replaced(typed string, list []Correction) string {
	if len(list) == 0 {
		return ""
	}
	out := []rune(typed)
	slices.SortFunc(list, func(a, b Correction) int { return cmp.Compare(b.At, a.At) }) // from the end: places stay true
	for _, c := range list {
		from := c.At - 1
		out = slices.Replace(out, from, from+utf8.RuneCountInString(c.Word), []rune(c.With)...)
	}
	return string(out)
}

// insteadOf tells what differs between what was typed and what is searched instead.
func (r Request) insteadOf(q Query) *Instead {
	out := &Instead{Q: q.instead, Words: []Correction{}}
	typed, err := ParseQuery(r.Q)
	if err != nil {
		return out
	}
	before, after := Leaves(typed), Leaves(q.Clauses)
	for i := range min(len(before), len(after)) {
		if before[i].Text != after[i].Text {
			out.Words = append(out.Words, Correction{Word: before[i].Text, With: after[i].Text, At: before[i].At})
		}
	}
	return out
}

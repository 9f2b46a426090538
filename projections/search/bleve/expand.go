package bleve

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	blevesearch "github.com/blevesearch/bleve/v2/search/query"
	index "github.com/blevesearch/bleve_index_api"

	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/words"
)

// mostNear is how many words near a wrong one are looked for, the nearest of the index.
const mostNear = 200

// searched are the fields with texts.
func searched(notes bool) []string {
	if notes {
		return []string{fieldSubject, fieldText, fieldNotes}
	}
	return []string{fieldSubject, fieldText}
}

// expand counts the words that a prefix stands for, before the search takes them all in hand.
func (c *compiler) expand(text string) error {
	all := words.Prefix(text)
	if len(all) == 0 {
		return nil
	}
	most := 0
	for _, field := range searched(c.q.Notes) {
		dict, err := c.reader.FieldDictPrefix(field+exactForm, []byte(all[len(all)-1]))
		if err != nil {
			return fmt.Errorf("read the words of the index: %w", err)
		}
		n := 0
		err = each(dict, func(string) bool { n++; return c.expanded+n <= search.MaxExpansion })
		if err != nil {
			return err
		}
		most = max(most, n)
	}
	if c.expanded += most; c.expanded > search.MaxExpansion {
		return search.TooBroad()
	}
	return nil
}

// nearQuery looks for words near one that is nowhere.
func (c *compiler) nearQuery(text string) (blevesearch.Query, error) {
	word, tolerance := words.Correctable(text)
	fuzzy, ok := c.reader.(index.IndexReaderFuzzy)
	if tolerance == 0 || !ok {
		return blevesearch.NewMatchNoneQuery(), nil
	}
	const steps = 2 // of the index, which takes two neighbours that changed places for two typos
	first := string([]rune(word)[:1])
	var either []blevesearch.Query
	for _, field := range searched(c.q.Notes) {
		dict, err := fuzzy.FieldDictFuzzy(field+exactForm, word, steps, first)
		if err != nil {
			return nil, fmt.Errorf("read the words of the index: %w", err)
		}
		var near []string
		err = each(dict, func(term string) bool {
			if words.IsNear(word, term) {
				near = append(near, term)
			}
			return true
		})
		if err != nil {
			return nil, err
		}
		slices.SortFunc(near, func(a, b string) int {
			return cmp.Or(cmp.Compare(words.Distance(word, a, steps), words.Distance(word, b, steps)), strings.Compare(a, b))
		})
		for _, term := range near[:min(len(near), mostNear)] {
			q := blevesearch.NewTermQuery(term)
			q.SetField(field + exactForm)
			either = append(either, q)
		}
	}
	if len(either) == 0 {
		return blevesearch.NewMatchNoneQuery(), nil
	}
	return blevesearch.NewDisjunctionQuery(either), nil
}

// each goes through the words of a dictionary while fn wants more.
func each(dict index.FieldDict, fn func(string) bool) (err error) {
	defer func() { err = errors.Join(err, dict.Close()) }()
	for {
		entry, err := dict.Next()
		if err != nil {
			return fmt.Errorf("read the words of the index: %w", err)
		}
		if entry == nil || !fn(entry.Term) {
			return nil
		}
	}
}

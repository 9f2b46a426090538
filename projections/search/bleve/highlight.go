package bleve

import (
	"cmp"
	"slices"
	"strings"

	bsearch "github.com/blevesearch/bleve/v2/search"

	"github.com/tidemark-desk/tidemark/projections/search"
)

// highlights says where the words stand. A document that changed between the two steps of a search can have places that
// are no longer there; those are left out.
func highlights(d *kept, where bsearch.FieldTermLocationMap) ([]search.Highlight, error) {
	type place struct {
		field string
		at    uint64
	}
	spots := map[place]*search.Spot{}
	for field, terms := range where {
		field = strings.TrimSuffix(field, exactForm)
		for _, locations := range terms {
			for _, l := range locations {
				p := place{field: field}
				if len(l.ArrayPositions) > 0 {
					p.at = l.ArrayPositions[0]
				}
				if spots[p] == nil {
					s, err := spot(d, field, p.at)
					if err != nil {
						return nil, err
					}
					spots[p] = s
				}
				if s := spots[p]; l.Start < l.End && l.End <= uint64(len(s.Text)) {
					s.Spans = append(s.Spans, [2]int{int(l.Start), int(l.End)}) //nolint:gosec // within the text
				}
			}
		}
	}
	order := make([]place, 0, len(spots))
	for p := range spots {
		order = append(order, p)
	}
	slices.SortFunc(order, func(a, b place) int { return cmp.Or(cmp.Compare(a.field, b.field), cmp.Compare(a.at, b.at)) })
	all := make([]search.Spot, len(order))
	for i, p := range order {
		all[i] = *spots[p]
	}
	return search.Best(all), nil
}

// spot is the text at a field and array position; empty when it is not there.
func spot(d *kept, field string, at uint64) (*search.Spot, error) {
	in := "message"
	switch field {
	case fieldSubject:
		return &search.Spot{Highlight: search.Highlight{In: "subject"}, Text: d.Subject}, nil
	case fieldNotes:
		in = "note"
	}
	m, err := d.message(field == fieldNotes, at)
	if m == nil || err != nil {
		return &search.Spot{}, err
	}
	return &search.Spot{Highlight: search.Highlight{In: in, MessageID: m.ID}, Text: m.Text}, nil
}

package search

import (
	"cmp"
	"slices"
)

// Facets are the properties by which matches are counted when a caller asks for it.
var Facets = []string{"status", "queue", "assignee", "tag", "channel", "priority"}

// MaxFacetValues is how many values of a property are told, those with the most matches.
const MaxFacetValues = 100

// Facet is how all matches of a query spread over the values of one property.
type Facet struct {
	Values []FacetValue `json:"values" nullable:"false"`
	None   uint64       `json:"none" doc:"Matches without any value."`
}

// FacetValue is one value, and how many matches have it.
type FacetValue struct {
	Value string `json:"value"`
	Count uint64 `json:"count"`
}

// Sorted has the most frequent values first.
func (f Facet) Sorted() Facet {
	slices.SortFunc(f.Values, func(a, b FacetValue) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
	return f
}

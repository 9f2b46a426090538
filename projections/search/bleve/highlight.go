package bleve

import (
	"cmp"
	"slices"
	"unicode/utf8"

	bsearch "github.com/blevesearch/bleve/v2/search"

	"github.com/tidemark-desk/tidemark/projections/search"
)

const (
	maxHighlights = 3
	before, after = 60, 120 // bytes of text shown around the first match
)

// highlights says where the words stand, the messages with most of them first. A document that changed between the two
// steps of a search can have places that are no longer there; those are left out.
func highlights(d *search.Document, where bsearch.FieldTermLocationMap) []search.Highlight {
	type found struct {
		search.Highlight
		text  string
		field string
		at    uint64
		spans [][2]int
	}
	var all []*found
	for field, terms := range where {
		for _, locations := range terms {
			for _, l := range locations {
				var at uint64
				if len(l.ArrayPositions) > 0 {
					at = l.ArrayPositions[0]
				}
				i := slices.IndexFunc(all, func(f *found) bool { return f.field == field && f.at == at })
				if i < 0 {
					h, text, ok := place(d, field, at)
					if !ok {
						continue
					}
					all = append(all, &found{Highlight: h, text: text, field: field, at: at})
					i = len(all) - 1
				}
				if l.Start < l.End && l.End <= uint64(len(all[i].text)) {
					all[i].spans = append(all[i].spans, [2]int{int(l.Start), int(l.End)}) //nolint:gosec // within the text
				}
			}
		}
	}
	all = slices.DeleteFunc(all, func(f *found) bool { return len(f.spans) == 0 })
	for _, f := range all {
		slices.SortFunc(f.spans, func(a, b [2]int) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
		f.spans = slices.Compact(f.spans)
	}
	slices.SortFunc(all, func(a, b *found) int {
		return cmp.Or(cmp.Compare(len(b.spans), len(a.spans)), cmp.Compare(a.field, b.field), cmp.Compare(a.at, b.at))
	})
	var out []search.Highlight
	for _, f := range all[:min(len(all), maxHighlights)] {
		f.Fragment, f.Matches = fragment(f.text, f.spans)
		out = append(out, f.Highlight)
	}
	return out
}

// place is the text at a field and array position.
func place(d *search.Document, field string, at uint64) (search.Highlight, string, bool) {
	list, in := d.Messages, "message"
	switch field {
	case fieldSubject:
		return search.Highlight{In: "subject"}, d.Subject, true
	case fieldNotes:
		list, in = d.Notes, "note"
	}
	if at >= uint64(len(list)) {
		return search.Highlight{}, "", false
	}
	return search.Highlight{In: in, MessageID: list[at].ID}, list[at].Text, true
}

// fragment cuts the text around its first match, at whole characters.
func fragment(text string, spans [][2]int) (string, [][2]int) {
	from := max(0, spans[0][0]-before)
	for from > 0 && !utf8.RuneStart(text[from]) {
		from--
	}
	to := min(len(text), max(spans[0][0]+after, spans[0][1]))
	for to < len(text) && !utf8.RuneStart(text[to]) {
		to++
	}
	var matches [][2]int
	for _, s := range spans {
		if s[1] <= to {
			matches = append(matches, [2]int{s[0] - from, s[1] - from})
		}
	}
	return text[from:to], matches
}

package search

import (
	"cmp"
	"slices"
	"unicode/utf8"

	"github.com/tidemark-desk/tidemark/projections/search/words"
)

const (
	maxHighlights = 3
	before, after = 60, 120 // bytes of text shown around the first match
)

// Spot is a text of a document, and the byte ranges in it that match.
type Spot struct {
	Highlight

	Text  string
	Spans [][2]int
}

// Best are the highlights of a document: those with most matches first, cut to what is shown.
func Best(spots []Spot) []Highlight {
	for i := range spots {
		s := &spots[i]
		slices.SortFunc(s.Spans, func(a, b [2]int) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
		s.Spans = slices.Compact(s.Spans)
	}
	spots = slices.DeleteFunc(spots, func(s Spot) bool { return len(s.Spans) == 0 })
	slices.SortStableFunc(spots, func(a, b Spot) int { return cmp.Compare(len(b.Spans), len(a.Spans)) })
	var out []Highlight
	for _, s := range spots[:min(len(spots), maxHighlights)] {
		s.Fragment, s.Matches = fragment(s.Text, s.Spans)
		out = append(out, s.Highlight)
	}
	return out
}

// Spots are the texts of a document that may be shown: the subject, messages, and notes if they are asked for.
func (d *Document) Spots(notes bool) []Spot {
	out := make([]Spot, 0, 1+len(d.Messages)+len(d.Notes))
	out = append(out, Spot{Highlight: Highlight{In: "subject"}, Text: d.Subject})
	if notes {
		for _, n := range d.Notes {
			out = append(out, Spot{Highlight: Highlight{In: "note", MessageID: n.ID}, Text: n.Text})
		}
	}
	for _, m := range d.Messages {
		out = append(out, Spot{Highlight: Highlight{In: "message", MessageID: m.ID}, Text: m.Text})
	}
	return out
}

// Highlights finds where the words of a query stand in a document.
func (q Query) Highlights(d *Document) []Highlight {
	spots := d.Spots(q.Notes)
	clauses, _ := Essence(q.Clauses)
	for _, c := range Leaves(clauses) {
		if !c.IsText() {
			continue
		}
		find := words.Finder(c.Text, c.Kind == Prefix)
		switch c.Kind {
		case Near:
			find = func(text string) [][2]int { return words.NearSpans(text, c.Text) }
		case Phrase:
			find = words.ExactFinder(c.Text)
		case Word, Prefix, Field, Group:
		}
		for i := range spots {
			spots[i].Spans = append(spots[i].Spans, find(spots[i].Text)...)
		}
	}
	return Best(spots)
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

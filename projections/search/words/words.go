// Package words cuts text into the words that are searched for.
//
// It is how the embedded index analyses documents and queries, and what every engine agrees with: whether there is a word
// in a piece of a query at all, and where the words of a query stand in a text.
package words

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/blevesearch/bleve/v2/analysis"
	"github.com/blevesearch/bleve/v2/analysis/char/asciifolding"
	"github.com/blevesearch/bleve/v2/analysis/lang/cjk"
	"github.com/blevesearch/bleve/v2/analysis/lang/en"
	"github.com/blevesearch/bleve/v2/analysis/token/lowercase"
	"github.com/blevesearch/bleve/v2/analysis/tokenizer/unicode"
	porter "github.com/blevesearch/go-porterstemmer"
)

// Stems turns text into terms, for documents and queries alike:
//
//   - words as Cut leaves them, in lower case and without accents, as their English stem;
//   - Chinese, Japanese and Korean as single characters and pairs of neighbours;
//   - no stop words are dropped, so that any phrase can be found; queries leave them out where they only cost.
//
// Offsets are those of the original text: accents are folded after it was cut into words.
var Stems = analyzer(terms{stem: true})

// Exact is the same with words as they were written, not their stems: for phrases, for prefixes, and for ranking the form
// that was asked for above others.
var Exact = analyzer(terms{})

func analyzer(last terms) *analysis.DefaultAnalyzer {
	return &analysis.DefaultAnalyzer{
		Tokenizer: tokenizer{unicode.NewUnicodeTokenizer()},
		TokenFilters: []analysis.TokenFilter{
			cjk.NewCJKWidthFilter(),
			en.NewPossessiveFilter(),
			lowercase.NewLowerCaseFilter(),
			last,
		},
	}
}

// tokenizer cuts text where Unicode or Cut says.
type tokenizer struct{ analysis.Tokenizer }

func (t tokenizer) Tokenize(text []byte) analysis.TokenStream {
	text, breaks := cut(text)
	if len(breaks) == 0 {
		return t.Tokenizer.Tokenize(text)
	}
	var out analysis.TokenStream
	from := 0
	for _, to := range append(breaks, len(text)) {
		if r, n := utf8.DecodeRune(text[from:to]); writing(r) == alone { // of which Unicode says nothing
			out = append(out, &analysis.Token{Term: text[from : from+n], Start: from, End: from + n})
			from += n
		}
		for _, token := range t.Tokenizer.Tokenize(text[from:to]) {
			token.Start += from
			token.End += from
			out = append(out, token)
		}
		from = to
	}
	return out
}

// terms is the last filter: folding, stems, characters and pairs.
type terms struct{ stem bool }

// maxTerm bounds what one "word" may be; longer ones are noise such as keys and data URLs.
const maxTerm = 128

func (f terms) Filter(in analysis.TokenStream) analysis.TokenStream {
	out := make(analysis.TokenStream, 0, len(in))
	pos := 0
	for i := 0; i < len(in); {
		t := in[i]
		if inPairs(t) {
			end := i + 1
			for end < len(in) && inPairs(in[end]) && in[end].Start == in[end-1].End {
				end++
			}
			out, pos = pairs(out, in[i:end], pos)
			i = end
			continue
		}
		i++
		pos++
		if len(t.Term) > maxTerm {
			continue // its place stays taken, so that a phrase does not close over it
		}
		t.Position = pos
		t.Term = fold(t.Term)
		if f.stem {
			t.Term = []byte(string(porter.StemWithoutLowerCasing([]rune(string(t.Term)))))
		}
		out = append(out, t)
	}
	return out
}

func inPairs(t *analysis.Token) bool {
	r, _ := utf8.DecodeRune(t.Term)
	return writing(r) == paired
}

// pairs writes each character of a run, and each with its right neighbour, at the place of the first.
func pairs(out analysis.TokenStream, run analysis.TokenStream, pos int) (analysis.TokenStream, int) {
	type char struct {
		term  []byte
		start int
	}
	var chars []char
	for _, t := range run {
		for rest, at := t.Term, t.Start; len(rest) > 0; {
			r, n := utf8.DecodeRune(rest)
			if unmarked(r) >= 0 {
				chars = append(chars, char{term: rest[:n], start: at})
			}
			rest, at = rest[n:], min(at+n, t.End)
		}
	}
	for i, c := range chars {
		pos++
		out = append(out, &analysis.Token{Term: c.term, Start: c.start, End: c.start + len(c.term), Position: pos, Type: analysis.Single})
		if i+1 < len(chars) {
			next := chars[i+1]
			pair := append(append(make([]byte, 0, len(c.term)+len(next.term)), c.term...), next.term...)
			out = append(out, &analysis.Token{Term: pair, Start: c.start, End: next.start + len(next.term), Position: pos, Type: analysis.Double})
		}
	}
	return out, pos
}

var folding = asciifolding.New()

func fold(term []byte) []byte {
	for _, b := range term {
		if b >= utf8.RuneSelf {
			return bytes.Map(unmarked, folding.Filter(term))
		}
	}
	return term
}

// unmarked takes out accents that stand beside their letter.
func unmarked(r rune) rune {
	if r >= 0x0300 && r <= 0x036f {
		return -1
	}
	return r
}

// Places are the terms that a piece of a query looks for, one per position, the most telling one; empty where anything may
// stand. None at all: there is nothing to look for.
func Places(text string) []string { return places(Stems, text) }

// ExactPlaces are the same as they were written, not as stems.
func ExactPlaces(text string) []string { return places(Exact, text) }

func places(a analysis.Analyzer, text string) []string {
	var out []string
	covered := false // by the pair before
	for _, t := range a.Analyze([]byte(text)) {
		for len(out) < t.Position {
			out = append(out, "")
		}
		last := &out[t.Position-1]
		switch t.Type {
		case analysis.Single:
			if !covered {
				*last = string(t.Term)
			}
			covered = false
		case analysis.Double:
			*last, covered = string(t.Term), true
		default:
			*last = string(t.Term)
		}
	}
	for len(out) > 0 && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	for len(out) > 0 && out[0] == "" {
		out = out[1:]
	}
	return out
}

// Prefix is what a prefix looks for: words as they stand in the index, not as stems, one per position.
func Prefix(text string) []string {
	var out []string
	for _, t := range Exact.Analyze([]byte(text)) {
		if t.Type != analysis.Double {
			out = append(out, string(t.Term))
		}
	}
	return out
}

// Stop tells whether a word carries no meaning of its own in English.
func Stop(word string) bool { return stopWords[strings.ToLower(word)] }

var stopWords = func() analysis.TokenMap {
	m := analysis.NewTokenMap()
	if err := m.LoadBytes(en.EnglishStopWords); err != nil {
		panic(err) // a constant of the library
	}
	return m
}()

// Spans are the byte ranges at which the words of a piece of a query stand in a text, in any form: all of its words, side by
// side. With prefix, words that begin as the last one does.
func Spans(text, piece string, prefix bool) [][2]int { return Finder(piece, prefix)(text) }

// Finder finds a piece of a query in many texts, as Spans does in one.
func Finder(piece string, prefix bool) func(text string) [][2]int {
	if prefix {
		words := Prefix(piece)
		return func(text string) [][2]int { return prefixSpans(Exact.Analyze([]byte(text)), words) }
	}
	return finder(Stems, Places(piece))
}

// ExactSpans are the same for words as they are written.
func ExactSpans(text, piece string) [][2]int { return ExactFinder(piece)(text) }

// ExactFinder is a Finder of words as they are written.
func ExactFinder(piece string) func(text string) [][2]int { return finder(Exact, ExactPlaces(piece)) }

func finder(a analysis.Analyzer, wanted []string) func(text string) [][2]int {
	return func(text string) [][2]int {
		for _, w := range wanted {
			if !possible(text, w) {
				return nil
			}
		}
		return spans(a.Analyze([]byte(text)), wanted)
	}
}

// possible tells that a text may have a term: to cut all of it into terms costs far more than to look. Stems begin as their
// words do, but for a y that became an i, and for short ones that got an e.
func possible(text, term string) bool {
	first := min(len(term), 3)
	if len(term) == 3 {
		first = 2
	}
	for i := range text {
		if text[i] >= utf8.RuneSelf { // it may be an accent that is folded
			return true
		}
	}
	for i := 0; i+first <= len(text); i++ {
		n := 0
		for n < first && plain(text[i+n]) == plain(term[n]) {
			n++
		}
		if n == first {
			return true
		}
	}
	return false
}

func plain(b byte) byte {
	switch {
	case b == 'y' || b == 'Y':
		return 'i'
	case 'A' <= b && b <= 'Z':
		return b + 'a' - 'A'
	}
	return b
}

func spans(tokens analysis.TokenStream, wanted []string) (out [][2]int) {
	if len(wanted) == 0 {
		return nil
	}
	at := make(map[int][]*analysis.Token, len(tokens))
	for _, t := range tokens {
		at[t.Position] = append(at[t.Position], t)
	}
	for _, t := range tokens {
		if string(t.Term) != wanted[0] {
			continue
		}
		found := [][2]int{{t.Start, t.End}}
		for i, w := range wanted[1:] {
			if w == "" {
				continue
			}
			next := slices.IndexFunc(at[t.Position+1+i], func(t *analysis.Token) bool { return string(t.Term) == w })
			if next < 0 {
				found = nil
				break
			}
			n := at[t.Position+1+i][next]
			found = append(found, [2]int{n.Start, n.End})
		}
		out = append(out, found...)
	}
	return out
}

func prefixSpans(tokens analysis.TokenStream, words []string) (out [][2]int) {
	for _, t := range tokens {
		for i, w := range words {
			last := i == len(words)-1
			if string(t.Term) == w || last && strings.HasPrefix(string(t.Term), w) {
				out = append(out, [2]int{t.Start, t.End})
				break
			}
		}
	}
	return out
}

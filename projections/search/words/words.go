// Package words cuts text into the words that are searched for.
//
// It is how the embedded index analyses documents and queries, and what every engine agrees with: whether there is a word
// in a piece of a query at all, and where the words of a query stand in a text.
package words

import (
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

// Analyzer turns text into terms, for documents and queries alike:
//
//   - words in lower case and without accents, as their English stem, and beside it the word itself when that is
//     another one, so that a prefix longer than the stem still finds it;
//   - Chinese and Japanese as single characters and pairs of neighbours;
//   - no stop words are dropped, so that any phrase can be found; queries leave them out where they only cost.
//
// Offsets are those of the original text: accents are folded after it was cut into words.
var Analyzer = &analysis.DefaultAnalyzer{
	Tokenizer: unicode.NewUnicodeTokenizer(),
	TokenFilters: []analysis.TokenFilter{
		cjk.NewCJKWidthFilter(),
		en.NewPossessiveFilter(),
		lowercase.NewLowerCaseFilter(),
		terms{},
	},
}

// terms is the last filter: folding, stems, characters and pairs.
type terms struct{}

// maxTerm bounds what one "word" may be; longer ones are noise such as keys and data URLs.
const maxTerm = 128

func (terms) Filter(in analysis.TokenStream) analysis.TokenStream {
	out := make(analysis.TokenStream, 0, len(in)+len(in)/2)
	pos := 0
	for i := 0; i < len(in); {
		t := in[i]
		if t.Type == analysis.Ideographic {
			end := i + 1
			for end < len(in) && in[end].Type == analysis.Ideographic && in[end].Start == in[end-1].End {
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
		stem := porter.StemWithoutLowerCasing([]rune(string(t.Term)))
		if s := string(stem); s != string(t.Term) {
			out = append(out, &analysis.Token{Term: []byte(s), Start: t.Start, End: t.End, Position: pos, Type: analysis.AlphaNumeric})
			t.Type = analysis.Shingle // the word beside its stem: found by prefix alone
		}
		out = append(out, t)
	}
	return out
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
			_, n := utf8.DecodeRune(rest)
			chars = append(chars, char{term: rest[:n], start: at})
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
			return folding.Filter(term)
		}
	}
	return term
}

// Places are the terms that a piece of a query looks for, one per position, the most telling one; empty where anything may
// stand. None at all: there is nothing to look for.
func Places(text string) []string {
	var out []string
	covered := false // by the pair before
	for _, t := range Analyzer.Analyze([]byte(text)) {
		for len(out) < t.Position {
			out = append(out, "")
		}
		last := &out[t.Position-1]
		switch t.Type {
		case analysis.Shingle: // the stem stands there already
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

// Prefix is the words of a prefix as they stand in the index, not as stems.
func Prefix(text string) []string {
	var out []string
	at := 0
	for _, t := range Analyzer.Analyze([]byte(text)) {
		if t.Position == at && t.Type != analysis.Shingle && t.Type != analysis.Double {
			continue
		}
		if t.Position == at {
			out[len(out)-1] = string(t.Term)
			continue
		}
		at = t.Position
		out = append(out, string(t.Term))
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

// Spans are the byte ranges at which the words of a piece of a query stand in a text: all of its words, side by side. With
// prefix, words that begin as the last one does.
func Spans(text, piece string, prefix bool) [][2]int {
	tokens := Analyzer.Analyze([]byte(text))
	at := make(map[int][]*analysis.Token, len(tokens))
	for _, t := range tokens {
		at[t.Position] = append(at[t.Position], t)
	}
	if prefix {
		return prefixSpans(tokens, Prefix(piece))
	}
	wanted := Places(piece)
	if len(wanted) == 0 {
		return nil
	}
	var out [][2]int
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

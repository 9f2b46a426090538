package bleve

import (
	"unicode/utf8"

	"github.com/blevesearch/bleve/v2/analysis"
	"github.com/blevesearch/bleve/v2/analysis/char/asciifolding"
	"github.com/blevesearch/bleve/v2/analysis/lang/cjk"
	"github.com/blevesearch/bleve/v2/analysis/lang/en"
	"github.com/blevesearch/bleve/v2/analysis/token/lowercase"
	"github.com/blevesearch/bleve/v2/analysis/tokenizer/unicode"
	porter "github.com/blevesearch/go-porterstemmer"
)

// analyzer turns text into terms, for documents and queries alike:
//
//   - words in lower case and without accents, as their English stem, and beside it the word itself when that is
//     another one, so that a prefix longer than the stem still finds it;
//   - Chinese and Japanese as single characters and pairs of neighbours;
//   - no stop words are dropped, so that any phrase can be found; queries leave them out where they only cost.
//
// Offsets are those of the original text: accents are folded after it was cut into words.
var analyzer = &analysis.DefaultAnalyzer{
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

// places are the terms that a query looks for, one per position; empty where anything may stand.
type places []string

// queryPlaces analyses a piece of a query: one term per position, the most telling one.
func queryPlaces(text string) places {
	var out places
	covered := false // by the pair before
	for _, t := range analyzer.Analyze([]byte(text)) {
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

// prefixWords are the words of a prefix as they stand in the index, not as stems.
func prefixWords(text string) []string {
	var out []string
	at := 0
	for _, t := range analyzer.Analyze([]byte(text)) {
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

// stopWords carry no meaning of their own in English.
var stopWords = func() analysis.TokenMap {
	m := analysis.NewTokenMap()
	if err := m.LoadBytes(en.EnglishStopWords); err != nil {
		panic(err) // a constant of the library
	}
	return m
}()

package search

import (
	"slices"
	"time"
	"unicode/utf8"

	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections/search/words"
)

// What one query may ask for.
const (
	maxQuery     = 1000 // characters of q
	maxClauses   = 32
	maxNesting   = 5 // parentheses in parentheses
	DefaultLimit = 25
	MaxLimit     = 100
	// MaxExpansion is how many different words the prefixes of a query may stand for, all together.
	MaxExpansion = 1000
)

// ClauseKind is how the text of a clause is to be found.
type ClauseKind int

// The kinds of clause.
const (
	Word   ClauseKind = iota // anywhere, in any form of the word
	Phrase                   // these words, side by side in one message
	Prefix                   // words that begin so
	Field                    // a property that equals the text
	Group                    // one of several lists of clauses, or more of them
	Near                     // words that are nearly so: nobody types it, see Find
)

// Clause is one condition; a query is all of its clauses together.
type Clause struct {
	Kind   ClauseKind
	Not    bool
	Field  string     // of kind Field: one of Fields
	Text   string     // of all kinds but Group
	Any    []string   // of kind Field, when it is not nil: equal to one of these, instead of the text
	Time   time.Time  // of the fields before and after
	Either [][]Clause // of kind Group: each list is of clauses together, and none is empty
	At     int        // character of the query at which it begins, from 1
}

// ParseQuery reads what a person typed: words (all must be found), "phrases", prefix*, -not, field:value, OR between two
// of these, and parentheses around several. OR is only about its two neighbours: a b OR c is a (b OR c). What cannot be
// read is fault Invalid "query_invalid", what is too much is "query_too_costly"; both say where.
func ParseQuery(q string) ([]Clause, error) {
	if !utf8.ValidString(q) {
		return nil, invalid(1, "it is not valid UTF-8")
	}
	p := parser{in: []rune(q)}
	if len(p.in) > maxQuery {
		return nil, invalid(maxQuery+1, "it is too long: at most %d characters", maxQuery)
	}
	return p.list(0)
}

func invalid(at int, format string, args ...any) *fault.Fault {
	why := fault.Newf(fault.Invalid, "", format, args...).Message
	return fault.Newf(fault.Invalid, "query_invalid", "the query cannot be read at character %d: %s", at, why).
		WithFields(place(at, why))
}

func costly(at int, format string, args ...any) *fault.Fault {
	return TooCostly(fault.Newf(fault.Invalid, "", format, args...).Message).WithFields(place(at, "costs too much"))
}

// TooCostly refuses a query, with the reason.
func TooCostly(why string) *fault.Fault {
	return fault.Newf(fault.Invalid, "query_too_costly", "the query costs too much: %s", why).WithHint("ask for less at once")
}

// TooBroad refuses a query whose prefixes stand for too many words.
func TooBroad() *fault.Fault {
	return TooCostly(fault.Newf(fault.Invalid, "", "its prefixes stand for more than %d words; write more letters before *", MaxExpansion).Message)
}

func place(at int, why string) fault.Field {
	return fault.Field{Location: "query.q", Message: fault.Newf(fault.Invalid, "", "character %d: %s", at, why).Message}
}

// IsText tells whether it is looked for in texts.
func (c Clause) IsText() bool { return c.Kind != Field && c.Kind != Group }

// Scored tells whether anything in the query can rank: without words, all matches are equal.
func (q Query) Scored() bool { return scored(q.Clauses) }

func scored(list []Clause) bool {
	for _, c := range list {
		switch {
		case c.Not:
		case c.Kind == Group:
			if slices.ContainsFunc(c.Either, scored) {
				return true
			}
		case c.IsText():
			return true
		}
	}
	return false
}

// Leaves are the clauses of a query that are not groups and not excluded, in the order in which they were written.
func Leaves(list []Clause) []Clause {
	var out []Clause
	for _, c := range list {
		switch {
		case c.Not:
		case c.Kind == Group:
			for _, alternative := range c.Either {
				out = append(out, Leaves(alternative)...)
			}
		default:
			out = append(out, c)
		}
	}
	return out
}

// Essence is what engines have to look for: clauses without those in which there is nothing but punctuation, and without
// stop words where others remain. None says that words were asked for and there is none in them, so that nothing can match.
func Essence(list []Clause) (out []Clause, none bool) {
	asked, remaining := false, 0
	var stops []Clause
	for _, c := range list {
		text := c.IsText()
		if c.Kind == Group {
			text = scored([]Clause{c})
			var either [][]Clause
			for _, alternative := range c.Either {
				if part, nothing := Essence(alternative); !nothing && len(part) > 0 {
					either = append(either, part)
				}
			}
			c.Either = either
		}
		asked = asked || text && !c.Not
		switch {
		case c.Kind == Group && len(c.Either) == 0, c.IsText() && len(words.Places(c.Text)) == 0:
			continue
		case c.Kind == Word && !c.Not && words.Stop(c.Text):
			stops = append(stops, c)
			continue
		case text && !c.Not:
			remaining++
		}
		out = append(out, c)
	}
	if remaining == 0 {
		out = append(out, stops...)
		none = asked && len(stops) == 0
	}
	return out, none
}

// Nothing is the result of a query that cannot match.
func (q Query) Nothing() Result {
	var res Result
	for _, f := range q.Facets {
		if res.Facets == nil {
			res.Facets = map[string]Facet{}
		}
		res.Facets[f] = Facet{Values: []FacetValue{}}
	}
	return res
}

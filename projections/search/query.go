package search

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
)

// What one query may ask for.
const (
	maxQuery     = 1000 // characters of q
	maxClauses   = 32
	DefaultLimit = 25
	MaxLimit     = 100
)

// ClauseKind is how the text of a clause is to be found.
type ClauseKind int

// The kinds of clause.
const (
	Word   ClauseKind = iota // anywhere, in any form of the word
	Phrase                   // these words, side by side in one message
	Prefix                   // words that begin so
	Field                    // a property that equals the text
)

// Clause is one condition; a query is all of its clauses together.
type Clause struct {
	Kind  ClauseKind
	Not   bool
	Field string // of kind Field: one of Fields
	Text  string
	Any   []string // of kind Field, when it is not nil: equal to one of these, instead of the text
	At    int      // character of the query at which it begins, from 1
}

// Fields are the properties that field:value can ask for.
var Fields = []string{"status", "queue", "assignee", "tag", "channel", "priority", "customer", FieldEmail}

// Fields that engines do not have of conversations.
const (
	FieldEmail   = "email"   // of the customer: put in terms of "customer" before an engine is asked
	FieldAddress = "address" // of a customer: Address
)

// ParseQuery reads what a person typed: words (all must be found), "phrases", prefix*, -not and field:value. What
// cannot be read is fault Invalid "query_invalid", and says where.
func ParseQuery(q string) ([]Clause, error) {
	if !utf8.ValidString(q) {
		return nil, invalid(1, "it is not valid UTF-8")
	}
	p := parser{in: []rune(q)}
	if len(p.in) > maxQuery {
		return nil, invalid(maxQuery+1, "it is too long: at most %d characters", maxQuery)
	}
	var out []Clause
	for {
		p.blanks()
		if p.at == len(p.in) {
			return out, nil
		}
		c, err := p.clause()
		if err != nil {
			return nil, err
		}
		if c.Text == "" {
			continue // a dash between words
		}
		if len(out) == maxClauses {
			return nil, invalid(c.At, "too many conditions: at most %d", maxClauses)
		}
		out = append(out, c)
	}
}

func invalid(at int, format string, args ...any) *fault.Fault {
	why := fault.Newf(fault.Invalid, "", format, args...).Message
	return fault.Newf(fault.Invalid, "query_invalid", "the query cannot be read at character %d: %s", at, why).
		WithFields(fault.Field{Location: "query.q", Message: fault.Newf(fault.Invalid, "", "character %d: %s", at, why).Message})
}

type parser struct {
	in []rune
	at int
}

func (p *parser) blanks() {
	for p.at < len(p.in) && unicode.IsSpace(p.in[p.at]) {
		p.at++
	}
}

func (p *parser) peek(r rune) bool { return p.at < len(p.in) && p.in[p.at] == r }

func (p *parser) clause() (Clause, error) {
	c := Clause{At: p.at + 1}
	if p.peek('-') {
		p.at++
		if p.at == len(p.in) || unicode.IsSpace(p.in[p.at]) {
			return c, nil
		}
		c.Not = true
	}
	var err error
	if c.Field, err = p.field(); err != nil {
		return c, err
	}
	if c.Field != "" {
		c.Kind = Field
	}
	valueAt := p.at + 1
	if p.peek('"') {
		if c.Text, err = p.quoted(); err != nil {
			return c, err
		}
		if strings.TrimSpace(c.Text) == "" {
			return c, invalid(valueAt, "there is nothing between the quotes")
		}
		if c.Kind == Word {
			c.Kind = Phrase
			return c, nil
		}
		return c, checkValue(c, valueAt)
	}
	c.Text = p.word()
	if c.Kind == Field {
		if c.Text == "" {
			return c, invalid(valueAt, "%s: needs a value", c.Field)
		}
		return c, checkValue(c, valueAt)
	}
	if stem, ok := strings.CutSuffix(c.Text, "*"); ok {
		if utf8.RuneCountInString(stem) < 2 {
			return c, invalid(valueAt, "at least two letters must stand before *")
		}
		c.Kind, c.Text = Prefix, stem
	}
	if i := strings.IndexByte(c.Text, '*'); i >= 0 {
		return c, invalid(valueAt+utf8.RuneCountInString(c.Text[:i]), "* can only end a word")
	}
	return c, nil
}

// field reads "name:" when it stands here. "re: invoice", "10:30" and "https://…" are text; a name that looks like
// a field and is none is a mistake that is better told than searched for.
func (p *parser) field() (string, error) {
	end := p.at
	for end < len(p.in) && (unicode.IsLetter(p.in[end]) || p.in[end] == '_') {
		end++
	}
	if end == p.at || end == len(p.in) || p.in[end] != ':' {
		return "", nil
	}
	name := strings.ToLower(string(p.in[p.at:end]))
	if slices.Contains(Fields, name) {
		p.at = end + 1
		return name, nil
	}
	if next := end + 1; next == len(p.in) || unicode.IsSpace(p.in[next]) || p.in[next] == '/' {
		return "", nil
	}
	return "", invalid(p.at+1, "there is no field %q; there are %s; put quotes around it to find it as text", name, strings.Join(Fields, ", "))
}

func (p *parser) quoted() (string, error) {
	open := p.at
	for p.at++; p.at < len(p.in); p.at++ {
		if p.in[p.at] == '"' {
			p.at++
			return string(p.in[open+1 : p.at-1]), nil
		}
	}
	return "", invalid(open+1, "the quote is not closed")
}

func (p *parser) word() string {
	start := p.at
	for p.at < len(p.in) && !unicode.IsSpace(p.in[p.at]) && p.in[p.at] != '"' {
		p.at++
	}
	return string(p.in[start:p.at])
}

func checkValue(c Clause, at int) error {
	var known []string
	switch c.Field {
	case "status":
		known = []string{string(events.StatusOpen), string(events.StatusSnoozed), string(events.StatusClosed)}
	case "priority":
		known = names(events.Priorities)
	case "channel":
		known = names(events.Channels)
	}
	if known != nil && !slices.Contains(known, c.Text) {
		return invalid(at, "%s is one of %s", c.Field, strings.Join(known, ", "))
	}
	return nil
}

func names[S ~string](in []S) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = string(s)
	}
	return out
}

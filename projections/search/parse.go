package search

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

type parser struct {
	in      []rune
	at      int
	clauses int
}

func (p *parser) blanks() {
	for p.at < len(p.in) && unicode.IsSpace(p.in[p.at]) {
		p.at++
	}
}

func (p *parser) peek(r rune) bool { return p.at < len(p.in) && p.in[p.at] == r }

// list reads clauses to the end, or up to the parenthesis that closes.
func (p *parser) list(depth int) ([]Clause, error) {
	var out []Clause
	joined := 0 // where OR stands whose other side comes next
	for {
		p.blanks()
		if p.at == len(p.in) || p.peek(')') {
			break
		}
		if at := p.at + 1; p.or() {
			if joined > 0 || len(out) == 0 {
				return nil, invalid(at, "something must stand before OR; put quotes around it to find it as text")
			}
			joined = at
			continue
		}
		c, err := p.clause(depth)
		if err != nil {
			return nil, err
		}
		switch {
		case c.Kind != Group && c.Text == "": // a dash between words
		case joined > 0:
			out[len(out)-1] = either(out[len(out)-1], c)
			joined = 0
		default:
			out = append(out, c)
		}
	}
	switch {
	case joined > 0:
		return nil, invalid(joined, "something must stand behind OR; put quotes around it to find it as text")
	case p.peek(')') && depth == 0:
		return nil, invalid(p.at+1, "there is no parenthesis that it closes; put quotes around it to find it as text")
	}
	return flat(out), nil
}

// either joins what stands on the sides of OR. A group that was written in parentheses is one side, not its parts.
func either(a, b Clause) Clause {
	if a.Kind == Group && !a.Not && a.Text == orMark {
		a.Either = append(a.Either, []Clause{b})
		return a
	}
	return Clause{Kind: Group, Text: orMark, Either: [][]Clause{{a}, {b}}, At: a.At}
}

// orMark tells groups that grow with each OR from those in parentheses, while they are read.
const orMark = "OR"

// flat takes away the parentheses that make no difference.
func flat(list []Clause) []Clause {
	out := make([]Clause, 0, len(list))
	for _, c := range list {
		if c.Kind != Group {
			out = append(out, c)
			continue
		}
		c.Text = ""
		for i := range c.Either {
			c.Either[i] = flat(c.Either[i])
		}
		switch {
		case len(c.Either) > 1:
			out = append(out, c)
		case !c.Not:
			out = append(out, c.Either[0]...)
		case len(c.Either[0]) == 1:
			only := c.Either[0][0]
			only.Not = !only.Not
			out = append(out, only)
		default:
			out = append(out, c)
		}
	}
	return out
}

// or reads the word OR; in small letters it is a word like any other.
func (p *parser) or() bool {
	if !strings.HasPrefix(string(p.in[p.at:min(p.at+2, len(p.in))]), orMark) {
		return false
	}
	if end := p.at + 2; end < len(p.in) && !unicode.IsSpace(p.in[end]) && !strings.ContainsRune(`()"`, p.in[end]) {
		return false
	}
	p.at += 2
	return true
}

// clause reads one; without text when there is none.
func (p *parser) clause(depth int) (Clause, error) {
	c := Clause{At: p.at + 1}
	if p.peek('-') {
		p.at++
		if p.at == len(p.in) || unicode.IsSpace(p.in[p.at]) || p.in[p.at] == ')' {
			return c, nil
		}
		c.Not = true
	}
	if p.peek('(') {
		return p.group(c, depth)
	}
	var err error
	if c.Field, err = p.field(); err != nil {
		return c, err
	}
	if c.Field != "" {
		c.Kind = Field
	}
	if p.clauses++; p.clauses > maxClauses {
		return c, costly(c.At, "it has too many conditions: at most %d", maxClauses)
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
		return value(c, valueAt, true)
	}
	c.Text = p.word(depth > 0)
	if c.Kind == Field {
		if c.Text == "" {
			return c, invalid(valueAt, "%s: needs a value", c.Field)
		}
		return value(c, valueAt, false)
	}
	return p.wild(c, valueAt)
}

// wild makes a prefix of a word that ends with *.
func (p *parser) wild(c Clause, at int) (Clause, error) {
	if stem, ok := strings.CutSuffix(c.Text, "*"); ok {
		if utf8.RuneCountInString(stem) < 2 {
			return c, invalid(at, "at least two letters must stand before *")
		}
		c.Kind, c.Text = Prefix, stem
	}
	if i := strings.IndexByte(c.Text, '*'); i >= 0 {
		return c, invalid(at+utf8.RuneCountInString(c.Text[:i]), "* can only end a word")
	}
	return c, nil
}

func (p *parser) group(c Clause, depth int) (Clause, error) {
	open := p.at + 1
	if depth == maxNesting {
		return c, costly(open, "its parentheses are nested too deeply: at most %d in each other", maxNesting)
	}
	p.at++
	inner, err := p.list(depth + 1)
	switch {
	case err != nil:
		return c, err
	case !p.peek(')'):
		return c, invalid(open, "the parenthesis is not closed")
	case len(inner) == 0:
		return c, invalid(open, "there is nothing between the parentheses")
	}
	p.at++
	c.Kind, c.Either = Group, [][]Clause{inner}
	return c, nil
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

// word reads up to the next blank or quote, or the parenthesis that closes the group; one that closes another in the
// word belongs to it, as in invoice(2).
func (p *parser) word(inGroup bool) string {
	start, open := p.at, 0
	for ; p.at < len(p.in); p.at++ {
		switch r := p.in[p.at]; {
		case unicode.IsSpace(r) || r == '"':
			return string(p.in[start:p.at])
		case r == '(':
			open++
		case r == ')' && open > 0:
			open--
		case r == ')' && (inGroup || p.at == start):
			return string(p.in[start:p.at])
		}
	}
	return string(p.in[start:p.at])
}

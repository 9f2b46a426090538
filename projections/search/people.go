package search

import (
	"fmt"
	"maps"

	"github.com/tidemark-desk/tidemark/events"
)

// Customer is one of an org.
type Customer struct{ Org, ID string }

// Mark is what became of a customer: they are erased, or went on in another. Engines keep marks, because the log may
// forget the history of who is erased.
type Mark struct {
	Customer
	Into     string // empty: erased
	Position uint64
}

// People is what became of customers. Whoever went on in somebody who is erased is erased with them. It is never changed
// in place by planning: a plan that has news has its own.
type People struct {
	into   map[Customer]Customer
	erased map[Customer]bool
}

// NewPeople is nobody yet.
func NewPeople() People {
	return People{into: map[Customer]Customer{}, erased: map[Customer]bool{}}
}

// Marks is how many there are.
func (p People) Marks() int { return len(p.into) + len(p.erased) }

// List is all marks.
func (p People) List() []Mark {
	out := make([]Mark, 0, p.Marks())
	for c := range p.erased {
		out = append(out, Mark{Customer: c})
	}
	for c, into := range p.into {
		out = append(out, Mark{Customer: c, Into: into.ID})
	}
	return out
}

// Add takes a mark in.
func (p People) Add(m Mark) {
	if m.Into == "" {
		p.erased[m.Customer] = true
		return
	}
	p.into[m.Customer] = Customer{Org: m.Org, ID: m.Into}
}

// Gone tells whether nothing of a customer may be found.
func (p People) Gone(c Customer) bool {
	for range len(p.into) + 1 { // a circle of merges ends
		if p.erased[c] {
			return true
		}
		next, went := p.into[c]
		if !went {
			return false
		}
		c = next
	}
	return false
}

// With is a customer and all who went on in them, however many merges ago.
func (p People) With(c Customer) []Customer {
	all, seen := []Customer{c}, map[Customer]bool{c: true}
	for i := 0; i < len(all); i++ {
		for from, into := range p.into {
			if into == all[i] && !seen[from] {
				seen[from] = true
				all = append(all, from)
			}
		}
	}
	return all
}

func (p People) clone() People {
	return People{into: maps.Clone(p.into), erased: maps.Clone(p.erased)}
}

// marks are what the events say of one customer.
func marks(list []events.Recorded) (out []Mark, err error) {
	for _, r := range list {
		m := Mark{Customer: Customer{Org: r.Org, ID: r.Aggregate.ID}, Position: r.Sequence}
		switch e := r.Event.(type) {
		case events.Unknown:
			return nil, fmt.Errorf("read %s of %s at %d: %s", e.Type, r.Aggregate, r.Sequence, e.Reason)
		case events.CustomerMerged:
			m.Into = e.IntoID
			out = append(out, m)
		case events.CustomerErased:
			out = append(out, m)
		}
	}
	return out, nil
}

package ledger

import (
	"fmt"
	"maps"
	"slices"

	"github.com/tidemark-desk/tidemark/events"
)

// person is one customer's part of the account.
type person struct {
	made, lastIn uint64 // sequences of their first event, 0 when it was purged, and of the last one in the window
}

// person notes an event of a customer.
func (f *fold) person(r events.Recorded) {
	p := f.people[r.Aggregate.ID]
	if p == nil {
		p = &person{}
		f.people[r.Aggregate.ID] = p
	}
	if r.Revision == 1 {
		p.made = r.Sequence // also when this version cannot read the event: it was accepted
	}
	if f.begun && !f.ended {
		p.lastIn = r.Sequence
	}
}

// gone tells whether nobody may show a customer any more; known says that the read model knows it by now.
func (f *fold) gone(id string, p *person) (gone, known bool) {
	if at, erased := f.erased[id]; erased {
		return true, at <= f.head
	}
	return p.made == 0, !f.erasedLater
}

// customers draws up the account of those who became known in the window. s is what was shown of them; nil: nobody
// could be asked.
func (c *comparison) customers(s *side) *People {
	out := &People{Compared: s != nil}
	for _, id := range slices.Sorted(maps.Keys(c.people)) {
		p := c.people[id]
		made := p.made > c.after && p.made <= c.through
		excused, known := c.gone(id, p)
		if made {
			out.Accepted++
		}
		if made && excused {
			out.Excused++
		}
		if s == nil || !made && p.lastIn == 0 {
			continue
		}
		shown, there := s.shown[id]
		var problem string
		switch parked, waits := s.parked[c.key(events.KindCustomer, id)]; {
		case excused && known && there:
			problem = "is still shown, although erased"
		case excused:
		case !there:
			problem = "is not there"
		case shown.Sequence < p.lastIn:
			problem = fmt.Sprintf("stopped at event %d, the log goes on to %d", shown.Sequence, p.lastIn)
		case waits && parked.Sequence > c.after && parked.Sequence <= c.through:
			problem = "waits for an operator"
		}
		switch {
		case !made || excused:
		case there:
			out.Shown++
		default:
			out.Missing++
		}
		if problem != "" {
			c.hole(*s, Hole{CustomerID: id}, id, []string{problem})
		}
	}
	if s != nil && !c.erasedLater {
		c.strangers(*s, c.unknown, func(id string) Hole { return Hole{CustomerID: id} })
	}
	return out
}

// unknown is what is wrong with showing a customer of whom the log does not know.
func (c *comparison) unknown(id string) string {
	if c.people[id] == nil {
		return unknownToTheLog
	}
	return ""
}

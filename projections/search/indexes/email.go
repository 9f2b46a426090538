package indexes

import (
	"context"
	"fmt"
	"slices"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// resolve puts customers in the place of their e-mail addresses: an index of conversations knows only whose they are. Who was
// merged into the one who has the address is meant too, for their conversations keep their names.
func (s *Set) resolve(ctx context.Context, m *member, q search.Query) (search.Query, error) {
	for i, c := range q.Clauses {
		if c.Kind != search.Field || c.Field != search.FieldEmail {
			continue
		}
		q.Clauses = slices.Clone(q.Clauses)
		address := c
		address.Field, address.Text = search.FieldAddress, search.Address(events.Identity{Type: events.IdentityEmail, Value: c.Text})
		if q.Kind == events.KindCustomer {
			q.Clauses[i] = address
			continue
		}
		address.Not = false
		who, err := m.Search(ctx, search.Query{
			Kind: events.KindCustomer, Org: q.Org, Clauses: []search.Clause{address}, Sort: search.SortNewest, Limit: search.MaxLimit,
		})
		if err != nil {
			return q, fmt.Errorf("find whose address it is: %w", err)
		}
		s.mu.Lock()
		people := s.people
		s.mu.Unlock()
		c.Field, c.Any = "customer", []string{}
		for _, h := range who.Hits {
			for _, w := range people.With(search.Customer{Org: q.Org, ID: h.ConversationID}) {
				c.Any = append(c.Any, w.ID)
			}
		}
		q.Clauses[i] = c
	}
	return q, nil
}

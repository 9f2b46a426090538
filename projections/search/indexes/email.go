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
	var err error
	q.Clauses, err = s.resolveIn(ctx, m, q, q.Clauses)
	return q, err
}

// resolveIn does so in some of its clauses, and in the groups among them.
func (s *Set) resolveIn(ctx context.Context, m *member, q search.Query, list []search.Clause) ([]search.Clause, error) {
	list = slices.Clone(list)
	for i, c := range list {
		if c.Kind == search.Group {
			either := make([][]search.Clause, len(c.Either))
			for n, alternative := range c.Either {
				var err error
				if either[n], err = s.resolveIn(ctx, m, q, alternative); err != nil {
					return nil, err
				}
			}
			list[i].Either = either
			continue
		}
		if c.Kind != search.Field || c.Field != search.FieldEmail {
			continue
		}
		address := c
		address.Field, address.Text = search.FieldAddress, search.Address(events.Identity{Type: events.IdentityEmail, Value: c.Text})
		if q.Kind == events.KindCustomer {
			list[i] = address
			continue
		}
		address.Not = false
		who, err := m.Search(ctx, search.Query{
			Kind: events.KindCustomer, Org: q.Org, Clauses: []search.Clause{address}, Sort: search.SortNewest, Limit: search.MaxLimit,
		})
		if err != nil {
			return nil, fmt.Errorf("find whose address it is: %w", err)
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
		list[i] = c
	}
	return list, nil
}

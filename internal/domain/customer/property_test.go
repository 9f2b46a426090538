package customer_test

import (
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/customer"
	"github.com/tidemark-desk/tidemark/internal/testkit/domaintest"
)

func TestProperties(t *testing.T) {
	t.Parallel()
	domaintest.Check(t, domaintest.Aggregate[customer.State, customer.Command]{
		Kind: events.KindCustomer, Evolve: customer.Evolve, Decide: customer.Decide, Given: created,
		Commands: []customer.Command{
			customer.Create{},
			customer.Rename{},
			customer.Identify{},
			customer.RemoveIdentity{},
			customer.SetAttributes{},
			customer.MergeInto{},
			customer.Absorb{},
			customer.Erase{},
		},
		Fields: domaintest.Fields{
			"Type":  {events.IdentityEmail, events.IdentityEmail, events.IdentityPhone, events.IdentityType("telex")},
			"Value": {"ann@acme.example", " Ann@Acme.example", "+49 30 901820", ""},
		},
		Holds: func(s customer.State) bool {
			return !s.Erased || s.Identities == nil && s.Attributes == nil && s.Name == ""
		},
	})
}

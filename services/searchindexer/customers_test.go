package searchindexer_test

import (
	"errors"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// Customers are asked for over the wire, and so are the conversations of who has an address.
func TestCustomersAreFound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.start(t)
	anna := events.Aggregate{Org: "org", Kind: events.KindCustomer, ID: "anna"}
	b.append(t, anna, events.CustomerCreated{Name: "Anna Smith"},
		events.CustomerIdentified{Identity: events.Identity{Type: events.IdentityEmail, Value: "anna.smith@example.com"}})
	b.write(t, "org", "hers", events.ConversationOpened{CustomerID: "anna", Channel: events.ChannelEmail, Subject: "Hello"})
	b.write(t, "org", "his", events.ConversationOpened{CustomerID: "bob", Channel: events.ChannelEmail, Subject: "Hello"})

	found := until(t, func() (search.Answer, error) {
		a, err := b.client.Search(t.Context(), search.Request{Org: "org", Customers: true, Q: "smith"})
		if err == nil && a.Total == 0 {
			err = errors.New("it is not found yet")
		}
		return a, err
	})
	if c := found.Customers; len(c) != 1 || len(found.Items) != 0 || c[0].CustomerID != "anna" || c[0].Name != "Anna Smith" || len(c[0].Identities) != 1 {
		t.Errorf("found %+v", found)
	}
	theirs := until(t, func() (search.Answer, error) {
		a, err := b.client.Search(t.Context(), search.Request{Org: "org", Q: "email:anna.smith@example.com"})
		if err == nil && a.Total == 0 {
			err = errors.New("it is not found yet")
		}
		return a, err
	})
	if len(theirs.Items) != 1 || theirs.Items[0].ConversationID != "hers" || theirs.Customers != nil {
		t.Errorf("found %+v", theirs)
	}
	if _, err := b.client.Search(t.Context(), search.Request{Org: "org", Customers: true, Q: "status:open"}); fault.CodeOf(err) != "query_invalid" {
		t.Errorf("a property that customers have not: %v", err)
	}
}

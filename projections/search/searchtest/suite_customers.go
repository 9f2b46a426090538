package searchtest

import (
	"slices"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/search"
)

func customer(org, id string) events.Aggregate {
	return events.Aggregate{Org: org, Kind: events.KindCustomer, ID: id}
}

func has(kind events.IdentityType, value string) events.Event {
	return events.CustomerIdentified{Identity: events.Identity{Type: kind, Value: value}}
}

// people are customers of two orgs, and conversations of some of them.
func people(t *testing.T, start Start) *bundle {
	t.Helper()
	b := setup(t, start)
	for _, c := range []struct {
		id   string
		list []events.Event
	}{
		{"anna", []events.Event{
			events.CustomerCreated{Name: "Anna Smith"},
			has(events.IdentityEmail, "anna.smith@example.com"),
			has(events.IdentityPhone, "+491701234567"), has(events.IdentityExternalID, "CRM-00042-X"),
		}},
		{"ann", []events.Event{events.CustomerCreated{Name: "Ann Smithson"}, has(events.IdentityEmail, "ann@example.org")}},
		{"odon", []events.Event{events.CustomerCreated{Name: "Kovács"}, events.CustomerRenamed{Name: "Ödön Kovács"}, has(events.IdentityX, "odon_k")}},
		{"visitor", []events.Event{events.CustomerCreated{}}},
	} {
		b.log.Append(customer("org", c.id), c.list...)
	}
	b.log.Append(customer("other", "anna"), events.CustomerCreated{Name: "Anna Smith"}, has(events.IdentityEmail, "anna.smith@example.com"))
	for id, who := range map[string]string{"c-anna": "anna", "c-ann": "ann", "c-visitor": "visitor"} {
		b.log.Append(Conversation("org", id), events.ConversationOpened{CustomerID: who, Channel: events.ChannelEmail, Subject: "smith"})
	}
	b.log.Append(Conversation("other", "c-other"), events.ConversationOpened{CustomerID: "anna", Channel: events.ChannelEmail})
	b.log.Drive(t.Context(), t, b, 3)
	return b
}

func (b *bundle) wantsCustomers(t *testing.T, q string, want ...string) {
	t.Helper()
	if got := b.found(t, search.Request{Q: q, Customers: true}); !slices.Equal(got, want) && len(got)+len(want) > 0 {
		t.Errorf("%s finds the customers %v, want %v", q, got, want)
	}
}

// customers are found by their names and addresses, whole and in part, in their own org, and never among conversations.
func customers(t *testing.T, start Start) {
	t.Helper()
	b := people(t, start)
	for _, test := range []struct {
		q    string
		want []string
	}{
		{"anna", []string{"anna"}},
		{"ANNA smith", []string{"anna"}},
		{"ann*", []string{"ann", "anna"}},
		{"smith*", []string{"ann", "anna"}},
		{"anna.smith@example.com", []string{"anna"}},
		{"anna.smith", []string{"anna"}},
		{"example.com", []string{"anna"}},
		{"example", []string{"ann", "anna"}},
		{"example -anna", []string{"ann"}},
		{"+491701234567", []string{"anna"}},
		{"+4917012*", []string{"anna"}},
		{"CRM-00042-X", []string{"anna"}},
		{"crm-00042", []string{"anna"}},
		{"00042", []string{"anna"}},
		{"odon", []string{"odon"}},
		{"ödön kovacs", []string{"odon"}},
		{"odon_k", []string{"odon"}},
		{"email:Anna.Smith@example.com", []string{"anna"}},
		{"email:anna", nil}, // an address, not a part of one
		{"", []string{"ann", "anna", "odon"}},
		{"visitor", nil},
	} {
		b.wantsCustomers(t, test.q, test.want...)
	}
	b.wants(t, "smith", "c-ann", "c-anna", "c-visitor")
	b.wants(t, "kovacs")
	if got := b.found(t, search.Request{Org: "nobody", Customers: true, Q: "anna"}); len(got) > 0 {
		t.Errorf("another org is told of %v", got)
	}
	r := search.Request{Customers: true, Limit: 2}
	seen := map[string]bool{}
	for range 3 {
		asked, q, res := b.ask(t, r)
		for _, c := range res.Customers() {
			if seen[c.CustomerID] {
				t.Errorf("%s came twice", c.CustomerID)
			}
			seen[c.CustomerID] = true
		}
		if r.Cursor = asked.Next(q, res); r.Cursor == "" {
			break
		}
	}
	if len(seen) != 3 {
		t.Errorf("pages have %v", seen)
	}
	_, _, res := b.ask(t, search.Request{Q: "crm-00042", Customers: true})
	if c := res.Customers(); len(c) != 1 || c[0].Name != "Anna Smith" || len(c[0].Identities) != 3 {
		t.Errorf("found %+v", c)
	}
	b.log.Append(customer("org", "anna"), events.CustomerIdentityRemoved{Identity: events.Identity{Type: events.IdentityPhone, Value: "+491701234567"}})
	b.log.Append(customer("org", "visitor"), has(events.IdentityPhone, "+10005550100"))
	b.log.Drive(t.Context(), t, b, 3)
	b.wantsCustomers(t, "+491701234567")
	b.wantsCustomers(t, "5550100")
	b.wantsCustomers(t, "+10005550100", "visitor")
	if n, err := b.Documents(t.Context()); err != nil || n != 4 {
		t.Errorf("%d conversations, %v", n, err)
	}
}

// customersGone: for who was merged the one who took over is found, by the addresses of both; who was erased is not found, and
// not by events that come late.
func customersGone(t *testing.T, start Start) {
	t.Helper()
	b := people(t, start)
	b.log.Append(customer("org", "ann"), events.CustomerMerged{IntoID: "anna"})
	b.log.Append(customer("org", "anna"), events.CustomerAbsorbed{FromID: "ann", Identities: []events.Identity{{Type: events.IdentityEmail, Value: "ann@example.org"}}})
	b.log.Drive(t.Context(), t, b, 3)
	b.wantsCustomers(t, "ann@example.org", "anna")
	b.wantsCustomers(t, "smithson")
	b.wantsCustomers(t, "example", "anna")

	b.log.Append(customer("org", "odon"), events.CustomerErased{})
	b.log.Purge(customer("org", "odon"))
	b.log.Append(customer("org", "anna"), events.CustomerErased{})
	late := b.log.Append(customer("org", "ann"), events.CustomerErased{WithID: "anna"})
	b.log.Drive(t.Context(), t, b, 3)
	for _, q := range []string{"", "anna", "ann@example.org", "smith*", "email:anna.smith@example.com"} {
		for _, h := range b.found(t, search.Request{Q: q, Customers: true}) {
			if h != "odon" { // whose end the log has forgotten before it was read
				t.Errorf("%q finds %v, who was erased", q, h)
			}
		}
	}
	commit(t, b.session(t, late[0].Partition), late...)
	if err := b.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.wantsCustomers(t, "smithson")
	b.wants(t, "smith", "c-visitor") // their conversations have gone with them
	if got := b.found(t, search.Request{Org: "other", Q: "anna", Customers: true}); !slices.Equal(got, []string{"anna"}) {
		t.Errorf("another org has %v", got)
	}
}

// email finds the conversations of who has an address, and of who was merged into them.
func email(t *testing.T, start Start) {
	t.Helper()
	b := people(t, start)
	b.wants(t, "email:anna.smith@example.com", "c-anna")
	b.wants(t, "email:ANN@Example.ORG", "c-ann")
	b.wants(t, "smith -email:ann@example.org", "c-anna", "c-visitor")
	b.wants(t, "smith -email:nobody@example.org", "c-ann", "c-anna", "c-visitor")
	b.wants(t, "email:nobody@example.org")
	b.wants(t, "email:example.com")
	b.log.Append(customer("org", "ann"), events.CustomerMerged{IntoID: "anna"})
	b.log.Append(customer("org", "anna"), events.CustomerAbsorbed{FromID: "ann", Identities: []events.Identity{{Type: events.IdentityEmail, Value: "ann@example.org"}}})
	b.log.Drive(t.Context(), t, b, 3)
	for _, address := range []string{"ann@example.org", "anna.smith@example.com"} {
		b.wants(t, "email:"+address, "c-ann", "c-anna")
	}
	b.wants(t, "smith -email:ann@example.org", "c-visitor")
}

// customersRebuilt: a new index has the customers that the old one has, and no others.
func customersRebuilt(t *testing.T, start Start) {
	t.Helper()
	b := people(t, start)
	b.log.Append(customer("org", "ann"), events.CustomerMerged{IntoID: "anna"})
	b.log.Append(customer("org", "anna"), events.CustomerAbsorbed{FromID: "ann", Identities: []events.Identity{{Type: events.IdentityEmail, Value: "ann@example.org"}}})
	b.log.Append(customer("other", "anna"), events.CustomerErased{})
	b.log.Drive(t.Context(), t, b, 3)
	j := work(t, b.Engine, b.log)
	j.ask(t, search.AskRebuild)
	if r := j.reaches(t, search.RebuildVerified); r.Verified == nil || r.Verified.Found != 0 {
		t.Fatalf("verified %+v", r.Verified)
	}
	j.ask(t, search.AskSwitch)
	b.log.Append(customer("org", "odon"), events.CustomerRenamed{Name: "Eden"})
	b.log.Drive(t.Context(), t, b, 3)
	b.wantsCustomers(t, "", "anna", "odon")
	b.wantsCustomers(t, "eden", "odon")
	b.wants(t, "email:ann@example.org", "c-ann", "c-anna")
	if got := b.found(t, search.Request{Org: "other", Customers: true}); len(got) > 0 {
		t.Errorf("another org has %v", got)
	}
}

package customer_test

import (
	"errors"
	"reflect"
	"strconv"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/customer"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
)

type row struct {
	name  string
	given []events.Event
	when  customer.Command
	then  []events.Event // none: nothing new
	err   error
}

func is(all ...events.Event) []events.Event { return all }

// run also decides each command again after its events: that adds nothing.
func run(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			var s customer.State
			for _, e := range r.given {
				s = customer.Evolve(s, e)
			}
			got, err := customer.Decide(s, r.when)
			if !errors.Is(err, r.err) || (err == nil) != (r.err == nil) {
				t.Fatalf("got %v, want %v", err, r.err)
			}
			if !reflect.DeepEqual(got, r.then) {
				t.Errorf("got  %#v\nwant %#v", got, r.then)
			}
			for _, e := range got {
				s = customer.Evolve(s, e)
			}
			if again, err := customer.Decide(s, r.when); len(got) > 0 && (len(again) > 0 || err != nil) {
				t.Errorf("again: %#v, %v", again, err)
			}
		})
	}
}

// Folding never panics, whatever comes first and whoever's event it is.
func TestFoldsAnything(t *testing.T) {
	t.Parallel()
	var s customer.State
	for range 2 {
		for _, info := range events.Types() {
			if info.Sample != nil {
				s = customer.Evolve(s, info.Sample)
			}
		}
		s = customer.Evolve(s, events.Unknown{Type: "customer.cloned.v1"})
	}
}

func TestUnhandledCommandPanics(t *testing.T) {
	t.Parallel()
	var s customer.State
	for _, e := range created {
		s = customer.Evolve(s, e)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	_, _ = customer.Decide(s, nil)
}

var created = is(events.CustomerCreated{Name: "Zoe"})

func has(all ...events.Event) []events.Event { return append(is(created...), all...) }

func TestCustomer(t *testing.T) {
	t.Parallel()
	email := events.Identity{Type: events.IdentityEmail, Value: "zoe@example.com"}
	phone := events.Identity{Type: events.IdentityPhone, Value: "+4930901820"}
	known := events.CustomerIdentified{Identity: email}
	merged := events.CustomerMerged{IntoID: "other", Reason: "same"}
	absorbed := events.CustomerAbsorbed{FromID: "old", Identities: []events.Identity{phone}, Reason: "same"}
	erased := events.CustomerErased{Reason: "asked"}
	full := has()
	for i := range customer.MaxIdentities {
		full = append(full, events.CustomerIdentified{Identity: events.Identity{Type: events.IdentityX, Value: strconv.Itoa(i)}})
	}
	run(t, []row{
		{"create", nil, customer.Create{Name: "Zoe"}, created, nil},
		{"create without a name", nil, customer.Create{}, is(events.CustomerCreated{}), nil},
		{"create again", created, customer.Create{Name: "Zoe"}, nil, nil},
		{"create another", created, customer.Create{Name: "Bob"}, nil, customer.ErrExists},
		{"rename", created, customer.Rename{Name: "Zoë"}, is(events.CustomerRenamed{Name: "Zoë"}), nil},
		{"rename nobody", nil, customer.Rename{Name: "Zoë"}, nil, customer.ErrNotFound},
		{"identify", created, customer.Identify{Type: events.IdentityEmail, Value: " Zoe@Example.COM"}, is(known), nil},
		{"identify again", has(known), customer.Identify{Type: events.IdentityEmail, Value: "zoe@example.com"}, nil, nil},
		{"identify with nonsense", created, customer.Identify{Type: events.IdentityEmail, Value: "zoe"}, nil, refusal.ErrIdentityInvalid},
		{"one address too many", full, customer.Identify{Type: events.IdentityEmail, Value: "zoe@example.com"}, nil, refusal.ErrCustomerIdentities},
		{"remove an address", has(known), customer.RemoveIdentity{Type: events.IdentityEmail, Value: "ZOE@example.com", Reason: "old"}, is(events.CustomerIdentityRemoved{Identity: email, Reason: "old"}), nil},
		{"remove what is not there", created, customer.RemoveIdentity{Type: events.IdentityEmail, Value: "zoe@example.com"}, nil, nil},
		{"attributes", created, customer.SetAttributes{Attributes: map[string]any{"plan": "pro"}}, is(events.CustomerAttributesSet{Attributes: map[string]any{"plan": "pro"}}), nil},
		{"merge", created, customer.MergeInto{IntoID: "other", Reason: "same"}, is(merged), nil},
		{"merge again", has(merged), customer.MergeInto{IntoID: "other"}, nil, nil},
		{"merge into who was absorbed", has(absorbed), customer.MergeInto{IntoID: "old"}, nil, refusal.ErrCustomerMergeSelf},
		{"absorb", created, customer.Absorb{FromID: "old", Identities: []events.Identity{phone}, Reason: "same"}, is(absorbed), nil},
		{"absorb again", has(absorbed), customer.Absorb{FromID: "old", Identities: []events.Identity{phone}}, nil, nil},
		{"absorbed addresses are there", has(absorbed), customer.Identify{Type: events.IdentityPhone, Value: "+49 (30) 901820"}, nil, nil},
		{"anything when merged", has(merged), customer.Rename{Name: "Bob"}, nil, customer.ErrMerged},
		{"erase", has(known), customer.Erase{Reason: "asked"}, is(erased), nil},
		{"erase who was merged", has(merged), customer.Erase{Reason: "asked"}, is(erased), nil},
		{"erase who was merged with who took over", has(merged), customer.Erase{Reason: "asked", WithID: "other"}, is(events.CustomerErased{Reason: "asked", WithID: "other"}), nil},
		{"erase with nonsense", has(merged), customer.Erase{Reason: "asked", WithID: "a.b"}, nil, refusal.ErrIDInvalid},
		{"erase nobody", nil, customer.Erase{Reason: "asked"}, nil, customer.ErrNotFound},
		{"erase again", has(erased), customer.Erase{}, nil, nil},
		{"erase again when nothing else is left", is(erased), customer.Erase{}, nil, nil},
		{"create when nothing else is left", is(erased), customer.Create{Name: "Zoe"}, nil, customer.ErrErased},
		{"anything when erased", has(erased), customer.Rename{Name: "Bob"}, nil, customer.ErrErased},
		{"create when erased", has(erased), customer.Create{Name: "Zoe"}, nil, customer.ErrErased},
	})
	whole, left := customer.State{}, customer.Evolve(customer.State{}, erased)
	for _, e := range has(known, absorbed, erased) {
		whole = customer.Evolve(whole, e)
	}
	if !reflect.DeepEqual(whole, left) {
		t.Errorf("%+v before the purge, %+v after it", whole, left)
	}
}

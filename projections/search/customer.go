package search

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tidemark-desk/tidemark/events"
)

// customerKey begins the key of a customer's document. '/' cannot be part of an id, so that no conversation has it.
const customerKey = "customer/"

// Key is where the document of an aggregate stands among those of its org.
func Key(a events.Aggregate) string {
	if a.Kind == events.KindCustomer {
		return customerKey + a.ID
	}
	return a.ID
}

// Key is where the document stands among those of its org.
func (d *Document) Key() string { return Key(d.Aggregate()) }

// IDAt is whose document stands at a place of an index, which ends with an id behind a '/'.
func IDAt(place string) string { return place[strings.LastIndexByte(place, '/')+1:] }

// Aggregate is whose document it is.
func (d *Document) Aggregate() events.Aggregate {
	return events.Aggregate{Org: d.Org, Kind: cmp.Or(d.Kind, events.KindConversation), ID: d.ID}
}

// Owner is the customer whose document this is: their own, or that of a conversation of theirs.
func (d *Document) Owner() Customer {
	if d.Kind == events.KindCustomer {
		return Customer{Org: d.Org, ID: d.ID}
	}
	return Customer{Org: d.Org, ID: d.Customer}
}

// Nameless tells whether there is nothing that a customer could be found by: visitors of whom nothing is known.
func (d *Document) Nameless() bool {
	return d.Kind == events.KindCustomer && d.Name == "" && len(d.Identities) == 0
}

// Addresses are the identities in the form in which the index compares them as wholes: type:value.
func (d *Document) Addresses() []string {
	out := make([]string, len(d.Identities))
	for i, id := range d.Identities {
		out[i] = Address(id)
	}
	return out
}

// Address is an identity as the index compares it as a whole.
func Address(id events.Identity) string { return string(id.Type) + ":" + strings.ToLower(id.Value) }

// applyCustomer is apply for customers. Who was merged or erased is never found: whoever took over is.
func (d *Document) applyCustomer(r events.Recorded) {
	switch e := r.Event.(type) {
	case events.CustomerCreated:
		d.Name, d.Created = e.Name, r.Time
	case events.CustomerRenamed:
		d.Name = e.Name
	case events.CustomerIdentified:
		d.identify(e.Identity)
	case events.CustomerIdentityRemoved:
		d.Identities = slices.DeleteFunc(d.Identities, func(id events.Identity) bool { return id == e.Identity })
	case events.CustomerAbsorbed:
		for _, id := range e.Identities {
			d.identify(id)
		}
	case events.CustomerMerged:
		*d = Document{Kind: d.Kind, ID: d.ID, Org: d.Org, Erased: true}
	}
}

func (d *Document) identify(id events.Identity) {
	if !slices.Contains(d.Identities, id) {
		d.Identities = append(d.Identities, id)
	}
}

package search_test

import (
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/searchtest"
)

// Folding on from any clone, with repeats, is folding from scratch; and no fold changes what it was cloned from.
func TestFoldIncrementally(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		log := &searchtest.Log{}
		a := searchtest.Conversation("org", "one")
		log.Append(a, events.ConversationOpened{CustomerID: "ann", Channel: events.ChannelChat, Subject: "Hello"})
		for range rapid.IntRange(0, 30).Draw(rt, "events") {
			log.Append(a, searchtest.Event().Draw(rt, "event"))
		}
		all, err := log.Read(t.Context(), a, 0)
		if err != nil {
			rt.Fatal(err)
		}
		want := log.Fold(t)[a]
		doc := search.NewDocument(a)
		for done := 0; done < len(all); {
			base, frozen := doc, doc.Clone()
			doc = doc.Clone()
			next := rapid.IntRange(done+1, len(all)).Draw(rt, "up to")
			for _, e := range all[rapid.IntRange(0, done).Draw(rt, "from"):next] {
				if err := doc.Fold(e); err != nil {
					rt.Fatal(err)
				}
			}
			if !reflect.DeepEqual(base, frozen) {
				rt.Fatalf("folding changed the original:\n%+v\n%+v", base, frozen)
			}
			done = next
		}
		if !reflect.DeepEqual(doc, want) {
			rt.Fatalf("incremental %+v\nfrom scratch %+v", doc, want)
		}
	})
}

func TestFoldRefuses(t *testing.T) {
	t.Parallel()
	log := &searchtest.Log{}
	a := searchtest.Conversation("org", "one")
	list := log.Append(a, events.ConversationOpened{}, events.Unknown{Type: "x.y.v1", Reason: "new"}, events.ConversationClosed{})
	doc := search.NewDocument(a)
	if err := doc.Fold(list[1]); !errors.Is(err, search.ErrGap) {
		t.Errorf("a gap: %v", err)
	}
	if err := doc.Fold(list[0]); err != nil {
		t.Error(err)
	}
	if err := doc.Fold(list[1]); err == nil || errors.Is(err, search.ErrGap) {
		t.Errorf("an unreadable event: %v", err)
	}
	if doc.Revision != 1 {
		t.Errorf("revision %d after a refusal", doc.Revision)
	}
}

// Every event of a conversation is either searchable or known not to be: a new type must be decided on.
func TestEveryEventIsConsidered(t *testing.T) {
	t.Parallel()
	unsearchable := map[string]bool{
		"conversation.attributes_set.v1": true, "conversation.read_up_to.v1": true, "conversation.absorbed.v1": true,
		"conversation.survey_requested.v1": true, "conversation.survey_answered.v1": true, "conversation.survey_excused.v1": true,
		"conversation.survey_expired.v1": true,
	}
	for _, info := range events.Types() {
		if info.Kind != events.KindConversation || !info.Current {
			continue
		}
		log := &searchtest.Log{}
		a := searchtest.Conversation("org", "one")
		before := search.NewDocument(a)
		log.Append(a, events.ConversationOpened{CustomerID: "c", Subject: "s"}, events.ConversationTagged{}, events.ConversationAssigned{AgentID: "a"},
			events.ConversationQueued{QueueID: "q"}, events.ConversationSnoozed{})
		if info.Type == "conversation.snoozed.v1" || info.Type == "conversation.tagged.v1" {
			log.Append(a, events.ConversationWoke{}, events.ConversationUntagged{})
		}
		log.Append(a, info.Sample)
		all, _ := log.Read(t.Context(), a, 0)
		for _, e := range all[:len(all)-1] {
			if err := before.Fold(e); err != nil {
				t.Fatal(err)
			}
		}
		after := before.Clone()
		if err := after.Fold(all[len(all)-1]); err != nil {
			t.Fatal(err)
		}
		after.Revision, after.Position, after.Updated = before.Revision, before.Position, before.Updated
		if same := reflect.DeepEqual(before, after); same != unsearchable[info.Type] {
			t.Errorf("%s changes the document: %v", info.Type, !same)
		}
	}
}

// The same for a customer, whose end leaves nothing of them.
func TestFoldCustomers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		log := &searchtest.Log{}
		a := events.Aggregate{Org: "org", Kind: events.KindCustomer, ID: "ann"}
		log.Append(a, events.CustomerCreated{Name: "Ann"})
		for range rapid.IntRange(0, 20).Draw(rt, "events") {
			id := events.Identity{Type: events.IdentityEmail, Value: rapid.SampledFrom([]string{"a@x", "b@x", "c@x"}).Draw(rt, "address")}
			log.Append(a, rapid.SampledFrom([]events.Event{
				events.CustomerRenamed{Name: id.Value},
				events.CustomerIdentified{Identity: id},
				events.CustomerIdentityRemoved{Identity: id},
				events.CustomerAbsorbed{FromID: "x", Identities: []events.Identity{id}},
				events.CustomerAttributesSet{},
			}).Draw(rt, "event"))
		}
		ends := rapid.SampledFrom([][]events.Event{nil, {events.CustomerMerged{IntoID: "x"}}, {events.CustomerErased{}}, {events.CustomerMerged{IntoID: "x"}, events.CustomerErased{}}}).Draw(rt, "end")
		log.Append(a, ends...)
		all, err := log.Read(t.Context(), a, 0)
		if err != nil {
			rt.Fatal(err)
		}
		want, doc := search.NewDocument(a), search.NewDocument(a)
		for i, e := range all {
			if err := want.Fold(e); err != nil {
				rt.Fatal(err)
			}
			frozen := doc.Clone()
			next := doc.Clone()
			for _, again := range all[rapid.IntRange(0, i).Draw(rt, "from") : i+1] {
				if err := next.Fold(again); err != nil {
					rt.Fatal(err)
				}
			}
			if !reflect.DeepEqual(doc, frozen) {
				rt.Fatalf("folding changed the original:\n%+v\n%+v", doc, frozen)
			}
			doc = next
		}
		if !reflect.DeepEqual(doc, want) {
			rt.Fatalf("incremental %+v\nfrom scratch %+v", doc, want)
		}
		if gone := len(ends) > 0; doc.Erased != gone || gone && (doc.Name != "" || doc.Identities != nil) {
			rt.Fatalf("after %v there is %+v", ends, doc)
		}
	})
}

// Every event of a customer is either searchable or known not to be.
func TestEveryCustomerEventIsConsidered(t *testing.T) {
	t.Parallel()
	unsearchable := map[string]bool{"customer.attributes_set.v1": true}
	address := events.Identity{Type: events.IdentityEmail, Value: "of.no.sample@example.com"}
	a := events.Aggregate{Org: "org", Kind: events.KindCustomer, ID: "ann"}
	for _, info := range events.Types() {
		if info.Kind != events.KindCustomer || !info.Current {
			continue
		}
		before := &search.Document{Kind: a.Kind, Org: a.Org, ID: a.ID, Revision: 1, Name: "A name of no sample", Identities: []events.Identity{address}}
		event := info.Sample
		switch e := event.(type) {
		case events.CustomerIdentityRemoved:
			before.Identities = append(before.Identities, e.Identity)
		case events.CustomerAbsorbed:
			e.Identities = []events.Identity{{Type: events.IdentityPhone, Value: "+10005550100"}}
			event = e
		}
		after := before.Clone()
		if err := after.Fold(events.Recorded{Aggregate: a, Metadata: events.Metadata{Revision: 2}, Sequence: 2, Event: event}); err != nil {
			t.Fatal(err)
		}
		after.Revision, after.Position, after.Updated = before.Revision, before.Position, before.Updated
		if same := reflect.DeepEqual(before, after); same != unsearchable[info.Type] {
			t.Errorf("%s changes the document: %v", info.Type, !same)
		}
	}
}

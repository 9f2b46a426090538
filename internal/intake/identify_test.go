package intake_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/customer"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/intake"
)

func (b bundle) identify(t *testing.T, p intake.Proven) string {
	t.Helper()
	id, err := b.intake.Identify(t.Context(), "acme", command.Meta{}, p)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// head is the log's newest sequence, also when this process has not heard of it yet.
func (b bundle) head(t *testing.T) uint64 {
	t.Helper()
	if err := b.log.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b.log.Head()
}

// unknown is a visitor who has said something.
func (b bundle) unknown(t *testing.T, id string) intake.Opened {
	t.Helper()
	return b.open(t, command.Meta{}, from(intake.Customer{VisitorID: id}))
}

func TestIdentify(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ann := b.identify(t, intake.Proven{ExternalID: "u1", Name: "Ann"})
	if s := b.customer(t, ann); s.Name != "Ann" || len(s.Identities) != 1 || s.Identities[0].Value != "u1" {
		t.Errorf("%+v", s)
	}
	head := b.head(t)
	if again := b.process().identify(t, intake.Proven{ExternalID: "u1", Name: "Other", VisitorID: "said-nothing"}); again != ann || b.head(t) != head {
		t.Errorf("%s, want %s, and %d new events", again, ann, b.head(t)-head)
	}
	if other := b.identify(t, intake.Proven{ExternalID: "u2"}); other == ann {
		t.Error("two external ids are one customer")
	}
	for _, c := range []struct {
		org  string
		p    intake.Proven
		want error
	}{
		{"acme", intake.Proven{}, refusal.ErrIdentityInvalid},
		{"nowhere", intake.Proven{ExternalID: "u1"}, refusal.ErrOrgNotFound},
	} {
		if _, err := b.intake.Identify(t.Context(), c.org, command.Meta{}, c.p); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// A visitor whom nobody knew becomes the customer; where there is one, they are merged into them, once.
func TestIdentifyVisitors(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if got := b.unknown(t, "v1").CustomerID; got != "v1" {
		t.Fatalf("the visitor is customer %s", got)
	}
	if id := b.identify(t, intake.Proven{ExternalID: "u1", VisitorID: "v1"}); id != "v1" {
		t.Errorf("nobody had the external id, and the visitor is %s", id)
	}
	second := b.unknown(t, "v2")
	b.open(t, command.Meta{}, from(intake.Customer{ID: "v2", Email: "zoe@example.com"})) // an agent noted it
	for range 2 {
		if id := b.identify(t, intake.Proven{ExternalID: "u1", VisitorID: "v2"}); id != "v1" {
			t.Errorf("merged into %s", id)
		}
	}
	s := b.customer(t, "v1")
	if !slices.Equal(s.Absorbed, []string{"v2"}) || len(s.Identities) != 2 || b.customer(t, "v2").MergedInto != "v1" {
		t.Errorf("%+v", s)
	}
	if got := b.open(t, command.Meta{}, from(intake.Customer{Email: "zoe@example.com"})); got.CustomerID != "v1" {
		t.Errorf("the address leads to %s", got.CustomerID)
	}
	kept, err := b.log.Read(t.Context(), events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: second.ConversationID}, 0)
	if err != nil || len(kept) != 2 {
		t.Errorf("of the visitor's conversation %d events are kept, %v", len(kept), err)
	}
	if got := b.unknown(t, "v2"); got.CustomerID != "v1" {
		t.Errorf("a later conversation of the visitor is %s's", got.CustomerID)
	}
}

// Who is known by one external id is nobody else, even on the same computer.
func TestIdentifySomebodyElse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ann, bob := b.identify(t, intake.Proven{ExternalID: "ann"}), b.identify(t, intake.Proven{ExternalID: "bob"})
	head := b.head(t)
	if id := b.identify(t, intake.Proven{ExternalID: "bob", VisitorID: ann}); id != bob || b.head(t) != head {
		t.Errorf("%s, and %d new events", id, b.head(t)-head)
	}
	if _, err := b.customers.Handle(t.Context(), "acme", ann, command.Meta{}, customer.Erase{}); err != nil {
		t.Fatal(err)
	}
	if id := b.identify(t, intake.Proven{ExternalID: "ann"}); id == ann || len(b.customer(t, id).Identities) != 1 {
		t.Errorf("after the erasure they are %s again", id)
	}
}

// Whoever proves one new external id at the same moment, in two processes, is one customer.
func TestIdentifyAtTheSameMoment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	processes := []bundle{b, b.process()}
	got := make([]string, 8)
	var wg sync.WaitGroup
	for n := range got {
		wg.Go(func() {
			for {
				id, err := processes[n%2].intake.Identify(t.Context(), "acme", command.Meta{}, intake.Proven{ExternalID: "u1"})
				if errors.Is(err, command.ErrConflict) {
					continue
				}
				if err != nil {
					t.Error(err)
				}
				got[n] = id
				return
			}
		})
	}
	wg.Wait()
	if slices.Sort(got); got[0] != got[len(got)-1] {
		t.Errorf("%v", got)
	}
}

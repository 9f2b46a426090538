package visitor_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/visitor"
	"github.com/tidemark-desk/tidemark/internal/testkit/domaintest"
)

func TestRevokeSessions(t *testing.T) {
	t.Parallel()
	first := events.VisitorSessionsRevoked{Epoch: 1, Reason: "signed_out"}
	for _, c := range []struct {
		name  string
		given []events.Event
		when  visitor.RevokeSessions
		then  []events.Event
		err   error
	}{
		{"the first time", nil, visitor.RevokeSessions{Reason: "signed_out"}, []events.Event{first}, nil},
		{"the next", []events.Event{first}, visitor.RevokeSessions{After: 1, Reason: "signed_out"}, []events.Event{events.VisitorSessionsRevoked{Epoch: 2, Reason: "signed_out"}}, nil},
		{"two ask at once", []events.Event{first}, visitor.RevokeSessions{Reason: "signed_out"}, nil, nil},
		{"a reason of two lines", nil, visitor.RevokeSessions{Reason: "a\nb"}, nil, refusal.ErrTextInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var s visitor.State
			for _, e := range c.given {
				s = visitor.Evolve(s, e)
			}
			got, err := visitor.Decide(s, c.when)
			if !errors.Is(err, c.err) || !reflect.DeepEqual(got, c.then) {
				t.Errorf("got %#v %v, want %#v %v", got, err, c.then, c.err)
			}
		})
	}
}

func TestProperties(t *testing.T) {
	t.Parallel()
	domaintest.Check(t, domaintest.Aggregate[visitor.State, visitor.Command]{
		Kind: events.KindVisitor, Evolve: visitor.Evolve, Decide: visitor.Decide,
		Commands: []visitor.Command{visitor.RevokeSessions{}},
	})
}

package claim_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/claim"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
)

type row struct {
	name  string
	given []events.Event
	when  claim.Command
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
			var s claim.State
			for _, e := range r.given {
				s = claim.Evolve(s, e)
			}
			got, err := claim.Decide(s, r.when)
			if !errors.Is(err, r.err) || (err == nil) != (r.err == nil) {
				t.Fatalf("got %v, want %v", err, r.err)
			}
			if !reflect.DeepEqual(got, r.then) {
				t.Errorf("got  %#v\nwant %#v", got, r.then)
			}
			for _, e := range got {
				s = claim.Evolve(s, e)
			}
			if again, err := claim.Decide(s, r.when); len(got) > 0 && (len(again) > 0 || err != nil) {
				t.Errorf("again: %#v, %v", again, err)
			}
		})
	}
}

// Folding never panics, whatever comes first and whoever's event it is.
func TestFoldsAnything(t *testing.T) {
	t.Parallel()
	var s claim.State
	for range 2 {
		for _, info := range events.Types() {
			if info.Sample != nil {
				s = claim.Evolve(s, info.Sample)
			}
		}
		s = claim.Evolve(s, events.Unknown{Type: "claim.cloned.v1"})
	}
}

func TestUnhandledCommandPanics(t *testing.T) {
	t.Parallel()
	var s claim.State
	for _, e := range created {
		s = claim.Evolve(s, e)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	_, _ = claim.Decide(s, nil)
}

var created []events.Event

func TestClaim(t *testing.T) {
	t.Parallel()
	taken := events.ClaimTaken{CustomerID: "zoe", Type: events.IdentityEmail}
	moved := events.ClaimMoved{CustomerID: "bob", Reason: "merged"}
	freed := events.ClaimReleased{Reason: "asked"}
	take := func(id string) claim.Take { return claim.Take{CustomerID: id, Type: events.IdentityEmail} }
	run(t, []row{
		{"take", nil, take("zoe"), is(taken), nil},
		{"take again", is(taken), take("zoe"), nil, nil},
		{"take what another has", is(taken), take("bob"), nil, claim.ErrTaken},
		{"take for nobody", nil, take(""), nil, refusal.ErrIDInvalid},
		{"take what was freed", is(taken, freed), take("zoe"), is(taken), nil},
		{"move", is(taken), claim.Move{FromID: "zoe", CustomerID: "bob", Reason: "merged"}, is(moved), nil},
		{"move again", is(taken, moved), claim.Move{FromID: "zoe", CustomerID: "bob"}, nil, nil},
		{"move what somebody else has", is(taken), claim.Move{FromID: "eve", CustomerID: "bob"}, nil, claim.ErrTaken},
		{"move what is free", nil, claim.Move{FromID: "zoe", CustomerID: "bob"}, nil, claim.ErrFree},
		{"release", is(taken), claim.Release{CustomerID: "zoe", Reason: "asked"}, is(freed), nil},
		{"release again", is(taken, freed), claim.Release{CustomerID: "zoe"}, nil, nil},
		{"release what another has", is(taken, moved), claim.Release{CustomerID: "zoe"}, nil, claim.ErrTaken},
	})
}

package org_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/org"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
)

type row struct {
	name  string
	given []events.Event
	when  org.Command
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
			var s org.State
			for _, e := range r.given {
				s = org.Evolve(s, e)
			}
			got, err := org.Decide(s, r.when)
			if !errors.Is(err, r.err) || (err == nil) != (r.err == nil) {
				t.Fatalf("got %v, want %v", err, r.err)
			}
			if !reflect.DeepEqual(got, r.then) {
				t.Errorf("got  %#v\nwant %#v", got, r.then)
			}
			for _, e := range got {
				s = org.Evolve(s, e)
			}
			if again, err := org.Decide(s, r.when); len(got) > 0 && (len(again) > 0 || err != nil) {
				t.Errorf("again: %#v, %v", again, err)
			}
		})
	}
}

// Folding never panics, whatever comes first and whoever's event it is.
func TestFoldsAnything(t *testing.T) {
	t.Parallel()
	var s org.State
	for range 2 {
		for _, info := range events.Types() {
			if info.Sample != nil {
				s = org.Evolve(s, info.Sample)
			}
		}
		s = org.Evolve(s, events.Unknown{Type: "org.cloned.v1"})
	}
}

func TestUnhandledCommandPanics(t *testing.T) {
	t.Parallel()
	var s org.State
	for _, e := range created {
		s = org.Evolve(s, e)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	_, _ = org.Decide(s, nil)
}

var (
	secret  = make([]byte, org.SecretSize)
	created = is(events.OrgCreated{Name: "Acme", Secret: secret})
)

func TestOrg(t *testing.T) {
	t.Parallel()
	run(t, []row{
		{"create", nil, org.Create{Name: " Acme ", Secret: secret}, created, nil},
		{"create again", created, org.Create{Name: "Acme", Secret: []byte("another")}, nil, nil},
		{"create another", created, org.Create{Name: "Rival", Secret: secret}, nil, refusal.ErrOrgExists},
		{"short secret", nil, org.Create{Name: "Acme", Secret: secret[:31]}, nil, refusal.ErrOrgSecret},
		{"no name", nil, org.Create{Secret: secret}, nil, refusal.ErrTextInvalid},
		{"rename", created, org.Rename{Name: "Ajax"}, is(events.OrgRenamed{Name: "Ajax"}), nil},
		{"same name", created, org.Rename{Name: "Acme"}, nil, nil},
		{"rename nothing", nil, org.Rename{Name: "Ajax"}, nil, refusal.ErrOrgNotFound},
	})
}

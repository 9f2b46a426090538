package key_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/key"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
)

type row struct {
	name  string
	given []events.Event
	when  key.Command
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
			var s key.State
			for _, e := range r.given {
				s = key.Evolve(s, e)
			}
			got, err := key.Decide(s, r.when)
			if !errors.Is(err, r.err) || (err == nil) != (r.err == nil) {
				t.Fatalf("got %v, want %v", err, r.err)
			}
			if !reflect.DeepEqual(got, r.then) {
				t.Errorf("got  %#v\nwant %#v", got, r.then)
			}
			for _, e := range got {
				s = key.Evolve(s, e)
			}
			if again, err := key.Decide(s, r.when); len(got) > 0 && (len(again) > 0 || err != nil) {
				t.Errorf("again: %#v, %v", again, err)
			}
		})
	}
}

// Folding never panics, whatever comes first and whoever's event it is.
func TestFoldsAnything(t *testing.T) {
	t.Parallel()
	var s key.State
	for range 2 {
		for _, info := range events.Types() {
			if info.Sample != nil {
				s = key.Evolve(s, info.Sample)
			}
		}
		s = key.Evolve(s, events.Unknown{Type: "key.cloned.v1"})
	}
}

func TestUnhandledCommandPanics(t *testing.T) {
	t.Parallel()
	var s key.State
	for _, e := range created {
		s = key.Evolve(s, e)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	_, _ = key.Decide(s, nil)
}

var (
	hash    = make([]byte, 32)
	created = is(events.KeyIssued{AgentID: "ann", Name: "laptop", Role: events.RoleAdmin, Hash: hash})
)

func TestKey(t *testing.T) {
	t.Parallel()
	issue := key.Issue{AgentID: "ann", Name: "laptop", Role: events.RoleAdmin, Hash: hash}
	with := func(change func(*key.Issue)) key.Issue { c := issue; change(&c); return c }
	revoked := events.KeyRevoked{Reason: "lost"}
	run(t, []row{
		{"issue", nil, issue, created, nil},
		{"issue again", created, issue, nil, nil},
		{"issue to another", created, with(func(c *key.Issue) { c.AgentID = "bob" }), nil, refusal.ErrKeyExists},
		{"no agent", nil, with(func(c *key.Issue) { c.AgentID = "" }), nil, refusal.ErrIDInvalid},
		{"no role", nil, with(func(c *key.Issue) { c.Role = "" }), nil, refusal.ErrRoleInvalid},
		{"the key itself instead of its hash", nil, with(func(c *key.Issue) { c.Hash = []byte("secret") }), nil, refusal.ErrKeyHash},
		{"revoke", created, key.Revoke{Reason: "lost"}, is(revoked), nil},
		{"revoke again", append(is(created...), revoked), key.Revoke{}, nil, nil},
		{"revoke nothing", nil, key.Revoke{}, nil, refusal.ErrKeyNotFound},
	})
}

package agent_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/agent"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
)

type row struct {
	name  string
	given []events.Event
	when  agent.Command
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
			var s agent.State
			for _, e := range r.given {
				s = agent.Evolve(s, e)
			}
			got, err := agent.Decide(s, r.when)
			if !errors.Is(err, r.err) || (err == nil) != (r.err == nil) {
				t.Fatalf("got %v, want %v", err, r.err)
			}
			if !reflect.DeepEqual(got, r.then) {
				t.Errorf("got  %#v\nwant %#v", got, r.then)
			}
			for _, e := range got {
				s = agent.Evolve(s, e)
			}
			if again, err := agent.Decide(s, r.when); len(got) > 0 && (len(again) > 0 || err != nil) {
				t.Errorf("again: %#v, %v", again, err)
			}
		})
	}
}

// Folding never panics, whatever comes first and whoever's event it is.
func TestFoldsAnything(t *testing.T) {
	t.Parallel()
	var s agent.State
	for range 2 {
		for _, info := range events.Types() {
			if info.Sample != nil {
				s = agent.Evolve(s, info.Sample)
			}
		}
		s = agent.Evolve(s, events.Unknown{Type: "agent.cloned.v1"})
	}
}

func TestUnhandledCommandPanics(t *testing.T) {
	t.Parallel()
	var s agent.State
	for _, e := range created {
		s = agent.Evolve(s, e)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	_, _ = agent.Decide(s, nil)
}

var created = is(events.AgentCreated{Name: "Ann", Email: "ann@acme.example", Role: events.RoleAgent, Capacity: 3})

func has(all ...events.Event) []events.Event { return append(is(created...), all...) }

func TestAgent(t *testing.T) {
	t.Parallel()
	create := agent.Create{Name: "Ann", Email: "Ann@Acme.example", Role: events.RoleAgent, Capacity: 3}
	with := func(change func(*agent.Create)) agent.Create { c := create; change(&c); return c }
	online := events.AgentPresenceSet{Presence: events.PresenceOnline, Reason: "unspecified"}
	offline := events.AgentPresenceSet{Presence: events.PresenceOffline, Reason: "unspecified"}
	away := events.AgentPresenceSet{Presence: events.PresenceAway, Reason: "unspecified"}
	connected := func(p events.Presence) events.Event { return events.AgentConnected{Presence: p} }
	disconnected := events.AgentDisconnected{Reason: "left"}
	skills := events.AgentSkillsSet{Skills: []string{"billing", "german"}}
	run(t, []row{
		{"create", nil, create, created, nil},
		{"create again", created, create, nil, nil},
		{"create another", created, with(func(c *agent.Create) { c.Email = "bob@acme.example" }), nil, agent.ErrExists},
		{"no name", nil, with(func(c *agent.Create) { c.Name = "" }), nil, refusal.ErrTextInvalid},
		{"no email", nil, with(func(c *agent.Create) { c.Email = "ann" }), nil, refusal.ErrIdentityInvalid},
		{"no role", nil, with(func(c *agent.Create) { c.Role = "boss" }), nil, refusal.ErrRoleInvalid},
		{"no capacity", nil, with(func(c *agent.Create) { c.Capacity = -1 }), nil, refusal.ErrCapacityInvalid},
		{"rename", created, agent.Rename{Name: "Anna"}, is(events.AgentRenamed{Name: "Anna"}), nil},
		{"rename nobody", nil, agent.Rename{Name: "Anna"}, nil, agent.ErrNotFound},
		{"role", created, agent.SetRole{Role: events.RoleAdmin}, is(events.AgentRoleSet{Role: events.RoleAdmin}), nil},
		{"same role", created, agent.SetRole{Role: events.RoleAgent}, nil, nil},
		{"capacity", created, agent.SetCapacity{Capacity: 5}, is(events.AgentCapacitySet{Capacity: 5}), nil},
		{"too much capacity", created, agent.SetCapacity{Capacity: 1_001}, nil, refusal.ErrCapacityInvalid},
		{"skills", created, agent.SetSkills{Skills: []string{"German", "billing", "german"}}, is(skills), nil},
		{"same skills", has(skills), agent.SetSkills{Skills: []string{"german", "billing"}}, nil, nil},
		{"too many skills", created, agent.SetSkills{Skills: make([]string, 101)}, nil, refusal.ErrSkillsInvalid},
		{"online", created, agent.SetPresence{Presence: events.PresenceOnline}, is(online), nil},
		{"online again", has(online), agent.SetPresence{Presence: events.PresenceOnline}, nil, nil},
		{"stays offline", created, agent.SetPresence{Presence: events.PresenceOffline}, is(offline), nil},
		{"no presence", created, agent.SetPresence{Presence: "asleep"}, nil, refusal.ErrPresenceInvalid},
		{"comes", created, agent.Connect{}, is(connected(events.PresenceOnline)), nil},
		{"comes who was offline by their word", has(offline), agent.Connect{}, is(connected(events.PresenceOffline)), nil},
		{"comes back who was away", has(away, connected(events.PresenceAway), disconnected), agent.Connect{}, is(connected(events.PresenceAway)), nil},
		{"is there already", has(connected(events.PresenceOnline)), agent.Connect{}, nil, nil},
		{"goes", has(connected(events.PresenceOnline)), agent.Disconnect{Reason: "left"}, is(disconnected), nil},
		{"goes who was never there", has(online), agent.Disconnect{Reason: "left"}, nil, nil},
		{"is online elsewhere", has(connected(events.PresenceOnline), disconnected), agent.SetPresence{Presence: events.PresenceOnline}, is(online), nil},
		{"says offline afterwards", has(online, connected(events.PresenceOnline), disconnected), agent.SetPresence{Presence: events.PresenceOffline}, is(offline), nil},
		{"comes too late", has(events.AgentDeactivated{}), agent.Connect{}, nil, agent.ErrDeactivated},
		{"deactivate", created, agent.Deactivate{Reason: "left"}, is(events.AgentDeactivated{Reason: "left"}), nil},
		{
			"deactivate who is online", has(online),
			agent.Deactivate{Reason: "left"},
			is(events.AgentPresenceSet{Presence: events.PresenceOffline, Reason: "deactivated"}, events.AgentDeactivated{Reason: "left"}), nil,
		},
		{"deactivate again", has(events.AgentDeactivated{}), agent.Deactivate{}, nil, nil},
		{"anything afterwards", has(events.AgentDeactivated{}), agent.SetPresence{Presence: events.PresenceOnline}, nil, agent.ErrDeactivated},
	})
}

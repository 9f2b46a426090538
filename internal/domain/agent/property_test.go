package agent_test

import (
	"slices"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/agent"
	"github.com/tidemark-desk/tidemark/internal/testkit/domaintest"
)

func TestProperties(t *testing.T) {
	t.Parallel()
	domaintest.Check(t, domaintest.Aggregate[agent.State, agent.Command]{
		Kind: events.KindAgent, Evolve: agent.Evolve, Decide: agent.Decide, Given: created,
		Commands: []agent.Command{
			agent.Create{}, agent.Rename{}, agent.SetRole{}, agent.SetCapacity{}, agent.SetSkills{}, agent.SetPresence{}, agent.Connect{}, agent.Disconnect{}, agent.Deactivate{},
		},
		Fields: domaintest.Fields{
			"Email":    {"ann@acme.example", " Ann@Acme.example", "bob@acme.example", "ann", ""},
			"Role":     {events.RoleAdmin, events.RoleAgent, events.Role("boss")},
			"Presence": {events.PresenceOnline, events.PresenceAway, events.PresenceOffline, events.Presence("asleep")},
			"Skills":   {"german", " German", "billing", "a,b"},
		},
		Holds: func(s agent.State) bool { return slices.IsSorted(s.Skills) && s.Capacity >= 0 },
	})
}

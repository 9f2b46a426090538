package api

import (
	"context"
	"net/http"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/agent"
)

// Agent is a person who works at the desk.
type Agent struct {
	ID          string          `json:"id"`
	Name        string          `json:"name"`
	Email       string          `json:"email"`
	Role        events.Role     `json:"role" enum:"admin,agent"`
	Presence    events.Presence `json:"presence" enum:"online,away,offline"`
	Connected   bool            `json:"connected" doc:"Whether a stream of the agent is open, or was a moment ago."`
	Capacity    int             `json:"capacity" doc:"How many open conversations the agent may hold at once."`
	Skills      []string        `json:"skills" nullable:"false"`
	Deactivated bool            `json:"deactivated"`
}

func (s *Service) registerAgents() {
	const tag = "Agents"
	add(s, operation{id: "list-agents", method: http.MethodGet, path: "/v1/agents", tag: tag, summary: "List agents"}, s.listAgents)
	add(s, operation{
		id: "get-agent", method: http.MethodGet, path: "/v1/agents/{id}", tag: tag, summary: "Get an agent; me is the key's own",
		codes: []string{"agent_not_found"},
	}, s.getAgent)
	add(s, operation{
		id: "create-agent", method: http.MethodPost, path: "/v1/agents", tag: tag, status: http.StatusCreated, admin: true,
		summary: "Add an agent", doc: "The agent starts offline.",
		codes: []string{"text_invalid", "identity_invalid", "role_invalid", "capacity_invalid", "agent_exists"},
	}, s.createAgent)
	add(s, operation{
		id: "set-presence", method: http.MethodPut, path: "/v1/agents/{id}/presence", tag: tag,
		summary: "Say whether an agent takes work", doc: "Agents for themselves, admins for everybody. An agent whose streams have all been closed for half a minute is offline; who opens " +
			"one is what they said last, online if they never said anything.",
		codes: []string{"forbidden", "agent_not_found", "agent_deactivated", "presence_invalid", "text_invalid"},
	}, s.setPresence)
	add(s, operation{
		id: "set-capacity", method: http.MethodPut, path: "/v1/agents/{id}/capacity", tag: tag, admin: true,
		summary: "Set how many open conversations an agent may hold at once",
		codes:   []string{"agent_not_found", "agent_deactivated", "capacity_invalid"},
	}, s.setCapacity)
	add(s, operation{
		id: "deactivate-agent", method: http.MethodPost, path: "/v1/agents/{id}/deactivation", tag: tag, admin: true,
		summary: "End an agent's work at the desk, for ever", doc: "All keys of the agent stop working.",
		codes: []string{"agent_not_found", "text_invalid"},
	}, s.deactivateAgent)
}

func (s *Service) listAgents(ctx context.Context, _ *struct{}) (*Answer[List[Agent]], error) {
	return &Answer[List[Agent]]{List[Agent]{Items: each(s.Directory.Agents(callerOf(ctx).OrgID), agentOf)}}, nil
}

func (s *Service) getAgent(ctx context.Context, in *ByID) (*Answer[Agent], error) {
	c := callerOf(ctx)
	a, ok := s.Directory.Agent(c.OrgID, c.agent(in.ID))
	if !ok {
		return nil, agent.ErrNotFound
	}
	return &Answer[Agent]{agentOf(a)}, nil
}

// CreateAgent is the input of a new agent.
type CreateAgent struct {
	Writing
	Body struct {
		Name     string      `json:"name" minLength:"1" maxLength:"200"`
		Email    string      `json:"email" minLength:"3" maxLength:"254"`
		Role     events.Role `json:"role,omitempty" enum:"admin,agent" default:"agent"`
		Capacity *int        `json:"capacity,omitempty" minimum:"0" maximum:"1000" default:"5"` // a pointer: huma takes a plain 0 for nothing and puts the default there
	}
}

func (s *Service) createAgent(ctx context.Context, in *CreateAgent) (*Written[Done], error) {
	org := callerOf(ctx).OrgID
	m := in.meta(ctx, in.Body)
	id := command.DeriveID("agent", org, m.ID)
	r, err := s.agents.Handle(ctx, org, id, m, agent.Create{
		Name: in.Body.Name, Email: in.Body.Email, Role: in.Body.Role, Capacity: *in.Body.Capacity,
	})
	return s.configured(ctx, id, r, err)
}

// SetPresence is the input of a presence.
type SetPresence struct {
	ByID
	Writing
	Body struct {
		Presence events.Presence `json:"presence" enum:"online,away,offline"`
		Reason   string          `json:"reason,omitempty" maxLength:"200"`
	}
}

func (s *Service) setPresence(ctx context.Context, in *SetPresence) (*Written[Done], error) {
	c := callerOf(ctx)
	id := c.agent(in.ID)
	if _, ok := s.Directory.Agent(c.OrgID, id); !ok {
		return nil, agent.ErrNotFound
	}
	if id != c.AgentID && c.Role != events.RoleAdmin {
		return nil, errForbidden
	}
	r, err := s.agents.Handle(ctx, c.OrgID, id, in.meta(ctx, in.Body), agent.SetPresence{Presence: in.Body.Presence, Reason: in.Body.Reason})
	return s.configured(ctx, id, r, err)
}

// SetCapacity is the input of a capacity.
type SetCapacity struct {
	ByID
	Writing
	Body struct {
		Capacity int `json:"capacity" minimum:"0" maximum:"1000"`
	}
}

func (s *Service) setCapacity(ctx context.Context, in *SetCapacity) (*Written[Done], error) {
	c := callerOf(ctx)
	id := c.agent(in.ID)
	r, err := s.agents.Handle(ctx, c.OrgID, id, in.meta(ctx, in.Body), agent.SetCapacity{Capacity: in.Body.Capacity})
	return s.configured(ctx, id, r, err)
}

// DeactivateAgent is the input of a deactivation.
type DeactivateAgent struct {
	ByID
	Writing
	Body *struct {
		Reason string `json:"reason,omitempty" maxLength:"200"`
	}
}

func (s *Service) deactivateAgent(ctx context.Context, in *DeactivateAgent) (*Written[Done], error) {
	var reason string
	if in.Body != nil {
		reason = in.Body.Reason
	}
	r, err := s.agents.Handle(ctx, callerOf(ctx).OrgID, in.ID, in.meta(ctx, in.Body), agent.Deactivate{Reason: reason})
	return s.configured(ctx, in.ID, r, err)
}

// agent is the agent that a path names; "me" is the caller's own.
func (c *caller) agent(id string) string {
	if id == "me" {
		return c.AgentID
	}
	return id
}

func agentOf(a directory.Agent) Agent {
	return Agent{
		ID: a.ID, Name: a.Name, Email: a.Email, Role: a.Role, Presence: a.Presence, Connected: a.Connected, Capacity: a.Capacity,
		Skills: append([]string{}, a.Skills...), Deactivated: a.Deactivated,
	}
}

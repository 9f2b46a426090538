package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/rule"
)

// Workflow is an automation: when an event of a type comes and its text contains words, do steps.
type Workflow struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	WorkflowDefinition
	Disabled bool `json:"disabled"`
}

// WorkflowDefinition is when an automation runs and what it does.
type WorkflowDefinition struct {
	On       string         `json:"on" maxLength:"100" example:"conversation.message_received" doc:"Type of event, without its version."`
	Contains string         `json:"contains,omitempty" maxLength:"200" doc:"Words that its text must contain, in any case; absent: any text."`
	Steps    []WorkflowStep `json:"steps" nullable:"false" minItems:"1" maxItems:"20"`
}

// WorkflowStep is one thing to do; exactly one field is set.
type WorkflowStep struct {
	Tag   string `json:"tag,omitempty" maxLength:"64" doc:"Put this tag on the conversation."`
	Reply string `json:"reply,omitempty" maxLength:"10000" doc:"Write this message to the customer."`
}

func (s *Service) registerWorkflows() {
	const tag = "Workflows"
	add(s, operation{id: "list-workflows", method: http.MethodGet, path: "/v1/workflows", tag: tag, summary: "List workflows"}, s.listWorkflows)
	add(s, operation{
		id: "get-workflow", method: http.MethodGet, path: "/v1/workflows/{id}", tag: tag, summary: "Get a workflow",
		codes: []string{"rule_not_found"},
	}, s.getWorkflow)
	add(s, operation{
		id: "create-workflow", method: http.MethodPost, path: "/v1/workflows", tag: tag, status: http.StatusCreated, admin: true,
		summary: "Set a workflow up", codes: []string{"text_invalid", "rule_invalid", "tag_invalid", "rule_exists"},
	}, s.createWorkflow)
	add(s, operation{
		id: "change-workflow", method: http.MethodPut, path: "/v1/workflows/{id}", tag: tag, admin: true,
		summary: "Replace a workflow's definition", codes: []string{"rule_not_found", "rule_invalid", "text_invalid", "tag_invalid"},
	}, s.changeWorkflow)
	add(s, operation{
		id: "enable-workflow", method: http.MethodPut, path: "/v1/workflows/{id}/enabled", tag: tag, admin: true,
		summary: "Stop a workflow, or start it again", codes: []string{"rule_not_found", "text_invalid"},
	}, s.enableWorkflow)
}

func (s *Service) listWorkflows(ctx context.Context, _ *struct{}) (*Answer[List[Workflow]], error) {
	return &Answer[List[Workflow]]{List[Workflow]{Items: each(s.Directory.Rules(callerOf(ctx).OrgID), workflowOf)}}, nil
}

func (s *Service) getWorkflow(ctx context.Context, in *ByID) (*Answer[Workflow], error) {
	rules := s.Directory.Rules(callerOf(ctx).OrgID)
	i := slices.IndexFunc(rules, func(r directory.Rule) bool { return r.ID == in.ID })
	if i < 0 {
		return nil, refusal.ErrRuleNotFound
	}
	return &Answer[Workflow]{workflowOf(rules[i])}, nil
}

// CreateWorkflow is the input of a new workflow.
type CreateWorkflow struct {
	Writing
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"200"`
		WorkflowDefinition
	}
}

func (s *Service) createWorkflow(ctx context.Context, in *CreateWorkflow) (*Written[Done], error) {
	org := callerOf(ctx).OrgID
	m := in.meta(ctx, in.Body)
	id := command.DeriveID("rule", org, m.ID)
	r, err := s.rules.Handle(ctx, org, id, m, rule.Create{Name: in.Body.Name, Definition: in.Body.rule()})
	return s.configured(ctx, id, r, err)
}

// ChangeWorkflow is the input of a new definition.
type ChangeWorkflow struct {
	ByID
	Writing
	Body WorkflowDefinition
}

func (s *Service) changeWorkflow(ctx context.Context, in *ChangeWorkflow) (*Written[Done], error) {
	r, err := s.rules.Handle(ctx, callerOf(ctx).OrgID, in.ID, in.meta(ctx, in.Body), rule.Change{Definition: in.Body.rule()})
	return s.configured(ctx, in.ID, r, err)
}

func (s *Service) enableWorkflow(ctx context.Context, in *Enabling) (*Written[Done], error) {
	var c rule.Command = rule.Disable{Reason: in.Body.Reason}
	if in.Body.Enabled {
		c = rule.Enable{Reason: in.Body.Reason}
	}
	r, err := s.rules.Handle(ctx, callerOf(ctx).OrgID, in.ID, in.meta(ctx, in.Body), c)
	return s.configured(ctx, in.ID, r, err)
}

func (d WorkflowDefinition) rule() events.RuleDefinition {
	return events.RuleDefinition{
		On: d.On, Contains: d.Contains,
		Steps: each(d.Steps, func(s WorkflowStep) events.RuleStep { return events.RuleStep(s) }),
	}
}

func workflowOf(r directory.Rule) Workflow {
	return Workflow{
		ID: r.ID, Name: r.Name, Disabled: r.Disabled,
		WorkflowDefinition: WorkflowDefinition{
			On: r.On, Contains: r.Contains,
			Steps: each(r.Steps, func(s events.RuleStep) WorkflowStep { return WorkflowStep(s) }),
		},
	}
}

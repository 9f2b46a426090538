package api

import (
	"context"
	"net/http"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/queue"
	"github.com/tidemark-desk/tidemark/internal/fault"
)

// Queue is where conversations wait for agents.
type Queue struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Members  []string `json:"members" nullable:"false" doc:"Ids of the agents who take work from it."`
	Archived bool     `json:"archived"`
}

func (s *Service) registerQueues() {
	const tag = "Queues"
	add(s, operation{id: "list-queues", method: http.MethodGet, path: "/v1/queues", tag: tag, summary: "List queues"}, s.listQueues)
	add(s, operation{
		id: "get-queue", method: http.MethodGet, path: "/v1/queues/{id}", tag: tag, summary: "Get a queue",
		codes: []string{"queue_not_found"},
	}, s.getQueue)
	add(s, operation{
		id: "create-queue", method: http.MethodPost, path: "/v1/queues", tag: tag, status: http.StatusCreated, admin: true,
		summary: "Make a queue, with its members", codes: []string{"text_invalid", "queue_exists"},
	}, s.createQueue)
	add(s, operation{
		id: "add-member", method: http.MethodPut, path: "/v1/queues/{id}/members/{agent}", tag: tag, admin: true,
		summary: "Let an agent take work from a queue", codes: []string{"queue_not_found", "queue_archived", "queue_members_full"},
	}, s.addMember)
	add(s, operation{
		id: "remove-member", method: http.MethodDelete, path: "/v1/queues/{id}/members/{agent}", tag: tag, admin: true,
		summary: "Stop an agent from taking work from a queue", codes: []string{"queue_not_found", "text_invalid"},
	}, s.removeMember)
}

func (s *Service) listQueues(ctx context.Context, _ *struct{}) (*Answer[List[Queue]], error) {
	return &Answer[List[Queue]]{List[Queue]{Items: each(s.Directory.Queues(callerOf(ctx).OrgID), queueOf)}}, nil
}

func (s *Service) getQueue(ctx context.Context, in *ByID) (*Answer[Queue], error) {
	q, ok := s.Directory.Queue(callerOf(ctx).OrgID, in.ID)
	if !ok {
		return nil, queue.ErrNotFound
	}
	return &Answer[Queue]{queueOf(q)}, nil
}

// CreateQueue is the input of a new queue.
type CreateQueue struct {
	Writing
	Body struct {
		Name    string   `json:"name" minLength:"1" maxLength:"200"`
		Members []string `json:"members,omitempty" maxItems:"1000" doc:"Ids of agents."`
	}
}

func (s *Service) createQueue(ctx context.Context, in *CreateQueue) (*Written[Done], error) {
	org := callerOf(ctx).OrgID
	m := in.meta(ctx, in.Body)
	id := command.DeriveID("queue", org, m.ID)
	r, err := s.Loop.Atomic(ctx, m, func(tx *command.Tx) error {
		if err := command.Stage(tx, s.queues, org, id, queue.Command(queue.Create{Name: in.Body.Name})); err != nil {
			return err
		}
		for _, member := range in.Body.Members { // looked at once it is known that this has not happened yet
			if err := s.needAgent(org, "body.members", member); err != nil {
				return err
			}
			if err := command.Stage(tx, s.queues, org, id, queue.Command(queue.AddMember{AgentID: member})); err != nil {
				return err
			}
		}
		return nil
	})
	return s.configured(ctx, id, r, err)
}

// QueueMember names an agent in a queue.
type QueueMember struct {
	ByID
	Writing
	Agent string `path:"agent" maxLength:"64" doc:"Id of the agent."`
}

func (s *Service) addMember(ctx context.Context, in *QueueMember) (*Written[Done], error) {
	org := callerOf(ctx).OrgID
	unfit := s.needAgent(org, "path.agent", in.Agent)
	r, err := handleUnless(ctx, unfit, s.queues, org, in.ID, in.meta(ctx, nil), queue.Command(queue.AddMember{AgentID: in.Agent}))
	return s.configured(ctx, in.ID, r, err)
}

func (s *Service) removeMember(ctx context.Context, in *QueueMember) (*Written[Done], error) {
	r, err := s.queues.Handle(ctx, callerOf(ctx).OrgID, in.ID, in.meta(ctx, nil), queue.RemoveMember{AgentID: in.Agent})
	return s.configured(ctx, in.ID, r, err)
}

// handleUnless runs a command, unless there is a refusal; what has happened already answers as the first time even then.
func handleUnless[S, C any](ctx context.Context, refusal error, h *command.Handler[S, C], org, id string, m command.Meta, c C) (command.Result, error) {
	if refusal != nil {
		return h.Refuse(ctx, org, id, m, refusal)
	}
	return h.Handle(ctx, org, id, m, c)
}

// needAgent refuses ids that are of no agent who works at the org's desk.
func (s *Service) needAgent(org, location, id string) error {
	if a, ok := s.Directory.Agent(org, id); !ok || a.Deactivated {
		return wrong(location, "is no agent who works at the desk")
	}
	return nil
}

// configured answers a change of configuration once this process has seen it itself, so that the next request can
// count on it. A directory that is late does not undo the write: the answer goes out when the wait is over.
func (s *Service) configured(ctx context.Context, id string, r command.Result, err error) (*Written[Done], error) {
	if err != nil {
		return nil, err
	}
	s.seen(ctx, r.Position)
	return done(id, r), nil
}

func (s *Service) seen(ctx context.Context, p events.Position) {
	bounded, cancel := context.WithTimeout(ctx, s.Starting)
	defer cancel()
	if err := s.Directory.WaitFor(bounded, p.Sequence); err != nil && fault.KindOf(err) == fault.Internal && ctx.Err() == nil {
		s.Logger.WarnContext(ctx, "the directory is late", "position", p.String(), "error", err)
	}
}

func queueOf(q directory.Queue) Queue {
	return Queue{ID: q.ID, Name: q.Name, Members: append([]string{}, q.Members...), Archived: q.Archived}
}

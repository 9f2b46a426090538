package api

import (
	"context"
	"net/http"
	"time"

	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/erasure"
)

// Eraser forgets customers.
type Eraser interface {
	Erase(ctx context.Context, org, id string, m command.Meta) (erasure.Erasure, error)
	Find(ctx context.Context, org, id string) (erasure.Erasure, error)
}

// Where an erasure is.
const (
	erasureRunning = "running"
	erasureDone    = "done"
)

// Erasure is how far the erasure of a customer is.
type Erasure struct {
	CustomerID string    `json:"customer_id"`
	Status     string    `json:"status" enum:"running,done" doc:"done: nothing of the customer or of their conversations is left in the log."`
	AskedAt    time.Time `json:"asked_at"`
	Position   string    `json:"position" doc:"Where the erasure stands in the log; a read with it as min_position no longer shows the customer."`
}

func (s *Service) registerErasure() {
	const tag = "Customers"
	add(s, operation{
		id: "erase-customer", method: http.MethodDelete, path: "/v1/customers/{id}", tag: tag, admin: true, status: http.StatusAccepted,
		summary: "Erase a customer, for ever",
		doc: "With everybody who was merged into them and all their conversations. What is read no longer shows them once it has applied " +
			"the position of the answer, their addresses are free at once, and what the log has of them is purged soon after: the page that " +
			"Location names says when that is done. Asking again adds nothing and tells how far it is.",
		codes: []string{"customer_not_found", "customer_merged"},
	}, s.eraseCustomer)
	add(s, operation{
		id: "get-erasure", method: http.MethodGet, path: "/v1/customers/{id}/erasure", tag: tag, admin: true,
		summary: "How far the erasure of a customer is",
		doc:     "Straight from the log.",
		codes:   []string{"customer_not_found", "erasure_not_found", "log_unavailable"},
	}, s.getErasure)
}

// EraseCustomer names the customer who is to be erased.
type EraseCustomer struct {
	ByID
	Writing
}

// Erasing answers an erasure.
type Erasing struct {
	Position string `header:"Tidemark-Position" doc:"Where the erasure stands in the log; give it as min_position to a read that must not show the customer."`
	Location string `header:"Location" doc:"Where to ask how far it is."`
	Body     Erasure
}

func (s *Service) eraseCustomer(ctx context.Context, in *EraseCustomer) (*Erasing, error) {
	e, err := s.Eraser.Erase(ctx, callerOf(ctx).OrgID, in.ID, in.meta(ctx, nil))
	if err != nil {
		return nil, err
	}
	body := erasureOf(e)
	return &Erasing{Position: body.Position, Location: "/v1/customers/" + in.ID + "/erasure", Body: body}, nil
}

func (s *Service) getErasure(ctx context.Context, in *ByID) (*Answer[Erasure], error) {
	e, err := s.Eraser.Find(ctx, callerOf(ctx).OrgID, in.ID)
	if err != nil {
		return nil, err
	}
	return &Answer[Erasure]{erasureOf(e)}, nil
}

func erasureOf(e erasure.Erasure) Erasure {
	status := erasureRunning
	if e.Done {
		status = erasureDone
	}
	return Erasure{CustomerID: e.CustomerID, Status: status, AskedAt: e.At, Position: e.Position.String()}
}

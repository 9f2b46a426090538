package api

import (
	"context"
	"errors"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/projections/customers"
)

// freshCustomer is fresh for who asks for one customer. A position says nothing about other aggregates, and the write
// that it is of may have changed the customer too, in another partition: opening a conversation does. So the customer's
// own newest event is waited for as well.
func (s *Service) freshCustomer(ctx context.Context, org, id string, r Reading, models ...string) (*AsOf, error) {
	p, err := r.minPosition()
	if err != nil || p.IsZero() {
		return s.fresh(ctx, r, models...)
	}
	own, err := s.customerPosition(ctx, org, id)
	if err != nil {
		return nil, err
	}
	return s.freshAt(ctx, s.Reads.Freshness.Await, models, p, own)
}

// freshIdentity is freshCustomer for who knows only an address.
func (s *Service) freshIdentity(ctx context.Context, org string, i events.Identity, r Reading, models ...string) (*AsOf, error) {
	tenant, ok := s.Directory.Org(org)
	if r.MinPosition == "" || !ok {
		return s.fresh(ctx, r, models...)
	}
	claimed, _, err := s.claims.State(ctx, org, tenant.ClaimID(i.Type, i.Value))
	if err != nil {
		return nil, err
	}
	return s.freshCustomer(ctx, org, claimed.CustomerID, r, models...)
}

// unseenCustomer waits for the read models to know a customer whom the log has.
func (s *Service) unseenCustomer(ctx context.Context, org, id string, models ...string) (*AsOf, error) {
	own, err := s.customerPosition(ctx, org, id)
	if err != nil {
		return nil, err
	}
	if own.IsZero() {
		return nil, customers.ErrNotFound
	}
	return s.freshAt(ctx, s.Reads.Freshness.Await, models, own)
}

// customerPosition is that of the customer's newest event; zero when the log has none, or none that this version can
// read: then nothing can be promised of them.
func (s *Service) customerPosition(ctx context.Context, org, id string) (events.Position, error) {
	_, sequence, err := s.customers.State(ctx, org, id)
	switch {
	case errors.Is(err, command.ErrEventUnknown), err == nil && sequence == 0:
		return events.Position{}, nil
	case err != nil:
		return events.Position{}, err
	}
	return s.Log.Position(events.Aggregate{Org: org, Kind: events.KindCustomer, ID: id}, sequence), nil
}

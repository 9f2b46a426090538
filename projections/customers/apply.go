package customers

import (
	"context"
	_ "embed"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/customers/db"
	"github.com/tidemark-desk/tidemark/projections/internal/pgtext"
)

//go:embed schema.sql
var schema string

// Projection writes the customers.
//
// A batch costs one read of the profiles that it goes on with, and one COPY of all that it touched, however many events
// it has. A customer whose first event is in the batch is not looked for. One without a profile whose first event is
// not in the batch was erased: of what comes, only the tombstone counts.
type Projection struct{}

// Name of the projection and of its schema.
func (Projection) Name() string { return "customers" }

// Kinds that customers are made of.
func (Projection) Kinds() []events.Kind { return []events.Kind{events.KindCustomer} }

// Schema is the DDL of its tables.
func (Projection) Schema() string { return schema }

type key struct{ org, id string }

// Apply writes what the batch means.
func (Projection) Apply(ctx context.Context, tx pgx.Tx, batch []events.Recorded) error {
	byCustomer := map[key][]events.Recorded{}
	var order []key
	for _, r := range batch {
		if u, unknown := r.Event.(events.Unknown); unknown {
			return fmt.Errorf("%s at %d: %s: %s", r.Aggregate, r.Sequence, u.Type, u.Reason)
		}
		if r.Kind != events.KindCustomer {
			continue
		}
		k := key{r.Org, r.Aggregate.ID}
		if _, seen := byCustomer[k]; !seen {
			order = append(order, k)
		}
		byCustomer[k] = append(byCustomer[k], r)
	}
	if len(order) == 0 {
		return nil
	}
	q := db.New(tx)
	states, err := begin(ctx, q, order, byCustomer)
	if err != nil {
		return err
	}
	var w writes
	for _, k := range order {
		s, ok := states[k]
		if !ok {
			continue // erased
		}
		for _, r := range byCustomer[k] {
			s.fold(r)
		}
		if err := w.add(s); err != nil {
			return fmt.Errorf("customer %s: %w", k.id, err)
		}
	}
	return w.run(ctx, q)
}

// begin gives the states that the batch goes on with, and removes their rows. What is missing in it was erased.
func begin(ctx context.Context, q *db.Queries, order []key, batch map[key][]events.Recorded) (map[key]*state, error) {
	states := make(map[key]*state, len(order))
	var take db.TakeParams
	for _, k := range order {
		if _, ok := batch[k][0].Event.(events.CustomerCreated); ok {
			states[k] = &state{}
			continue
		}
		take.Orgs, take.Ids = append(take.Orgs, k.org), append(take.Ids, k.id)
	}
	if len(take.Ids) == 0 {
		return states, nil
	}
	profiles, err := q.Take(ctx, take)
	if err != nil {
		return nil, fmt.Errorf("read customers: %w", err)
	}
	identities, err := q.TakeIdentities(ctx, db.TakeIdentitiesParams(take))
	if err != nil {
		return nil, fmt.Errorf("read identities: %w", err)
	}
	byCustomer := map[key][]db.CustomerIdentity{}
	for _, i := range identities {
		k := key{i.Org, i.CustomerID}
		byCustomer[k] = append(byCustomer[k], i)
	}
	for _, p := range profiles {
		k := key{p.Org, p.ID}
		c, err := customer(p, byCustomer[k])
		if err != nil {
			return nil, fmt.Errorf("customer %s: %w", p.ID, err)
		}
		states[k] = &state{Customer: c}
	}
	for _, k := range order { // the log may have nothing left before a tombstone
		if states[k] == nil && slices.ContainsFunc(batch[k], tombstone) {
			states[k] = &state{Customer: Customer{Org: k.org, ID: k.id}}
		}
	}
	return states, nil
}

func tombstone(r events.Recorded) bool {
	_, ok := r.Event.(events.CustomerErased)
	return ok
}

// writes is the rows that a batch ends with.
type writes struct {
	profiles   []db.PutParams
	identities []db.PutIdentitiesParams
	erasures   db.PutErasuresParams
}

func (w *writes) add(s *state) error {
	sequence := int64(s.Sequence) //nolint:gosec // a stream does not reach 2^63
	if s.erased {
		e := &w.erasures
		e.Orgs, e.Ids = append(e.Orgs, s.Org), append(e.Ids, s.ID)
		e.ErasedAt, e.Sequences = append(e.ErasedAt, s.UpdatedAt), append(e.Sequences, sequence) // an erasure is the last event that counts
		return nil
	}
	attributes, err := pgtext.Attributes(s.Attributes)
	if err != nil {
		return err
	}
	w.profiles = append(w.profiles, db.PutParams{
		Org: s.Org, ID: s.ID, Name: s.Name, NameKey: nameKey(s.Name), Attributes: attributes, MergedInto: s.MergedInto,
		CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt, Sequence: sequence,
	})
	for place, i := range s.Identities {
		w.identities = append(w.identities, db.PutIdentitiesParams{
			Org: s.Org, CustomerID: s.ID, Place: int32(place),
			Type: string(i.Type), Value: i.Value,
		})
	}
	return nil
}

func (w *writes) run(ctx context.Context, q *db.Queries) error {
	if len(w.profiles) > 0 {
		if _, err := q.Put(ctx, w.profiles); err != nil {
			return fmt.Errorf("write customers: %w", err)
		}
	}
	if len(w.identities) > 0 {
		if _, err := q.PutIdentities(ctx, w.identities); err != nil {
			return fmt.Errorf("write identities: %w", err)
		}
	}
	if len(w.erasures.Ids) > 0 {
		if err := q.PutErasures(ctx, w.erasures); err != nil {
			return fmt.Errorf("write erasures: %w", err)
		}
	}
	return nil
}

package customers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections/customers/db"
	"github.com/tidemark-desk/tidemark/projections/internal/keyset"
	"github.com/tidemark-desk/tidemark/projections/internal/pgtext"
)

// What Get and ByIdentity can answer.
var (
	ErrNotFound = fault.New(fault.NotFound, "customer_not_found", "there is no such customer")
	ErrErased   = fault.New(fault.NotFound, "customer_erased", "the customer was erased")
)

// Reader reads customers. The pool's search_path has the schema of customers.
type Reader struct{ pool *pgxpool.Pool }

// NewReader makes a reader.
func NewReader(pool *pgxpool.Pool) *Reader { return &Reader{pool: pool} }

// Query asks for a list of customers. Zero fields ask for nothing; merged customers are in no list.
type Query struct {
	NamePrefix string          // in any case; at most its first 100 characters count
	Identity   events.Identity // exactly this address; its value is normalised
	Limit      int             // 1 to 100; 0 is 25
	Cursor     string          // Page.Next of the page before
}

// Page is one page of a list, by name. Next is empty on the last one.
type Page struct {
	Items []Customer
	Next  string
}

const listOrder = "customers name"

// List gives a page of an org's customers, by name. Errors: fault Invalid with limit_invalid, cursor_invalid,
// cursor_mismatch.
func (r *Reader) List(ctx context.Context, org string, q Query) (Page, error) {
	limit, err := keyset.Limit(q.Limit)
	if err != nil {
		return Page{}, err
	}
	after := []string{"", ""}
	if q.Cursor != "" {
		if after, err = keyset.Decode(q.Cursor, listOrder, len(after)); err != nil {
			return Page{}, err
		}
		if !events.ValidID(after[1]) || after[0] != pgtext.Clean(after[0]) {
			return Page{}, keyset.ErrInvalid
		}
	}
	queries := db.New(r.pool)
	rows, err := list(ctx, queries, org, q, after, limit)
	if err != nil {
		return Page{}, fmt.Errorf("list customers: %w", err)
	}
	page := Page{}
	if len(rows) > limit {
		rows = rows[:limit]
		last := rows[limit-1]
		page.Next = keyset.Encode(listOrder, last.NameKey, last.ID)
	}
	if page.Items, err = complete(ctx, queries, org, rows); err != nil {
		return Page{}, fmt.Errorf("list customers: %w", err)
	}
	return page, nil
}

func list(ctx context.Context, q *db.Queries, org string, query Query, after []string, limit int) ([]db.CustomerProfile, error) {
	most := int32(limit + 1) //nolint:gosec // at most 101
	prefix := nameKey(pgtext.Clean(query.NamePrefix))
	if query.Identity != (events.Identity{}) {
		identity := clean(query.Identity)
		rows, err := q.ListByIdentity(ctx, db.ListByIdentityParams{
			Org: pgtext.Clean(org), Type: string(identity.Type), Value: identity.Value,
			NameFrom: prefix, NameUpto: upto(prefix), AfterKey: after[0], AfterID: after[1], MaxRows: most,
		})
		return rows, err
	}
	return q.ListByName(ctx, db.ListByNameParams{
		Org: pgtext.Clean(org), NameFrom: prefix, NameUpto: upto(prefix),
		AfterKey: after[0], AfterID: after[1], MaxRows: most,
	})
}

// upto is a bound above every name that begins with the prefix.
func upto(prefix string) string { return prefix + lastCodePoint }

// Get gives one customer of an org, merged ones too. Errors: ErrNotFound, ErrErased.
func (r *Reader) Get(ctx context.Context, org, id string) (Customer, error) {
	org, id = pgtext.Clean(org), pgtext.Clean(id)
	queries := db.New(r.pool)
	row, err := queries.Get(ctx, db.GetParams{Org: org, ID: id})
	if errors.Is(err, pgx.ErrNoRows) {
		return Customer{}, r.absent(ctx, queries, org, id)
	}
	if err != nil {
		return Customer{}, fmt.Errorf("read customer %s: %w", id, err)
	}
	return one(ctx, queries, row)
}

// ByIdentity gives the customer who has an address; its value is normalised. Errors: ErrNotFound.
func (r *Reader) ByIdentity(ctx context.Context, org string, identity events.Identity) (Customer, error) {
	queries := db.New(r.pool)
	identity = clean(identity)
	row, err := queries.ByIdentity(ctx, db.ByIdentityParams{
		Org: pgtext.Clean(org), Type: string(identity.Type), Value: identity.Value,
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Customer{}, ErrNotFound
	}
	if err != nil {
		return Customer{}, fmt.Errorf("find a customer by %s: %w", identity.Type, err)
	}
	return one(ctx, queries, row)
}

func (r *Reader) absent(ctx context.Context, q *db.Queries, org, id string) error {
	_, err := q.ErasedAt(ctx, db.ErasedAtParams{Org: org, ID: id})
	switch {
	case err == nil:
		return ErrErased
	case errors.Is(err, pgx.ErrNoRows):
		return ErrNotFound
	default:
		return fmt.Errorf("read customer %s: %w", id, err)
	}
}

func one(ctx context.Context, q *db.Queries, row db.CustomerProfile) (Customer, error) {
	found, err := complete(ctx, q, row.Org, []db.CustomerProfile{row})
	if err != nil {
		return Customer{}, fmt.Errorf("read customer %s: %w", row.ID, err)
	}
	return found[0], nil
}

// complete adds the identities to profiles of one org.
func complete(ctx context.Context, q *db.Queries, org string, rows []db.CustomerProfile) ([]Customer, error) {
	out := make([]Customer, 0, len(rows))
	if len(rows) == 0 {
		return out, nil
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	identities, err := q.Identities(ctx, db.IdentitiesParams{Org: org, CustomerIds: ids})
	if err != nil {
		return nil, fmt.Errorf("read identities: %w", err)
	}
	byCustomer := map[string][]db.CustomerIdentity{}
	for _, i := range identities {
		byCustomer[i.CustomerID] = append(byCustomer[i.CustomerID], i)
	}
	for _, row := range rows {
		c, err := customer(row, byCustomer[row.ID])
		if err != nil {
			return nil, fmt.Errorf("customer %s: %w", row.ID, err)
		}
		out = append(out, c)
	}
	return out, nil
}

func customer(row db.CustomerProfile, identities []db.CustomerIdentity) (Customer, error) {
	attributes, err := pgtext.ParseAttributes(row.Attributes)
	if err != nil {
		return Customer{}, err
	}
	c := Customer{
		Org: row.Org, ID: row.ID, Name: row.Name, Identities: make([]events.Identity, 0, len(identities)),
		Attributes: attributes, MergedInto: row.MergedInto, CreatedAt: row.CreatedAt.UTC(), UpdatedAt: row.UpdatedAt.UTC(),
		Sequence: uint64(row.Sequence), //nolint:gosec // written from one
	}
	slices.SortFunc(identities, func(a, b db.CustomerIdentity) int { return cmp.Compare(a.Place, b.Place) })
	for _, i := range identities {
		c.Identities = append(c.Identities, events.Identity{Type: events.IdentityType(i.Type), Value: i.Value})
	}
	return c, nil
}

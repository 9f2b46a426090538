package inbox

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/inbox/db"
)

//go:embed schema.sql
var schema string

// Projection writes the inbox.
//
// A batch costs one read of the rows that it goes on with, and one COPY of all rows that it touched, however many
// events it has. A conversation whose first event is in the batch is not looked for.
//
// Erasure. That a customer is erased stands in the customer's events, whose partition has another writer, perhaps in
// another process and much earlier or later. So it is remembered (inbox_customers, with who was merged into whom): who
// erases removes the rows that are there, who opens a conversation asks whether its customer is erased. The two cannot
// miss each other, because every writer holds the table's ROW SHARE lock to the end of its transaction and an eraser
// its EXCLUSIVE lock; they need READ COMMITTED for it, where each statement sees what was committed before it. A
// conversation without a row whose first event is not in the batch was erased: what comes later is passed over. A
// conversation's own tombstone comes later and finds its row gone, unless the customer's waits for an operator.
type Projection struct{}

// Name of the projection and of its schema.
func (Projection) Name() string { return "inbox" }

// Kinds that the inbox is made of.
func (Projection) Kinds() []events.Kind {
	return []events.Kind{events.KindConversation, events.KindCustomer}
}

// Schema is the DDL of its tables.
func (Projection) Schema() string { return schema }

// Apply writes what the batch means.
func (Projection) Apply(ctx context.Context, tx pgx.Tx, batch []events.Recorded) error {
	b, err := sortOut(batch)
	if err != nil {
		return err
	}
	q := db.New(tx)
	if err := b.customers(ctx, q); err != nil {
		return err
	}
	if len(b.conversations) == 0 {
		return nil
	}
	return b.fold(ctx, q)
}

type key struct{ org, id string }

// batch is the events of a batch by conversation, and what it says about customers.
type batch struct {
	conversations map[key][]events.Recorded
	order         []key // of the conversations, as they came
	fates         map[key]fate
}

type fate struct {
	into   string
	erased bool
}

func sortOut(in []events.Recorded) (*batch, error) {
	b := &batch{conversations: map[key][]events.Recorded{}, fates: map[key]fate{}}
	for _, r := range in {
		k := key{r.Org, r.Aggregate.ID}
		switch e := r.Event.(type) {
		case events.Unknown:
			return nil, fmt.Errorf("%s at %d: %s: %s", r.Aggregate, r.Sequence, e.Type, e.Reason)
		case events.CustomerMerged:
			f := b.fates[k]
			f.into = e.IntoID
			b.fates[k] = f
		case events.CustomerErased:
			f := b.fates[k]
			f.erased = true
			b.fates[k] = f
		default:
			if r.Kind != events.KindConversation {
				continue
			}
			if _, seen := b.conversations[k]; !seen {
				b.order = append(b.order, k)
			}
			b.conversations[k] = append(b.conversations[k], r)
		}
	}
	return b, nil
}

// customers takes the lock that this batch needs, and removes what the batch erases. It is the stronger lock at once: a
// transaction that first took the weaker one could meet another such, and neither would get on.
func (b *batch) customers(ctx context.Context, q *db.Queries) error {
	if len(b.fates) == 0 {
		if err := q.LockForWriting(ctx); err != nil {
			return fmt.Errorf("lock against erasure: %w", err)
		}
		return nil
	}
	if err := q.LockForErasing(ctx); err != nil {
		return fmt.Errorf("lock for erasure: %w", err)
	}
	var note db.NoteCustomersParams
	for k, f := range b.fates {
		if f.erased {
			f.into = ""
		}
		note.Orgs = append(note.Orgs, k.org)
		note.CustomerIds = append(note.CustomerIds, k.id)
		note.IntoIds = append(note.IntoIds, f.into)
		note.Erased = append(note.Erased, f.erased)
	}
	if err := q.NoteCustomers(ctx, note); err != nil {
		return fmt.Errorf("note what became of customers: %w", err)
	}
	if err := q.DeleteErased(ctx, db.DeleteErasedParams{Orgs: note.Orgs, CustomerIds: note.CustomerIds}); err != nil {
		return fmt.Errorf("remove erased conversations: %w", err)
	}
	return nil
}

// fold brings the conversations of the batch up to date.
func (b *batch) fold(ctx context.Context, q *db.Queries) error {
	rows, err := b.begin(ctx, q)
	if err != nil {
		return err
	}
	put := make([]db.PutParams, 0, len(rows))
	for _, k := range b.order {
		s, ok := rows[k]
		if !ok {
			continue // erased
		}
		for _, r := range b.conversations[k] {
			s.fold(r)
		}
		if s.erased {
			continue
		}
		row, err := s.row()
		if err != nil {
			return fmt.Errorf("conversation %s: %w", k.id, err)
		}
		put = append(put, row)
	}
	if len(put) == 0 {
		return nil
	}
	if _, err := q.Put(ctx, put); err != nil {
		return fmt.Errorf("write conversations: %w", err)
	}
	return nil
}

// begin gives the states that the batch goes on with: rows that are there, and empty ones for conversations that
// begin here. What is missing in it was erased.
func (b *batch) begin(ctx context.Context, q *db.Queries) (map[key]*state, error) {
	rows := make(map[key]*state, len(b.order))
	var take db.TakeParams
	var erased db.ErasedParams
	asked := map[key]bool{}
	for _, k := range b.order {
		opened, ok := b.conversations[k][0].Event.(events.ConversationOpened)
		if !ok {
			take.Orgs, take.Ids = append(take.Orgs, k.org), append(take.Ids, k.id)
			continue
		}
		rows[k] = &state{}
		if c := (key{k.org, opened.CustomerID}); !asked[c] {
			asked[c] = true
			erased.Orgs, erased.CustomerIds = append(erased.Orgs, c.org), append(erased.CustomerIds, c.id)
		}
	}
	if len(take.Ids) > 0 {
		found, err := q.Take(ctx, take)
		if err != nil {
			return nil, fmt.Errorf("read conversations: %w", err)
		}
		for _, row := range found {
			s, err := stateOf(row)
			if err != nil {
				return nil, fmt.Errorf("conversation %s: %w", row.ID, err)
			}
			rows[key{row.Org, row.ID}] = s
		}
	}
	if len(erased.CustomerIds) > 0 {
		gone, err := q.Erased(ctx, erased)
		if err != nil {
			return nil, fmt.Errorf("look for erased customers: %w", err)
		}
		b.forget(rows, gone)
	}
	return rows, nil
}

// forget drops the states of conversations that begin here and whose customer is gone.
func (b *batch) forget(rows map[key]*state, gone []db.ErasedRow) {
	customers := make(map[key]bool, len(gone))
	for _, g := range gone {
		customers[key{g.Org, g.CustomerID}] = true
	}
	if len(customers) == 0 {
		return
	}
	for k, list := range b.conversations {
		if opened, ok := list[0].Event.(events.ConversationOpened); ok && customers[key{k.org, opened.CustomerID}] {
			delete(rows, k)
		}
	}
}

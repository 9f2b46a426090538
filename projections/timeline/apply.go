package timeline

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/timeline/db"
)

//go:embed schema.sql
var schema string

// Projection writes the timeline.
//
// Entries are only ever added, so a batch is one COPY. Conversations that do not begin in the batch are looked up
// first, because of erasure: that a customer is erased stands in the customer's events, whose partition has another
// writer, perhaps in another process and much earlier or later. So it is remembered (timeline_customers, with who was
// merged into whom): who erases removes the rows that are there, who opens a conversation asks whether its customer is
// erased. The two cannot miss each other, because every writer holds the table's ROW SHARE lock to the end of its
// transaction and an eraser its EXCLUSIVE lock; they need READ COMMITTED for it, where each statement sees what was
// committed before it. A conversation that is not known and does not begin in the batch was erased: what comes later
// is passed over. A conversation's own tombstone comes later and finds its rows gone, unless the customer's waits for an
// operator.
type Projection struct{}

// Name of the projection and of its schema.
func (Projection) Name() string { return "timeline" }

// Kinds that the timeline is made of.
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
	if len(b.events) == 0 {
		return nil
	}
	known, err := b.known(ctx, q)
	if err != nil {
		return err
	}
	if err := b.forget(ctx, q, known); err != nil {
		return err
	}
	return b.write(ctx, q, known)
}

type key struct{ org, id string }

// batch is the events of conversations in a batch, and what it says about customers.
type batch struct {
	events []events.Recorded // of conversations, as they came
	opened map[key]string    // customer of each conversation that begins here
	gone   []key             // conversations that are erased here
	fates  map[key]fate
}

type fate struct {
	into   string
	erased bool
}

func sortOut(in []events.Recorded) (*batch, error) {
	b := &batch{events: make([]events.Recorded, 0, len(in)), opened: map[key]string{}, fates: map[key]fate{}}
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
		case events.ConversationOpened:
			b.opened[k] = e.CustomerID
			b.events = append(b.events, r)
		case events.ConversationErased:
			b.gone = append(b.gone, k)
			b.events = append(b.events, r)
		default:
			if r.Kind == events.KindConversation {
				b.events = append(b.events, r)
			}
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

// known gives the conversations that may be written, which those of erased customers are not.
func (b *batch) known(ctx context.Context, q *db.Queries) (map[key]bool, error) {
	known := make(map[key]bool, len(b.opened))
	var ask db.KnownParams
	asked := map[key]bool{}
	for _, r := range b.events {
		k := key{r.Org, r.Aggregate.ID}
		if _, begins := b.opened[k]; begins || asked[k] {
			continue
		}
		asked[k] = true
		ask.Orgs, ask.Ids = append(ask.Orgs, k.org), append(ask.Ids, k.id)
	}
	if len(ask.Ids) > 0 {
		found, err := q.Known(ctx, ask)
		if err != nil {
			return nil, fmt.Errorf("look for conversations: %w", err)
		}
		for _, f := range found {
			known[key{f.Org, f.ID}] = true
		}
	}
	if len(b.opened) == 0 {
		return known, nil
	}
	erased, err := b.erased(ctx, q)
	if err != nil {
		return nil, err
	}
	for k, customer := range b.opened {
		known[k] = !erased[key{k.org, customer}]
	}
	return known, nil
}

// forget removes the conversations that are erased here, and makes them unknown.
func (b *batch) forget(ctx context.Context, q *db.Queries, known map[key]bool) error {
	if len(b.gone) == 0 {
		return nil
	}
	var gone db.DeleteConversationsParams
	for _, k := range b.gone {
		delete(known, k)
		gone.Orgs, gone.Ids = append(gone.Orgs, k.org), append(gone.Ids, k.id)
	}
	if err := q.DeleteConversations(ctx, gone); err != nil {
		return fmt.Errorf("remove erased conversations: %w", err)
	}
	return nil
}

// erased gives the customers of conversations that begin here who are erased.
func (b *batch) erased(ctx context.Context, q *db.Queries) (map[key]bool, error) {
	customers := make(map[key]bool, len(b.opened))
	var ask db.ErasedParams
	for k, customer := range b.opened {
		if c := (key{k.org, customer}); !customers[c] {
			customers[c] = true
			ask.Orgs, ask.CustomerIds = append(ask.Orgs, c.org), append(ask.CustomerIds, c.id)
		}
	}
	rows, err := q.Erased(ctx, ask)
	if err != nil {
		return nil, fmt.Errorf("look for erased customers: %w", err)
	}
	erased := make(map[key]bool, len(rows))
	for _, r := range rows {
		erased[key{r.Org, r.CustomerID}] = true
	}
	return erased, nil
}

func (b *batch) write(ctx context.Context, q *db.Queries, known map[key]bool) error {
	entries := make([]db.PutEntriesParams, 0, len(b.events))
	merged := map[key]string{}
	for _, r := range b.events {
		k := key{r.Org, r.Aggregate.ID}
		if !known[k] {
			continue
		}
		if m, ok := r.Event.(events.ConversationMerged); ok {
			merged[k] = m.IntoID
		}
		entry, ok := entryOf(r)
		if !ok {
			continue
		}
		row, err := entryRow(r.Org, entry)
		if err != nil {
			return fmt.Errorf("%s at %d: %w", r.Aggregate, r.Sequence, err)
		}
		entries = append(entries, row)
	}
	if err := b.writeConversations(ctx, q, known, merged); err != nil {
		return err
	}
	if len(entries) == 0 {
		return nil
	}
	if _, err := q.PutEntries(ctx, entries); err != nil {
		return fmt.Errorf("write entries: %w", err)
	}
	return nil
}

func (b *batch) writeConversations(ctx context.Context, q *db.Queries, known map[key]bool, merged map[key]string) error {
	var put []db.PutConversationsParams
	for k, customer := range b.opened {
		if known[k] {
			put = append(put, db.PutConversationsParams{Org: k.org, ID: k.id, CustomerID: customer, MergedInto: merged[k]})
			delete(merged, k)
		}
	}
	if len(put) > 0 {
		if _, err := q.PutConversations(ctx, put); err != nil {
			return fmt.Errorf("write conversations: %w", err)
		}
	}
	if len(merged) == 0 {
		return nil
	}
	var m db.MergeParams
	for k, into := range merged {
		m.Orgs, m.Ids, m.IntoIds = append(m.Orgs, k.org), append(m.Ids, k.id), append(m.IntoIds, into)
	}
	if err := q.Merge(ctx, m); err != nil {
		return fmt.Errorf("merge conversations: %w", err)
	}
	return nil
}

func entryRow(org string, e Entry) (db.PutEntriesParams, error) {
	row := db.PutEntriesParams{
		Org: org, ConversationID: e.ConversationID, Kind: string(e.Kind), EntryID: e.ID,
		Sequence:   int64(e.Sequence), //nolint:gosec // a stream does not reach 2^63
		AuthorType: e.Author.Type, AuthorID: e.Author.ID, Body: e.Text, At: e.At,
	}
	if e.Detail == nil && len(e.Attachments) == 0 {
		return row, nil
	}
	m := more{Attachments: e.Attachments}
	if e.Detail != nil {
		m.Detail = *e.Detail
	}
	detail, err := json.Marshal(m)
	if err != nil {
		return db.PutEntriesParams{}, fmt.Errorf("encode detail: %w", err)
	}
	row.Detail = detail
	return row, nil
}

package eraser

import (
	"context"
	_ "embed" // the schema
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/services/eraser/db"
)

//go:embed schema.sql
var schema string

// The kinds of intent. All intents of an erasure have one key, and go in the order of their causes and then of their
// names: the conversations before the customer, and the customer whose erasure it is after who was merged into them.
const (
	intentConversations = "conversations"
	intentCustomer      = "customer"
)

// together is how many conversations one intent has.
const together = 100

// conversations is the payload of an intent to erase conversations.
type conversations struct {
	IDs []string `json:"ids"`
}

// person is the payload of an intent to purge a customer's own history.
type person struct {
	ID   string `json:"id"`
	Root bool   `json:"root"` // whose erasure it is, and not one who was merged into them
}

// handler writes down whose conversations are, and what is to be erased.
//
// A conversation and its customer are of different partitions, with other writers perhaps in another process, and either
// is heard of first. Every writer holds the lock of the table of the erased to the end of its transaction, weakly for
// conversations and strongly for tombstones; in READ COMMITTED the later of the two then sees the other.
type handler struct{}

var _ projections.Reactor = handler{}

func (handler) Name() string { return Name }

func (handler) Kinds() []events.Kind {
	return []events.Kind{events.KindConversation, events.KindCustomer}
}

func (handler) Schema() string { return schema }

// Reacts lets the engine know of the intents.
func (handler) Reacts() {}

type key struct{ org, id string }

// batch is what a batch says of erasures.
type batch struct {
	opened map[key]events.Recorded // by conversation
	stones map[key]events.Recorded // by customer
}

func (handler) Apply(ctx context.Context, tx pgx.Tx, list []events.Recorded) error {
	b := batch{opened: map[key]events.Recorded{}, stones: map[key]events.Recorded{}}
	for _, r := range list {
		switch r.Event.(type) {
		case events.ConversationOpened:
			b.opened[key{r.Org, r.Aggregate.ID}] = r
		case events.CustomerErased:
			b.stones[key{r.Org, r.Aggregate.ID}] = r
		}
	}
	if len(b.opened)+len(b.stones) == 0 {
		return nil
	}
	q := db.New(tx)
	if err := b.note(ctx, q); err != nil {
		return err
	}
	intents, err := b.take(ctx, q)
	if err != nil {
		return err
	}
	return projections.WriteIntents(ctx, tx, append(intents, b.people()...))
}

// note writes down what is new.
func (b *batch) note(ctx context.Context, q *db.Queries) error {
	lock := q.LockForConversations
	if len(b.stones) > 0 {
		lock = q.LockForTombstones
	}
	if err := lock(ctx); err != nil {
		return fmt.Errorf("order conversations and tombstones: %w", err)
	}
	var c db.NoteConversationsParams
	for k, r := range b.opened {
		c.Orgs, c.CustomerIds, c.ConversationIds = append(c.Orgs, k.org), append(c.CustomerIds, ownerOf(r)), append(c.ConversationIds, k.id)
	}
	if len(c.Orgs) > 0 {
		if err := q.NoteConversations(ctx, c); err != nil {
			return fmt.Errorf("note conversations: %w", err)
		}
	}
	var t db.NoteTombstonesParams
	for k, r := range b.stones {
		t.Orgs, t.CustomerIds, t.RootIds = append(t.Orgs, k.org), append(t.CustomerIds, k.id), append(t.RootIds, rootOf(r))
	}
	if len(t.Orgs) == 0 {
		return nil
	}
	if err := q.NoteTombstones(ctx, t); err != nil {
		return fmt.Errorf("note tombstones: %w", err)
	}
	return nil
}

// take finds the conversations that are to be erased because of this batch, and makes intents of them.
func (b *batch) take(ctx context.Context, q *db.Queries) ([]projections.Intent, error) {
	customers := map[key]bool{}
	for k := range b.stones {
		customers[k] = true
	}
	for k, r := range b.opened {
		customers[key{k.org, ownerOf(r)}] = true
	}
	var p db.TakeParams
	for k := range customers {
		p.Orgs, p.CustomerIds = append(p.Orgs, k.org), append(p.CustomerIds, k.id)
	}
	rows, err := q.Take(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("look for conversations of who is erased: %w", err)
	}
	byErasure := map[key][]db.TakeRow{}
	for _, row := range rows {
		k := key{row.Org, row.RootID}
		byErasure[k] = append(byErasure[k], row)
	}
	var out []projections.Intent
	for k, rows := range byErasure {
		for some := range slices.Chunk(rows, together) {
			out = append(out, b.conversations(k, some))
		}
	}
	return out, nil
}

func (b *batch) conversations(erasure key, rows []db.TakeRow) projections.Intent {
	var what conversations
	var cause events.Recorded
	for _, row := range rows {
		what.IDs = append(what.IDs, row.ConversationID)
		r, ok := b.stones[key{row.Org, row.CustomerID}]
		if !ok {
			r = b.opened[key{row.Org, row.ConversationID}] // the customer was erased before
		}
		if r.Sequence > cause.Sequence {
			cause = r
		}
	}
	payload, _ := json.Marshal(what) //nolint:errchkjson // strings always encode
	return projections.Intent{
		ID:  intentConversations + ":" + command.DeriveID(what.IDs...), // named by all it has, so that no other hides it
		Org: erasure.org, Kind: intentConversations, Key: erasure.id, Cause: cause.Sequence, Depth: cause.Depth + 1, Payload: payload,
	}
}

// people are the intents to purge the customers' own histories.
func (b *batch) people() []projections.Intent {
	out := make([]projections.Intent, 0, len(b.stones))
	for k, r := range b.stones {
		payload, _ := json.Marshal(person{ID: k.id, Root: rootOf(r) == k.id}) //nolint:errchkjson // strings always encode
		out = append(out, projections.Intent{
			ID: intentCustomer + ":" + k.id, Org: k.org, Kind: intentCustomer, Key: rootOf(r),
			Cause: r.Sequence, Depth: r.Depth + 1, Payload: payload,
		})
	}
	return out
}

func ownerOf(r events.Recorded) string {
	opened, _ := r.Event.(events.ConversationOpened)
	return opened.CustomerID
}

// rootOf is whose erasure a tombstone belongs to.
func rootOf(r events.Recorded) string {
	if stone, ok := r.Event.(events.CustomerErased); ok && stone.WithID != "" {
		return stone.WithID
	}
	return r.Aggregate.ID
}

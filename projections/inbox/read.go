package inbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections/inbox/db"
	"github.com/tidemark-desk/tidemark/projections/internal/pgtext"
)

// ErrNotFound says that the org has no such conversation, or not yet, or no longer.
var ErrNotFound = fault.New(fault.NotFound, "conversation_not_found", "there is no such conversation")

// Reader reads the inbox. The pool's search_path has the inbox's schema.
type Reader struct{ pool *pgxpool.Pool }

// NewReader makes a reader.
func NewReader(pool *pgxpool.Pool) *Reader { return &Reader{pool: pool} }

// Page is one page of a list. Next is empty on the last one.
type Page struct {
	Items []Conversation
	Next  string
}

// Get gives one conversation of an org. Errors: ErrNotFound.
func (r *Reader) Get(ctx context.Context, org, id string) (Conversation, error) {
	row, err := db.New(r.pool).Get(ctx, db.GetParams{Org: pgtext.Clean(org), ID: pgtext.Clean(id)})
	if errors.Is(err, pgx.ErrNoRows) {
		return Conversation{}, ErrNotFound
	}
	if err != nil {
		return Conversation{}, fmt.Errorf("read conversation %s: %w", id, err)
	}
	return conversation(row)
}

// List gives a page of an org's conversations. Nobody is told how many there are in all: that would cost a look at each.
//
// A page is where the last one ended, by the sort's key and the id, so a conversation that changes between two pages
// can move behind or before that place, and be seen twice or not at all, while one that does not change is seen once.
//
// Errors: fault Invalid with filter_invalid, sort_invalid, limit_invalid, cursor_invalid, cursor_mismatch.
func (r *Reader) List(ctx context.Context, org string, q Query) (Page, error) {
	l, err := q.list(org)
	if err != nil {
		return Page{}, err
	}
	args := l.args
	if !l.indexed() {
		// Which index is best depends on how many match: plan for these values, not for any.
		args = append([]any{pgx.QueryExecModeCacheDescribe}, args...)
	}
	rows, err := r.pool.Query(ctx, l.sql(), args...)
	if err != nil {
		return Page{}, fmt.Errorf("list conversations: %w", err)
	}
	defer rows.Close()
	items := make([]Conversation, 0, l.limit+1)
	for rows.Next() {
		c, err := scan(rows)
		if err != nil {
			return Page{}, fmt.Errorf("list conversations: %w", err)
		}
		items = append(items, c)
	}
	if err := rows.Err(); err != nil {
		return Page{}, fmt.Errorf("list conversations: %w", err)
	}
	page := Page{Items: items}
	if len(items) > l.limit {
		page.Items = items[:l.limit]
		page.Next = l.cursor(page.Items[l.limit-1])
	}
	return page, nil
}

// columns is what a list shows, in the order of scan. What only the fold and the indexes need stays where it is.
const columns = `org, id, customer_id, channel, channel_id, subject, status, queue_id, assignee_id, priority, tags,
    attributes, merged_into, created_at, updated_at, last_message_at, last_message_from, last_message_preview,
    message_count, note_count, unread_by_desk, unread_by_customer, waiting_since, snoozed_until, sequence`

func scan(rows pgx.Rows) (Conversation, error) {
	var r db.InboxConversation
	err := rows.Scan(
		&r.Org, &r.ID, &r.CustomerID, &r.Channel, &r.ChannelID, &r.Subject, &r.Status, &r.QueueID, &r.AssigneeID,
		&r.Priority, &r.Tags, &r.Attributes, &r.MergedInto, &r.CreatedAt, &r.UpdatedAt, &r.LastMessageAt,
		&r.LastMessageFrom, &r.LastMessagePreview, &r.MessageCount, &r.NoteCount, &r.UnreadByDesk,
		&r.UnreadByCustomer, &r.WaitingSince, &r.SnoozedUntil, &r.Sequence,
	)
	if err != nil {
		return Conversation{}, err
	}
	return conversation(r)
}

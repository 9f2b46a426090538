package timeline

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/internal/keyset"
	"github.com/tidemark-desk/tidemark/projections/internal/pgtext"
	"github.com/tidemark-desk/tidemark/projections/timeline/db"
)

// Reader reads the timeline. The pool's search_path has the timeline's schema.
type Reader struct{ pool *pgxpool.Pool }

// NewReader makes a reader.
func NewReader(pool *pgxpool.Pool) *Reader { return &Reader{pool: pool} }

// Query is which page of entries is asked for.
type Query struct {
	Limit        int    // 1 to 100; 0 is 25
	Cursor       string // Page.Next of the page before, of the same list
	NewestFirst  bool   // for Messages and Entries; ByCustomer always gives the newest first
	IncludeNotes bool   // for Messages and ByCustomer
}

// Page is one page of entries. Next is empty on the last one.
type Page struct {
	Items []Entry
	Next  string
}

// Messages gives the messages of a conversation and of all that were merged into it, in the order of the log, and the
// notes when they are asked for. A conversation that is not there has none. A page costs a look at as many rows as it
// has, for each conversation merged. Errors: fault Invalid with limit_invalid, cursor_invalid, cursor_mismatch.
func (r *Reader) Messages(ctx context.Context, org, conversationID string, q Query) (Page, error) {
	return r.conversation(ctx, "messages", org, conversationID, messageKinds(q), q)
}

// Entries gives everything that was said and done in a conversation, as Messages does.
func (r *Reader) Entries(ctx context.Context, org, conversationID string, q Query) (Page, error) {
	return r.conversation(ctx, "entries", org, conversationID, []string{}, q)
}

// ByCustomer gives the messages, openings and closings of all conversations of a customer, and of all customers who
// were merged into this one, the newest first by their own time: imported ones are where they belong. A page costs a
// look at all entries of the customer. Errors as for Messages.
func (r *Reader) ByCustomer(ctx context.Context, org, customerID string, q Query) (Page, error) {
	const list = "customer"
	limit, err := keyset.Limit(q.Limit)
	if err != nil {
		return Page{}, err
	}
	before := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	sequence := int64(math.MaxInt64)
	if q.Cursor != "" {
		keys, err := keyset.Decode(q.Cursor, list, 2)
		if err != nil {
			return Page{}, err
		}
		us, err := strconv.ParseInt(keys[0], 10, 64)
		if err != nil || us > before.UnixMicro() || us < time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro() {
			return Page{}, keyset.ErrInvalid
		}
		before = time.UnixMicro(us)
		if sequence, err = strconv.ParseInt(keys[1], 10, 64); err != nil {
			return Page{}, keyset.ErrInvalid
		}
	}
	rows, err := db.New(r.pool).ByCustomer(ctx, db.ByCustomerParams{
		Org: pgtext.Clean(org), CustomerID: pgtext.Clean(customerID), BeforeAt: before, Before: sequence,
		Kinds: append(messageKinds(q), string(Opened), string(Closed), string(Reopened)), MaxRows: int32(limit + 1), //nolint:gosec // at most 101
	})
	if err != nil {
		return Page{}, fmt.Errorf("read the timeline of customer %s: %w", customerID, err)
	}
	return page(rows, limit, func(last Entry) string {
		return keyset.Encode(list, strconv.FormatInt(last.At.UnixMicro(), 10), strconv.FormatUint(last.Sequence, 10))
	})
}

func (r *Reader) conversation(ctx context.Context, list, org, id string, kinds []string, q Query) (Page, error) {
	limit, err := keyset.Limit(q.Limit)
	if err != nil {
		return Page{}, err
	}
	if q.NewestFirst {
		list = "-" + list
	}
	var from int64
	if q.NewestFirst {
		from = math.MaxInt64
	}
	if q.Cursor != "" {
		keys, err := keyset.Decode(q.Cursor, list, 1)
		if err != nil {
			return Page{}, err
		}
		if from, err = strconv.ParseInt(keys[0], 10, 64); err != nil {
			return Page{}, keyset.ErrInvalid
		}
	}
	org, id = pgtext.Clean(org), pgtext.Clean(id)
	queries, most := db.New(r.pool), int32(limit+1) //nolint:gosec // at most 101
	var rows []db.TimelineEntry
	if q.NewestFirst {
		rows, err = queries.Newest(ctx, db.NewestParams{Org: org, ID: id, Before: from, Kinds: kinds, MaxRows: most})
	} else {
		rows, err = queries.Oldest(ctx, db.OldestParams{Org: org, ID: id, After: from, Kinds: kinds, MaxRows: most})
	}
	if err != nil {
		return Page{}, fmt.Errorf("read the timeline of conversation %s: %w", id, err)
	}
	return page(rows, limit, func(last Entry) string {
		return keyset.Encode(list, strconv.FormatUint(last.Sequence, 10))
	})
}

func messageKinds(q Query) []string {
	kinds := []string{string(MessageReceived), string(MessageWritten)}
	if q.IncludeNotes {
		kinds = append(kinds, string(NoteAdded))
	}
	return kinds
}

func page(rows []db.TimelineEntry, limit int, cursor func(Entry) string) (Page, error) {
	p := Page{Items: make([]Entry, 0, min(len(rows), limit))}
	for _, row := range rows[:min(len(rows), limit)] {
		e, err := entry(row)
		if err != nil {
			return Page{}, fmt.Errorf("entry %d of %s: %w", row.Sequence, row.ConversationID, err)
		}
		p.Items = append(p.Items, e)
	}
	if len(rows) > limit {
		p.Next = cursor(p.Items[limit-1])
	}
	return p, nil
}

func entry(row db.TimelineEntry) (Entry, error) {
	e := Entry{
		ConversationID: row.ConversationID, Kind: Kind(row.Kind), ID: row.EntryID,
		Sequence: uint64(row.Sequence), //nolint:gosec // written from one
		Author:   events.Actor{Type: row.AuthorType, ID: row.AuthorID}, Text: row.Body, At: row.At.UTC(),
	}
	if row.Detail == nil {
		return e, nil
	}
	var m more
	if err := json.Unmarshal(row.Detail, &m); err != nil {
		return Entry{}, fmt.Errorf("decode detail: %w", err)
	}
	if e.Attachments = m.Attachments; e.Attachments == nil {
		e.Detail = &m.Detail
	}
	return e, nil
}

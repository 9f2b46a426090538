package surveys

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/internal/keyset"
	"github.com/tidemark-desk/tidemark/projections/internal/pgtext"
	"github.com/tidemark-desk/tidemark/projections/surveys/db"
)

// None in a filter asks for surveys of conversations that had nobody, or no queue, when they were closed.
const None = "none"

// listOrder names the order of the list in its cursors.
const listOrder = "surveys -decided_at"

// ListQuery is what a list asks for. Zero fields ask for nothing.
//
// The list reads surveys_by_time from its newest end, or the few rows of a conversation, and filters on the way: what matches
// seldom costs a look at all surveys of the window.
type ListQuery struct {
	Status       string // one of those of Survey; empty: any
	Conversation string // id
	Agent, Queue string // id, or None
	Channel      string // id
	LowestScore  int    // 0: also those without an answer
	HighestScore int    // 0: no bound
	From, To     time.Time
	Limit        int    // 1 to 100; 0 is 25
	Cursor       string // Page.Next of the page before
}

// Survey is one closing that a survey was owed for.
type Survey struct {
	ID, ConversationID          string
	ChannelID, QueueID, AgentID string // when the conversation was closed; empty: none
	Status                      string // waiting, answered, expired, excused
	Asked                       bool   // the visitor was asked, whatever came of it
	Score                       int    // 0 while there is no answer
	Comment                     string
	DecidedAt                   time.Time // when the visitor was asked, or it was decided not to
}

// Page is one page of a list. Next is empty on the last one.
type Page struct {
	Items []Survey
	Next  string
}

// List gives a page of an org's surveys, the newest first. Errors: limit_invalid, cursor_invalid, cursor_mismatch.
func (r *Reader) List(ctx context.Context, org string, q ListQuery) (Page, error) {
	limit, err := keyset.Limit(q.Limit)
	if err != nil {
		return Page{}, err
	}
	var w where
	w.filter(org, q)
	if err := w.from(q.Cursor); err != nil {
		return Page{}, err
	}
	sql := "SELECT org, id, conversation_id, channel_id, queue_id, agent_id, decided_at, asked, status, score, comment, sequence FROM surveys WHERE " +
		strings.Join(w.all, " AND ") + " ORDER BY decided_at DESC, id DESC LIMIT " + strconv.Itoa(limit+1)
	rows, err := r.pool.Query(ctx, sql, append([]any{pgx.QueryExecModeCacheDescribe}, w.args...)...) // planned for these values
	if err != nil {
		return Page{}, fmt.Errorf("list surveys: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[db.Survey])
	if err != nil {
		return Page{}, fmt.Errorf("list surveys: %w", err)
	}
	var page Page
	if len(found) > limit {
		found = found[:limit]
		last := found[limit-1]
		page.Next = keyset.Encode(listOrder, strconv.FormatInt(last.DecidedAt.UnixMicro(), 10), last.ID)
	}
	page.Items = make([]Survey, len(found))
	for n, s := range found {
		page.Items[n] = Survey{
			ID: s.ID, ConversationID: s.ConversationID, ChannelID: s.ChannelID, QueueID: s.QueueID, AgentID: s.AgentID,
			Status: s.Status, Asked: s.Asked, Score: int(s.Score), Comment: s.Comment, DecidedAt: s.DecidedAt.UTC(),
		}
	}
	return page, nil
}

// where is the conditions of a list, and what stands in them.
type where struct {
	all  []string
	args []any
}

func (w *where) add(condition string, value any) {
	w.args = append(w.args, value)
	w.all = append(w.all, strings.Replace(condition, "?", "$"+strconv.Itoa(len(w.args)), 1))
}

// filter is the allow-list of filters.
func (w *where) filter(org string, q ListQuery) {
	w.add("org = ?", pgtext.Clean(org))
	for _, f := range []struct{ condition, value string }{
		{"status = ?", q.Status}, {"conversation_id = ?", q.Conversation}, {"channel_id = ?", q.Channel},
	} {
		if f.value != "" {
			w.add(f.condition, pgtext.Clean(f.value))
		}
	}
	for _, f := range []struct{ condition, value string }{{"agent_id = ?", q.Agent}, {"queue_id = ?", q.Queue}} {
		switch f.value {
		case "":
		case None:
			w.add(f.condition, "")
		default:
			w.add(f.condition, pgtext.Clean(f.value))
		}
	}
	if q.LowestScore > 0 {
		w.add("score >= ?", q.LowestScore)
	}
	if q.HighestScore > 0 {
		w.add("score <= ?", q.HighestScore)
		w.add("status = ?", statusAnswered) // what has no answer has no low score
	}
	if !q.From.IsZero() {
		w.add("decided_at >= ?", q.From)
	}
	if !q.To.IsZero() {
		w.add("decided_at < ?", q.To)
	}
}

// from starts the page behind the cursor's place.
func (w *where) from(cursor string) error {
	if cursor == "" {
		return nil
	}
	keys, err := keyset.Decode(cursor, listOrder, 2)
	if err != nil {
		return err
	}
	us, err := strconv.ParseInt(keys[0], 10, 64)
	at := time.UnixMicro(us).UTC()
	if err != nil || at.Year() < 1 || at.Year() > 9999 || !events.ValidID(keys[1]) {
		return keyset.ErrInvalid
	}
	w.args = append(w.args, at, keys[1])
	n := len(w.args)
	w.all = append(w.all, "(decided_at, id) < ($"+strconv.Itoa(n-1)+"::timestamptz, $"+strconv.Itoa(n)+"::text)")
	return nil
}

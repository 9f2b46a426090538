package inbox

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections/internal/keyset"
	"github.com/tidemark-desk/tidemark/projections/internal/pgtext"
)

// Query is what a list asks for. Zero fields ask for nothing.
//
// How PostgreSQL answers, as TestPlans holds it:
//
//	filters                            sort         index, and what it costs
//	none                               any          inbox_by_<sort>: reads the page's rows, no sort
//	one of queue, assignee, channel    updated_at   inbox_by_<filter>: reads the page's rows, no sort
//	priority                           priority     inbox_by_priority: reads the page's rows, no sort
//	tag, customer, several filters,    any          by the values: few match → the filter's index and a sort of the
//	or one with another sort                        matches; many match → the sort's index and a filter on the way
//
// Status "any" is a merge of three such pages, one for each status. In the last line the worst is a filter that
// matches about one in 60 of 100,000: some 1,600 rows are looked at for a page.
type Query struct {
	Status   string // "open" (default), "snoozed", "closed", "any"
	Queue    string // id, or "none"
	Assignee string // id, or "none"
	Tag      string
	Channel  string
	Customer string // id; conversations of customers who were merged into this one are theirs too
	Priority string
	Sort     string // "updated_at", "created_at", "waiting_since", "priority"; "-" before it reverses; default "-updated_at"
	Limit    int    // 1 to 100; 0 is 25
	Cursor   string // Page.Next of the page before, for the same Sort
}

// The words of a query that are not values.
const (
	Any         = "any"
	None        = "none"
	DefaultSort = "-updated_at"
)

var (
	errFilter = fault.New(fault.Invalid, "filter_invalid", "a filter has a value that it cannot have")
	errSort   = fault.New(fault.Invalid, "sort_invalid", "the list cannot be sorted so").
			WithHint("sort by updated_at, created_at, waiting_since or priority, with - before it for the reverse")
)

// order is one way to sort.
type order struct {
	name string
	expr string // as in the index
	cast string
	key  func(Conversation) string
	arg  func(string) (any, bool)
}

// orders is the allow-list of sorts. Who waits for nothing comes after everybody who waits.
var orders = []order{
	{"updated_at", "updated_at", "timestamptz", func(c Conversation) string { return timeKey(&c.UpdatedAt) }, timeArg},
	{"created_at", "created_at", "timestamptz", func(c Conversation) string { return timeKey(&c.CreatedAt) }, timeArg},
	{
		"waiting_since", "coalesce(waiting_since, 'infinity'::timestamptz)", "timestamptz",
		func(c Conversation) string { return timeKey(c.WaitingSince) }, timeArg,
	},
	{
		"priority", "priority", "smallint",
		func(c Conversation) string { return strconv.Itoa(int(rank(c.Priority))) },
		func(s string) (any, bool) {
			n, err := strconv.ParseInt(s, 10, 16)
			return int16(n), err == nil
		},
	},
}

// list is a query that was understood.
type list struct {
	org       string
	order     order
	desc      bool
	limit     int
	statuses  []string // one scan for each; empty: one scan of all
	where     []string
	args      []any
	filters   []string // names of those that are set
	cursorFor string
}

func (q Query) list(org string) (*list, error) {
	l := &list{org: pgtext.Clean(org)}
	limit, err := keyset.Limit(q.Limit)
	if err != nil {
		return nil, err
	}
	l.limit = limit
	if err := l.sort(q.Sort); err != nil {
		return nil, err
	}
	l.add("org = ?", l.org) // always $1
	if err := l.filter(q); err != nil {
		return nil, err
	}
	return l, l.from(q.Cursor)
}

func (l *list) sort(by string) error {
	if by == "" {
		by = DefaultSort
	}
	name, desc := strings.CutPrefix(by, "-")
	i := slices.IndexFunc(orders, func(o order) bool { return o.name == name })
	if i < 0 {
		return errSort
	}
	l.order, l.desc, l.cursorFor = orders[i], desc, "inbox "+by
	return nil
}

// filter is the allow-list of filters.
func (l *list) filter(q Query) error {
	switch q.Status {
	case "":
		l.statuses = []string{string(events.StatusOpen)}
	case Any:
		if q.Customer == "" {
			l.statuses = []string{string(events.StatusOpen), string(events.StatusSnoozed), string(events.StatusClosed)}
		}
	case string(events.StatusOpen), string(events.StatusSnoozed), string(events.StatusClosed):
		l.statuses = []string{q.Status}
	default:
		return errFilter.WithFields(fault.Field{Location: "query.status", Message: "must be open, snoozed, closed or any"})
	}
	if q.Priority != "" && !slices.Contains(events.Priorities, events.Priority(q.Priority)) {
		return errFilter.WithFields(fault.Field{Location: "query.priority", Message: "must be low, normal, high or urgent"})
	}
	if q.Channel != "" && !slices.Contains(events.Channels, events.Channel(q.Channel)) {
		return errFilter.WithFields(fault.Field{Location: "query.channel", Message: "must be chat, email, sms, x or facebook"})
	}
	l.equal("queue", "queue_id = ?", orNone(q.Queue), q.Queue != "")
	l.equal("assignee", "assignee_id = ?", orNone(q.Assignee), q.Assignee != "")
	l.equal("channel", "channel = ?", q.Channel, q.Channel != "")
	l.equal("priority", "priority = ?", rank(events.Priority(q.Priority)), q.Priority != "")
	l.equal("customer", `customer_id = ANY (ARRAY(
        WITH RECURSIVE people AS (
            SELECT ?::text COLLATE "C" AS id
            UNION SELECT c.customer_id FROM people p JOIN inbox_customers c
                      ON c.org = $1 AND c.into_id = p.id AND c.into_id <> ''
        ) SELECT id FROM people))`, pgtext.Clean(q.Customer), q.Customer != "")
	if q.Tag != "" {
		tag := pgtext.Clean(q.Tag)
		// The hash finds, the tag itself decides.
		l.equal("tag", "tag_keys <> '{}' AND tag_keys @> ARRAY[?::bigint]", tagKey(l.org, tag), true)
		l.add("? = ANY (tags)", tag)
	}
	return nil
}

func (l *list) equal(name, condition string, value any, set bool) {
	if set {
		l.filters = append(l.filters, name)
		l.add(condition, value)
	}
}

func (l *list) add(condition string, value any) {
	l.args = append(l.args, value)
	l.where = append(l.where, strings.Replace(condition, "?", "$"+strconv.Itoa(len(l.args)), 1))
}

// from starts the page behind the cursor's place.
func (l *list) from(token string) error {
	if token == "" {
		return nil
	}
	keys, err := keyset.Decode(token, l.cursorFor, 2)
	if err != nil {
		return err
	}
	value, ok := l.order.arg(keys[0])
	if !ok || !events.ValidID(keys[1]) {
		return keyset.ErrInvalid
	}
	compare := ">"
	if l.desc {
		compare = "<"
	}
	l.args = append(l.args, value, keys[1])
	n := len(l.args)
	l.where = append(l.where, "("+l.order.expr+", id) "+compare+
		" ($"+strconv.Itoa(n-1)+"::"+l.order.cast+", $"+strconv.Itoa(n)+"::text)")
	return nil
}

// cursor is the place of a page's last conversation.
func (l *list) cursor(last Conversation) string {
	return keyset.Encode(l.cursorFor, l.order.key(last), last.ID)
}

// indexed tells whether one index answers the query in order, whatever the values are.
func (l *list) indexed() bool {
	switch len(l.filters) {
	case 0:
		return true
	case 1:
		switch l.filters[0] {
		case "queue", "assignee", "channel":
			return l.order.name == "updated_at"
		case "priority":
			return l.order.name == "priority"
		}
	}
	return false
}

func (l *list) sql() string {
	direction := ""
	if l.desc {
		direction = " DESC"
	}
	// The limit is a number of ours, and part of the text so that the plan knows how little is wanted.
	tail := " ORDER BY " + l.order.expr + direction + ", id" + direction + " LIMIT " + strconv.Itoa(l.limit+1)
	head := "SELECT " + columns + " FROM inbox_conversations WHERE " + strings.Join(l.where, " AND ")
	switch len(l.statuses) {
	case 0:
		return head + tail
	case 1:
		return head + " AND status = '" + l.statuses[0] + "'" + tail
	}
	parts := make([]string, len(l.statuses))
	for i, s := range l.statuses {
		parts[i] = "(" + head + " AND status = '" + s + "'" + tail + ")"
	}
	return "SELECT * FROM (" + strings.Join(parts, " UNION ALL ") + ") merged" + tail
}

func orNone(id string) string {
	if id == None {
		return ""
	}
	return pgtext.Clean(id)
}

const noTime = "inf"

func timeKey(t *time.Time) string {
	if t == nil {
		return noTime
	}
	return strconv.FormatInt(t.UnixMicro(), 10)
}

func timeArg(s string) (any, bool) {
	if s == noTime {
		return pgtype.Timestamptz{InfinityModifier: pgtype.Infinity, Valid: true}, true
	}
	us, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return nil, false
	}
	t := time.UnixMicro(us).UTC()
	return t, t.Year() >= 1 && t.Year() <= 9999
}

package inbox

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections/internal/keyset"
	"github.com/tidemark-desk/tidemark/projections/internal/modeltest"
)

// desk fills an inbox with conversations of all sorts, the same ids in two orgs.
func desk(tb testing.TB, pool *pgxpool.Pool, conversations int) *modeltest.Log {
	tb.Helper()
	log := &modeltest.Log{}
	random := rand.New(rand.NewPCG(1, 2))
	maybe := func(of int) bool { return random.IntN(of) == 0 }
	for i := range conversations {
		org, id := []string{"acme", "globex"}[i%2], fmt.Sprintf("c%05d", i/2)
		log.Conversation(org, id, events.ConversationOpened{
			CustomerID: fmt.Sprintf("u%d", random.IntN(20)), Channel: events.Channels[random.IntN(5)],
		})
		if !maybe(3) {
			log.Conversation(org, id, events.ConversationMessageReceived{MessageID: "m", Text: "hello ✓"})
		}
		if maybe(2) {
			log.Conversation(org, id, events.ConversationQueued{QueueID: fmt.Sprintf("q%d", random.IntN(3))})
		}
		if maybe(2) {
			log.Conversation(org, id, events.ConversationAssigned{AgentID: fmt.Sprintf("a%d", random.IntN(3))})
		}
		if maybe(2) {
			log.Conversation(org, id, events.ConversationPrioritySet{Priority: events.Priorities[random.IntN(4)]})
		}
		if maybe(3) {
			log.Conversation(org, id, events.ConversationTagged{Tag: []string{"vip", "größe, \"x\""}[random.IntN(2)]})
		}
		switch random.IntN(5) {
		case 0:
			log.Conversation(org, id, events.ConversationSnoozed{Until: modeltest.Epoch})
		case 1:
			log.Conversation(org, id, events.ConversationClosed{Reason: "done"})
		}
	}
	log.Customer("acme", "u7", events.CustomerCreated{}, events.CustomerMerged{IntoID: "u8"})
	if err := modeltest.Apply(tb.Context(), pool, Projection{}, log.Events); err != nil {
		tb.Fatal(err)
	}
	return log
}

// matches is the list's meaning, without any SQL.
func (q Query) matches(c Conversation) bool {
	id := func(asked, have string) bool {
		return asked == "" || asked == have || asked == None && have == ""
	}
	customer := c.CustomerID
	if customer == "u7" && c.Org == "acme" && q.Customer == "u8" {
		customer = "u8"
	}
	return (q.Status == Any || cmp.Or(q.Status, "open") == string(c.Status)) &&
		id(q.Queue, c.QueueID) && id(q.Assignee, c.AssigneeID) && id(q.Customer, customer) &&
		(q.Tag == "" || slices.Contains(c.Tags, q.Tag)) &&
		(q.Channel == "" || q.Channel == string(c.Channel)) &&
		(q.Priority == "" || q.Priority == string(c.Priority))
}

// less is the list's order, without any SQL.
func less(sort string) func(a, b Conversation) int {
	name, desc := strings.CutPrefix(cmp.Or(sort, DefaultSort), "-")
	return func(a, b Conversation) int {
		if desc {
			a, b = b, a
		}
		n := 0
		switch name {
		case "updated_at":
			n = a.UpdatedAt.Compare(b.UpdatedAt)
		case "created_at":
			n = a.CreatedAt.Compare(b.CreatedAt)
		case "priority":
			n = cmp.Compare(rank(a.Priority), rank(b.Priority))
		case "waiting_since":
			switch {
			case a.WaitingSince == nil && b.WaitingSince == nil:
			case a.WaitingSince == nil:
				n = 1
			case b.WaitingSince == nil:
				n = -1
			default:
				n = a.WaitingSince.Compare(*b.WaitingSince)
			}
		}
		return cmp.Or(n, cmp.Compare(a.ID, b.ID))
	}
}

var sorts = []string{
	"", "updated_at", "-updated_at", "created_at", "-created_at", "waiting_since", "-waiting_since", "priority", "-priority",
}

func filters() []Query {
	var out []Query
	for _, status := range []string{"", "open", "snoozed", "closed", Any} {
		for _, q := range []Query{
			{},
			{Queue: "q1"},
			{Queue: None},
			{Queue: "nobody's"},
			{Assignee: "a2"},
			{Assignee: None},
			{Tag: "vip"},
			{Tag: "größe, \"x\""},
			{Tag: "\x00"},
			{Channel: "chat"},
			{Customer: "u8"},
			{Customer: "u7"},
			{Customer: "'; --"},
			{Priority: "urgent"},
			{Priority: "normal", Channel: "sms"},
			{Queue: "q0", Assignee: None, Tag: "vip"},
			{Customer: "u3", Channel: "email"},
		} {
			q.Status = status
			out = append(out, q)
		}
	}
	return out
}

// walk reads a whole list, page by page.
func walk(tb testing.TB, r *Reader, org string, q Query, between func()) []Conversation {
	tb.Helper()
	var all []Conversation
	for {
		page, err := r.List(tb.Context(), org, q)
		if err != nil {
			tb.Fatalf("%+v: %v", q, err)
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			return all
		}
		if q.Cursor = page.Next; len(page.Items) != q.Limit {
			tb.Fatalf("%+v: a page of %d that is not the last", q, len(page.Items))
		}
		between()
	}
}

func TestListEveryFilterAndSort(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	states := folded(desk(t, pool, 240).Events)
	reader := NewReader(pool)
	for _, sort := range sorts {
		for _, q := range filters() {
			q.Sort, q.Limit = sort, 7
			var want []Conversation
			for k, s := range states {
				if k.org == "acme" && q.matches(s.Conversation) {
					want = append(want, s.Conversation)
				}
			}
			slices.SortFunc(want, less(sort))
			got := walk(t, reader, "acme", q, func() {})
			if ids(got) != ids(want) {
				t.Errorf("%+v:\ngot  %s\nwant %s", q, ids(got), ids(want))
			}
		}
	}
}

func ids(list []Conversation) string {
	var b strings.Builder
	for _, c := range list {
		b.WriteString(c.Org + "/" + c.ID + " ")
	}
	return b.String()
}

// TestListWhileRowsChange promises what the pages of a moving list can: who does not change is seen once.
func TestListWhileRowsChange(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	log := desk(t, pool, 200)
	reader := NewReader(pool)
	for _, sort := range sorts {
		q := Query{Status: Any, Sort: sort, Limit: 9}
		before := walk(t, reader, "acme", q, func() {})
		changed := map[string]bool{}
		random := rand.New(rand.NewPCG(3, uint64(len(sort))))
		got := walk(t, reader, "acme", q, func() {
			c := before[random.IntN(len(before))]
			changed[c.ID] = true
			first := len(log.Events)
			log.Conversation("acme", c.ID,
				events.ConversationMessageReceived{MessageID: "again", Text: "?"},
				events.ConversationPrioritySet{Priority: events.Priorities[random.IntN(4)]})
			if err := modeltest.Apply(t.Context(), pool, Projection{}, log.Events[first:]); err != nil {
				t.Fatal(err)
			}
		})
		seen := map[string]int{}
		for _, c := range got {
			seen[c.ID]++
		}
		for _, c := range before {
			if !changed[c.ID] && seen[c.ID] != 1 {
				t.Errorf("sort %q: %s did not change and was seen %d times", sort, c.ID, seen[c.ID])
			}
		}
	}
}

func TestListRefuses(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	desk(t, pool, 60)
	reader := NewReader(pool)
	page, err := reader.List(t.Context(), "acme", Query{Limit: 3})
	if err != nil || page.Next == "" {
		t.Fatal(page.Next, err)
	}
	const by = "inbox -updated_at"
	for name, c := range map[string]struct {
		q    Query
		code string
	}{
		"another sort":         {Query{Sort: "created_at", Cursor: page.Next}, "cursor_mismatch"},
		"the reverse":          {Query{Sort: "updated_at", Cursor: page.Next}, "cursor_mismatch"},
		"a damaged cursor":     {Query{Cursor: page.Next[:len(page.Next)-2]}, "cursor_invalid"},
		"a changed cursor":     {Query{Cursor: "A" + page.Next[1:]}, "cursor_invalid"},
		"no cursor at all":     {Query{Cursor: "'; DROP TABLE inbox_conversations"}, "cursor_invalid"},
		"a forged time":        {Query{Cursor: keyset.Encode(by, "yesterday", "c1")}, "cursor_invalid"},
		"a time out of range":  {Query{Cursor: keyset.Encode(by, "9223372036854775807", "c1")}, "cursor_invalid"},
		"a forged id":          {Query{Cursor: keyset.Encode(by, "0", "\x00")}, "cursor_invalid"},
		"too few keys":         {Query{Cursor: keyset.Encode(by, "0")}, "cursor_invalid"},
		"a priority too big":   {Query{Sort: "priority", Cursor: keyset.Encode("inbox priority", "70000", "c1")}, "cursor_invalid"},
		"an unknown sort":      {Query{Sort: "subject"}, "sort_invalid"},
		"a doubled sign":       {Query{Sort: "--updated_at"}, "sort_invalid"},
		"an unknown status":    {Query{Status: "asleep"}, "filter_invalid"},
		"an unknown priority":  {Query{Priority: "highest"}, "filter_invalid"},
		"an unknown channel":   {Query{Channel: "fax"}, "filter_invalid"},
		"a limit too big":      {Query{Limit: 101}, "limit_invalid"},
		"a limit below naught": {Query{Limit: -1}, "limit_invalid"},
	} {
		_, err := reader.List(t.Context(), "acme", c.q)
		if fault.KindOf(err) != fault.Invalid || fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	// A cursor that waits for nothing is a good one where the sort can have it.
	forever := keyset.Encode("inbox waiting_since", noTime, "c00001")
	if _, err := reader.List(t.Context(), "acme", Query{Sort: "waiting_since", Cursor: forever}); err != nil {
		t.Error(err)
	}
}

func TestOrgsAreApart(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	var log modeltest.Log
	log.Conversation("acme", "c", events.ConversationOpened{CustomerID: "u", Subject: "ours"}, events.ConversationTagged{Tag: "t"})
	log.Conversation("globex", "c", events.ConversationOpened{CustomerID: "u", Subject: "theirs"}, events.ConversationTagged{Tag: "t"})
	log.Conversation("globex", "d", events.ConversationOpened{CustomerID: "u"})
	if err := modeltest.Apply(t.Context(), pool, Projection{}, log.Events); err != nil {
		t.Fatal(err)
	}
	reader := NewReader(pool)
	if c, err := reader.Get(t.Context(), "acme", "c"); err != nil || c.Subject != "ours" {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := reader.Get(t.Context(), "acme", "d"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another org's conversation: %v", err)
	}
	for _, q := range []Query{{}, {Tag: "t"}, {Customer: "u"}, {Status: Any}} {
		page, err := reader.List(t.Context(), "acme", q)
		if err != nil || len(page.Items) != 1 || page.Items[0].Subject != "ours" {
			t.Errorf("%+v: %+v, %v", q, page, err)
		}
	}
	// What happens to their customer does not touch ours.
	first := len(log.Events)
	log.Customer("globex", "u", events.CustomerErased{})
	if err := modeltest.Apply(t.Context(), pool, Projection{}, log.Events[first:]); err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Get(t.Context(), "acme", "c"); err != nil {
		t.Error(err)
	}
	if _, err := reader.Get(t.Context(), "globex", "c"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an erased customer's conversation: %v", err)
	}
}

// TestPlans holds what Query's comment says of the plans, on a table that is large enough to matter.
func TestPlans(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	desk(t, pool, 6_000)
	if _, err := pool.Exec(t.Context(), "VACUUM ANALYZE inbox_conversations"); err != nil {
		t.Fatal(err)
	}
	for _, q := range []Query{
		{},
		{Queue: "q1"},
		{Queue: None},
		{Assignee: "a1"},
		{Assignee: None},
		{Channel: "sms"},
		{Sort: "created_at"},
		{Sort: "-created_at"},
		{Sort: "waiting_since"},
		{Sort: "-waiting_since"},
		{Sort: "-priority"},
		{Sort: "-priority", Priority: "high"},
		{Status: "closed"},
	} {
		for _, page := range []string{"first", "next"} {
			for _, status := range []string{q.Status, Any} {
				q := q
				q.Status = status
				if page == "next" {
					p, err := NewReader(pool).List(t.Context(), "acme", q)
					if err != nil {
						t.Fatal(err)
					}
					q.Cursor = p.Next
				}
				l, err := q.list("acme")
				if err != nil {
					t.Fatal(err)
				}
				plan := explain(t, pool, l)
				sorts := strings.Count(plan, "->  Sort")
				if status == Any && sorts == 1 && strings.Count(plan, "Limit") == 4 {
					sorts = 0 // of three pages that were each read in order
				}
				if !l.indexed() || sorts > 0 || strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "Filter") {
					t.Errorf("%+v, %s page, is not read from its index alone:\n%s", q, page, plan)
				}
			}
		}
	}
}

func explain(tb testing.TB, pool *pgxpool.Pool, l *list) string {
	tb.Helper()
	rows, err := pool.Query(tb.Context(), "EXPLAIN (COSTS off) "+l.sql(), l.args...)
	if err != nil {
		tb.Fatal(err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			tb.Fatal(err)
		}
		plan = append(plan, line)
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return strings.Join(plan, "\n")
}

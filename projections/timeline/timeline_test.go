package timeline

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections/internal/keyset"
	"github.com/tidemark-desk/tidemark/projections/internal/modeltest"
	"github.com/tidemark-desk/tidemark/projections/timeline/db"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// folded is what the tables are to say: entries by org, and where each conversation went on.
func folded(stream []events.Recorded) (entries map[string][]Entry, conversations map[key]db.TimelineConversation) {
	entries, conversations = map[string][]Entry{}, map[key]db.TimelineConversation{}
	erased := modeltest.Erased(stream)
	gone := map[key]bool{}
	for _, r := range stream {
		if _, ok := r.Event.(events.ConversationErased); ok {
			gone[key{r.Org, r.Aggregate.ID}] = true
		}
	}
	for _, r := range stream {
		k := key{r.Org, r.Aggregate.ID}
		switch e := r.Event.(type) {
		case events.ConversationOpened:
			if erased(r.Org, e.CustomerID) {
				continue
			}
			conversations[k] = db.TimelineConversation{Org: r.Org, ID: r.Aggregate.ID, CustomerID: e.CustomerID}
		case events.ConversationMerged:
			if c, ok := conversations[k]; ok {
				c.MergedInto = e.IntoID
				conversations[k] = c
			}
		}
		if _, ok := conversations[k]; !ok || r.Kind != events.KindConversation || gone[k] {
			delete(conversations, k)
			continue
		}
		if e, ok := entryOf(r); ok {
			entries[r.Org] = append(entries[r.Org], e)
		}
	}
	return entries, conversations
}

func tables(ctx context.Context, tb rapid.TB, pool *pgxpool.Pool) (map[string][]Entry, map[key]db.TimelineConversation) {
	tb.Helper()
	rows, err := pool.Query(ctx, "SELECT * FROM timeline_entries ORDER BY sequence")
	if err != nil {
		tb.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[db.TimelineEntry])
	if err != nil {
		tb.Fatal(err)
	}
	entries, conversations := map[string][]Entry{}, map[key]db.TimelineConversation{}
	for _, row := range list {
		e, err := entry(row)
		if err != nil {
			tb.Fatal(err)
		}
		entries[row.Org] = append(entries[row.Org], e)
	}
	rows, err = pool.Query(ctx, "SELECT * FROM timeline_conversations")
	if err != nil {
		tb.Fatal(err)
	}
	known, err := pgx.CollectRows(rows, pgx.RowToStructByPos[db.TimelineConversation])
	if err != nil {
		tb.Fatal(err)
	}
	for _, c := range known {
		conversations[key{c.Org, c.ID}] = c
	}
	return entries, conversations
}

func TestRowsEqualAFold(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	rapid.Check(t, func(rt *rapid.T) {
		err := modeltest.Empty(t.Context(), pool, "timeline_entries", "timeline_conversations", "timeline_customers")
		if err != nil {
			rt.Fatal(err)
		}
		stream := modeltest.Draw(rt)
		for _, batch := range modeltest.Batches(rt, stream) {
			if err := modeltest.Apply(t.Context(), pool, Projection{}, batch); err != nil {
				rt.Fatal(err)
			}
		}
		wantEntries, wantConversations := folded(stream)
		gotEntries, gotConversations := tables(t.Context(), rt, pool)
		if !reflect.DeepEqual(gotEntries, wantEntries) {
			rt.Fatalf("entries:\nrows %+v\nfold %+v", gotEntries, wantEntries)
		}
		if !reflect.DeepEqual(gotConversations, wantConversations) {
			rt.Fatalf("conversations:\nrows %+v\nfold %+v", gotConversations, wantConversations)
		}
	})
}

// TestRebuiltFromWhatIsLeft: once an erasure has ended, the tables are those that a replay of the purged log gives.
func TestRebuiltFromWhatIsLeft(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	tables := []string{"timeline_entries", "timeline_conversations", "timeline_customers"}
	rapid.Check(t, func(rt *rapid.T) {
		whole, left := modeltest.Erase(modeltest.Draw(rt))
		var dumps [2][]string
		for i, stream := range [][]events.Recorded{whole, left} {
			if err := modeltest.Empty(t.Context(), pool, tables...); err != nil {
				rt.Fatal(err)
			}
			for _, batch := range modeltest.Batches(rt, stream) {
				if err := modeltest.Apply(t.Context(), pool, Projection{}, batch); err != nil {
					rt.Fatal(err)
				}
			}
			var err error
			if dumps[i], err = modeltest.Dump(t.Context(), pool, tables...); err != nil {
				rt.Fatal(err)
			}
		}
		if !slices.Equal(dumps[0], dumps[1]) {
			rt.Fatalf("live    %q\nrebuilt %q", dumps[0], dumps[1])
		}
	})
}

// walk reads a whole list in pages of three.
func walk(tb testing.TB, q Query, read func(Query) (Page, error)) []string {
	tb.Helper()
	var out []string
	q.Limit = 3
	for {
		page, err := read(q)
		if err != nil {
			tb.Fatal(err)
		}
		for _, e := range page.Items {
			out = append(out, cmp.Or(e.Text, string(e.Kind)))
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return out
		}
	}
}

func received(text string) events.Event {
	return events.ConversationMessageReceived{MessageID: text, CustomerID: "u", Text: text}
}

func written(text string) events.Event {
	return events.ConversationMessageWritten{MessageID: text, Author: events.Actor{Type: events.ActorAgent, ID: "ann"}, Text: text}
}

func note(text string) events.Event {
	return events.ConversationNoteAdded{NoteID: text, Author: events.Actor{Type: events.ActorAgent, ID: "ann"}, Text: text}
}

func opened(customer string) events.Event {
	return events.ConversationOpened{CustomerID: customer, Channel: events.ChannelChat}
}

// story is two conversations of one customer that become one, one of a customer who became the same, one of a stranger,
// and the same ids in another org.
func story(tb testing.TB, pool *pgxpool.Pool) *modeltest.Log {
	tb.Helper()
	log := &modeltest.Log{}
	log.Conversation("acme", "a", opened("u"), received("a1"), note("a2"), written("a3"), received("a4"))
	log.Conversation("acme", "b", opened("u"), received("b1"))
	log.Conversation("acme", "a", received("a5"))
	log.Conversation("acme", "b", events.ConversationMerged{IntoID: "a"})
	log.Conversation("acme", "a", events.ConversationAbsorbed{FromID: "b"}, received("a6"))
	log.Conversation("acme", "c", opened("v"), received("c1"))
	log.Conversation("acme", "d", opened("w"), received("d1"))
	log.Conversation("globex", "a", opened("u"), received("theirs"))
	log.Customer("acme", "v", events.CustomerCreated{}, events.CustomerMerged{IntoID: "u"})
	if err := modeltest.Apply(tb.Context(), pool, Projection{}, log.Events); err != nil {
		tb.Fatal(err)
	}
	return log
}

func TestReader(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	story(t, pool)
	reader := NewReader(pool)
	ctx := t.Context()
	reversed := func(list []string) []string { list = slices.Clone(list); slices.Reverse(list); return list }
	messages := []string{"a1", "a3", "a4", "b1", "a5", "a6"}
	everything := []string{"opened", "a1", "a2", "a3", "a4", "opened", "b1", "a5", "merged", "absorbed", "a6"}
	for name, c := range map[string]struct {
		got, want []string
	}{
		"messages, with the absorbed": {walk(t, Query{}, func(q Query) (Page, error) { return reader.Messages(ctx, "acme", "a", q) }), messages},
		"newest first": {
			walk(t, Query{NewestFirst: true}, func(q Query) (Page, error) { return reader.Messages(ctx, "acme", "a", q) }), reversed(messages),
		},
		"with notes": {
			walk(t, Query{IncludeNotes: true}, func(q Query) (Page, error) { return reader.Messages(ctx, "acme", "a", q) }),
			slices.Insert(slices.Clone(messages), 1, "a2"),
		},
		"everything": {walk(t, Query{}, func(q Query) (Page, error) { return reader.Entries(ctx, "acme", "a", q) }), everything},
		"everything, newest first": {
			walk(t, Query{NewestFirst: true}, func(q Query) (Page, error) { return reader.Entries(ctx, "acme", "a", q) }), reversed(everything),
		},
		"the absorbed one alone": {walk(t, Query{}, func(q Query) (Page, error) { return reader.Messages(ctx, "acme", "b", q) }), []string{"b1"}},
		"another org's":          {walk(t, Query{}, func(q Query) (Page, error) { return reader.Messages(ctx, "globex", "a", q) }), []string{"theirs"}},
		"nobody's":               {walk(t, Query{}, func(q Query) (Page, error) { return reader.Messages(ctx, "acme", "x\x00", q) }), nil},
		"a customer's, with the merged": {
			walk(t, Query{}, func(q Query) (Page, error) { return reader.ByCustomer(ctx, "acme", "u", q) }),
			[]string{"c1", "opened", "a6", "a5", "b1", "opened", "a4", "a3", "a1", "opened"},
		},
		"a stranger's":          {walk(t, Query{}, func(q Query) (Page, error) { return reader.ByCustomer(ctx, "acme", "w", q) }), []string{"d1", "opened"}},
		"a customer's, abroad":  {walk(t, Query{}, func(q Query) (Page, error) { return reader.ByCustomer(ctx, "globex", "u", q) }), []string{"theirs", "opened"}},
		"a customer's, unknown": {walk(t, Query{}, func(q Query) (Page, error) { return reader.ByCustomer(ctx, "acme", "\x00", q) }), nil},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
}

// TestByCustomerFollowsTime has messages with times of their own, as an import brings them.
func TestByCustomerFollowsTime(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	var log modeltest.Log
	for i := range 10 {
		log.Conversation("acme", fmt.Sprintf("c%d", i), opened("u"), received(fmt.Sprintf("m%d", i)))
	}
	for i := range log.Events {
		log.Events[i].Time = modeltest.Epoch.AddDate(0, 0, -i/4) // later in the log, earlier in time; some at the same
	}
	if err := modeltest.Apply(t.Context(), pool, Projection{}, log.Events); err != nil {
		t.Fatal(err)
	}
	got := walk(t, Query{}, func(q Query) (Page, error) { return NewReader(pool).ByCustomer(t.Context(), "acme", "u", q) })
	want := "m1 opened m0 opened m3 opened m2 opened m5 opened m4 opened m7 opened m6 opened m9 opened m8 opened"
	if strings.Join(got, " ") != want {
		t.Errorf("%s\nwant %s", strings.Join(got, " "), want)
	}
}

func TestErasureTakesWhatWasMerged(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	log := story(t, pool)
	apply := func(what func()) {
		first := len(log.Events)
		what()
		if err := modeltest.Apply(t.Context(), pool, Projection{}, log.Events[first:]); err != nil {
			t.Fatal(err)
		}
	}
	apply(func() { log.Customer("acme", "u", events.CustomerErased{Reason: "asked"}) })
	apply(func() { log.Conversation("acme", "a", received("late")) })
	apply(func() { log.Conversation("acme", "late", opened("v"), received("late")) })
	entries, conversations := tables(t.Context(), t, pool)
	var left []string
	for _, list := range entries {
		for _, e := range list {
			left = append(left, e.Text)
		}
	}
	slices.Sort(left)
	if want := []string{"", "", "d1", "theirs"}; !slices.Equal(left, want) || len(conversations) != 2 {
		t.Errorf("left: %q in %d conversations, want %q in 2", left, len(conversations), want)
	}
}

// TestErasureWaitsForWriters has the eraser meet a writer of another partition who has not committed yet.
func TestErasureWaitsForWriters(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	var opening, erasing modeltest.Log
	opening.Conversation("acme", "c", opened("u"), received("secret"))
	erasing.Customer("acme", "u", events.CustomerErased{Reason: "asked"})
	writer, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := (Projection{}).Apply(t.Context(), writer, opening.Events); err != nil {
		t.Fatal(err)
	}
	erased := make(chan error, 1)
	go func() { erased <- modeltest.Apply(t.Context(), pool, Projection{}, erasing.Events) }()
	for waiting := false; !waiting; {
		err := pool.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'timeline_customers'::regclass)").Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-erased; err != nil {
		t.Fatal(err)
	}
	if entries, conversations := tables(t.Context(), t, pool); len(entries)+len(conversations) != 0 {
		t.Errorf("left: %v %v", entries, conversations)
	}
}

func TestReaderRefuses(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	story(t, pool)
	reader := NewReader(pool)
	page, err := reader.Messages(t.Context(), "acme", "a", Query{Limit: 1})
	if err != nil || page.Next == "" {
		t.Fatal(page, err)
	}
	for name, c := range map[string]struct {
		read func(ctx context.Context, org, id string, q Query) (Page, error)
		q    Query
		code string
	}{
		"another list's cursor":  {reader.Entries, Query{Cursor: page.Next}, "cursor_mismatch"},
		"the reverse":            {reader.Messages, Query{Cursor: page.Next, NewestFirst: true}, "cursor_mismatch"},
		"a customer's":           {reader.ByCustomer, Query{Cursor: page.Next}, "cursor_mismatch"},
		"a damaged cursor":       {reader.Messages, Query{Cursor: page.Next[1:]}, "cursor_invalid"},
		"a forged place":         {reader.Messages, Query{Cursor: keyset.Encode("messages", "first")}, "cursor_invalid"},
		"a forged time":          {reader.ByCustomer, Query{Cursor: keyset.Encode("customer", "9223372036854775807", "1")}, "cursor_invalid"},
		"a forged customer page": {reader.ByCustomer, Query{Cursor: keyset.Encode("customer", "1", "x")}, "cursor_invalid"},
		"a limit too big":        {reader.Messages, Query{Limit: 101}, "limit_invalid"},
		"a customer's limit":     {reader.ByCustomer, Query{Limit: -1}, "limit_invalid"},
	} {
		_, err := c.read(t.Context(), "acme", "a", c.q)
		if fault.KindOf(err) != fault.Invalid || fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

func TestUnknownEventIsRefused(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	var log modeltest.Log
	log.Conversation("acme", "c", events.Unknown{Type: "conversation.exploded.v9", Reason: "new"})
	if err := modeltest.Apply(t.Context(), pool, Projection{}, log.Events); err == nil {
		t.Error("an unknown event was passed over")
	}
}

// Attachments come back as they were, with the conversation in whose folder they are, also out of one that was merged.
func TestAttachments(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	photo := events.Attachment{ID: strings.Repeat("0a", 32), Name: "phot\x00.png", Type: "image/png", Size: 7, Width: 4, Height: 3}
	invoice := events.Attachment{ID: strings.Repeat("0b", 32), Name: "invoice.pdf", Type: "application/pdf", Size: 9}
	var stream []events.Recorded
	add := func(id string, e events.Event) {
		stream = append(stream, events.Recorded{
			Aggregate: events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: id}, Event: e, Sequence: uint64(len(stream) + 1),
		})
	}
	add("a", events.ConversationOpened{CustomerID: "ann"})
	add("b", events.ConversationOpened{CustomerID: "ann"})
	add("a", events.ConversationMessageReceived{MessageID: "m1", CustomerID: "ann", Attachments: []events.Attachment{photo, invoice}})
	add("a", events.ConversationNoteAdded{NoteID: "n1", Attachments: []events.Attachment{invoice}})
	add("a", events.ConversationMerged{IntoID: "b"})
	add("b", events.ConversationMessageWritten{MessageID: "m2", Text: "thanks"})
	if err := modeltest.Apply(t.Context(), pool, Projection{}, stream); err != nil {
		t.Fatal(err)
	}
	page, err := NewReader(pool).Messages(t.Context(), "acme", "b", Query{})
	if err != nil || len(page.Items) != 2 {
		t.Fatalf("%+v %v", page, err)
	}
	photo.Name = "phot\ufffd.png" // what PostgreSQL takes of it
	first := page.Items[0]
	if first.ConversationID != "a" || first.Detail != nil || !slices.Equal(first.Attachments, []events.Attachment{photo, invoice}) {
		t.Errorf("%+v", first)
	}
	if page.Items[1].Attachments != nil {
		t.Errorf("%+v", page.Items[1])
	}
	notes, err := NewReader(pool).Notes(t.Context(), "acme", "b", Query{})
	if err != nil || len(notes.Items) != 1 || notes.Items[0].ConversationID != "a" || !slices.Equal(notes.Items[0].Attachments, []events.Attachment{invoice}) {
		t.Errorf("%+v %v", notes, err)
	}
}

package inbox

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections/inbox/db"
	"github.com/tidemark-desk/tidemark/projections/internal/modeltest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// folded is what the rows are to be: a plain fold of the whole stream.
func folded(stream []events.Recorded) map[key]*state {
	states := map[key]*state{}
	for _, r := range stream {
		if r.Kind != events.KindConversation {
			continue
		}
		k := key{r.Org, r.Aggregate.ID}
		if states[k] == nil {
			states[k] = &state{}
		}
		states[k].fold(r)
	}
	erased := modeltest.Erased(stream)
	for k, s := range states {
		if erased(k.org, s.CustomerID) || s.erased {
			delete(states, k)
		}
	}
	return states
}

func rowsOf(ctx context.Context, tb rapid.TB, pool *pgxpool.Pool) map[key]db.PutParams {
	tb.Helper()
	rows, err := pool.Query(ctx, "SELECT * FROM inbox_conversations")
	if err != nil {
		tb.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[db.InboxConversation])
	if err != nil {
		tb.Fatal(err)
	}
	out := map[key]db.PutParams{}
	for _, row := range list {
		s, err := stateOf(row)
		if err != nil {
			tb.Fatal(err)
		}
		if out[key{row.Org, row.ID}], err = s.row(); err != nil {
			tb.Fatal(err)
		}
	}
	return out
}

func TestRowsEqualAFold(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	rapid.Check(t, func(rt *rapid.T) {
		if err := modeltest.Empty(t.Context(), pool, "inbox_conversations", "inbox_customers"); err != nil {
			rt.Fatal(err)
		}
		stream := modeltest.Draw(rt)
		for _, batch := range modeltest.Batches(rt, stream) {
			if err := modeltest.Apply(t.Context(), pool, Projection{}, batch); err != nil {
				rt.Fatal(err)
			}
		}
		got, want := rowsOf(t.Context(), rt, pool), folded(stream)
		if len(got) != len(want) {
			rt.Fatalf("%d rows, the fold has %d", len(got), len(want))
		}
		for k, s := range want {
			row, err := s.row()
			if err != nil {
				rt.Fatal(err)
			}
			if !reflect.DeepEqual(got[k], row) {
				rt.Fatalf("%v:\nrow  %+v\nfold %+v", k, got[k], row)
			}
		}
	})
}

// TestRebuiltFromWhatIsLeft: once an erasure has ended, the tables are those that a replay of the purged log gives.
func TestRebuiltFromWhatIsLeft(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	tables := []string{"inbox_conversations", "inbox_customers"}
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

func TestFold(t *testing.T) {
	t.Parallel()
	customer := func(id string) events.Event { return events.ConversationMessageReceived{MessageID: id, Text: id} }
	desk := func(id, actor string) events.Event {
		return events.ConversationMessageWritten{MessageID: id, Author: events.Actor{Type: actor}, Text: id}
	}
	read := func(id, actor string) events.Event {
		return events.ConversationReadUpTo{MessageID: id, Reader: events.Actor{Type: actor}}
	}
	opened := events.ConversationOpened{CustomerID: "u", Channel: events.ChannelChat}
	at := func(n int) *time.Time {
		t := modeltest.Epoch.Add(time.Duration(n) * time.Second).Truncate(time.Microsecond)
		return &t
	}
	for _, c := range []struct {
		name  string
		given []events.Event
		want  func(*Conversation)
	}{
		{"a customer waits from the first message on", []events.Event{opened, customer("1"), customer("2")}, func(c *Conversation) {
			c.MessageCount, c.UnreadByDesk, c.WaitingSince, c.LastMessageAt = 2, 2, at(2), at(3)
			c.LastMessageFrom, c.LastMessagePreview = "customer", "2"
		}},
		{"an automation's answer does not end the wait", []events.Event{opened, customer("1"), desk("2", events.ActorWorkflow)}, func(c *Conversation) {
			c.MessageCount, c.UnreadByDesk, c.UnreadByCustomer, c.WaitingSince, c.LastMessageAt = 2, 1, 1, at(2), at(3)
			c.LastMessageFrom, c.LastMessagePreview = "workflow", "2"
		}},
		{"an agent's answer does", []events.Event{opened, customer("1"), desk("2", events.ActorAgent)}, func(c *Conversation) {
			c.MessageCount, c.UnreadByCustomer, c.LastMessageAt = 2, 1, at(3)
			c.LastMessageFrom, c.LastMessagePreview = "agent", "2"
		}},
		{"a read mark leaves what came after it", []events.Event{opened, customer("1"), customer("2"), customer("3"), read("2", events.ActorAgent)}, func(c *Conversation) {
			c.MessageCount, c.UnreadByDesk, c.WaitingSince, c.LastMessageAt, c.UpdatedAt = 3, 1, at(2), at(4), *at(4)
			c.LastMessageFrom, c.LastMessagePreview = "customer", "3"
		}},
		{"a read mark does not go back", []events.Event{opened, customer("1"), customer("2"), read("2", events.ActorAgent), read("1", events.ActorAgent)}, func(c *Conversation) {
			c.MessageCount, c.WaitingSince, c.LastMessageAt, c.UpdatedAt = 2, at(2), at(3), *at(3)
			c.LastMessageFrom, c.LastMessagePreview = "customer", "2"
		}},
		{"a survey moves nothing", []events.Event{
			opened,
			customer("1"),
			events.ConversationClosed{Reason: "solved"},
			events.ConversationSurveyRequested{SurveyID: "s1", Closing: 1},
			events.ConversationSurveyAnswered{SurveyID: "s1", Score: 5},
			events.ConversationSurveyExpired{SurveyID: "s2"},
			events.ConversationSurveyExcused{SurveyID: "s3", Closing: 3},
		}, func(c *Conversation) {
			c.Status, c.MessageCount, c.UnreadByDesk, c.LastMessageAt, c.UpdatedAt = events.StatusClosed, 1, 1, at(2), *at(3)
			c.LastMessageFrom, c.LastMessagePreview = "customer", "1"
		}},
		{"a merged one is closed, and nobody waits in it", []events.Event{opened, customer("1"), events.ConversationMerged{IntoID: "other"}}, func(c *Conversation) {
			c.Status, c.MergedInto, c.MessageCount, c.UnreadByDesk, c.LastMessageAt = events.StatusClosed, "other", 1, 1, at(2)
			c.LastMessageFrom, c.LastMessagePreview = "customer", "1"
		}},
		{"tags are sorted and once", []events.Event{
			opened,
			events.ConversationTagged{Tag: "b"},
			events.ConversationTagged{Tag: "a"},
			events.ConversationTagged{Tag: "b"},
			events.ConversationTagged{Tag: "c"},
			events.ConversationUntagged{Tag: "c"},
		}, func(c *Conversation) { c.Tags = []string{"a", "b"} }},
		{"a snooze ends", []events.Event{opened, events.ConversationSnoozed{Until: time.Now()}, events.ConversationWoke{}}, func(*Conversation) {}},
		{"null removes an attribute", []events.Event{
			opened,
			events.ConversationAttributesSet{Attributes: map[string]any{"a": 1.0, "b": "x"}},
			events.ConversationAttributesSet{Attributes: map[string]any{"a": nil}},
		}, func(c *Conversation) { c.Attributes = map[string]any{"b": "x"} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var log modeltest.Log
			log.Conversation("acme", "c", c.given...)
			var s state
			for _, r := range log.Events {
				s.fold(r)
				s.fold(r) // twice is once
			}
			want := Conversation{
				Org: "acme", ID: "c", CustomerID: "u", Channel: events.ChannelChat, Status: events.StatusOpen,
				Priority: events.PriorityNormal, Tags: []string{}, Attributes: map[string]any{},
				CreatedAt: *at(1), UpdatedAt: *at(len(c.given)), Sequence: uint64(len(c.given)),
			}
			c.want(&want)
			if !reflect.DeepEqual(s.Conversation, want) {
				t.Errorf("got  %+v\nwant %+v", s.Conversation, want)
			}
		})
	}
}

func TestPreview(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                            "",
		"  two\n\nlines ":             "two lines",
		strings.Repeat("é", 500):      strings.Repeat("é", PreviewLength),
		strings.Repeat("👩", 100_000):  strings.Repeat("👩", PreviewLength),
		"bad \xff and \x00":           "bad \uFFFD and \uFFFD",
		strings.Repeat("ab ", 10_000): strings.Repeat("ab ", 67)[:PreviewLength],
	} {
		if got := preview(in); got != want || utf8.RuneCountInString(got) > PreviewLength {
			t.Errorf("preview(%.20q…) = %q, want %q", in, got, want)
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

// TestErasureWaitsForWriters has the eraser meet a writer of another partition who has not committed yet.
func TestErasureWaitsForWriters(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	var opening, erasing modeltest.Log
	opening.Conversation("acme", "c", events.ConversationOpened{CustomerID: "u", Channel: events.ChannelChat})
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
		err := pool.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'inbox_customers'::regclass)").Scan(&waiting)
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
	if rows := rowsOf(t.Context(), t, pool); len(rows) != 0 {
		t.Errorf("the erased customer's conversation is still there: %v", rows)
	}

	// What the conversation's partition brings later adds nothing.
	opening.Conversation("acme", "c", events.ConversationMessageReceived{MessageID: "m", Text: "secret"})
	if err := modeltest.Apply(t.Context(), pool, Projection{}, opening.Events[1:]); err != nil {
		t.Fatal(err)
	}
	if rows := rowsOf(t.Context(), t, pool); len(rows) != 0 {
		t.Errorf("a later event brought it back: %v", rows)
	}
}

func ExampleQuery() {
	l, err := Query{Assignee: None, Tag: "vip", Sort: "-waiting_since"}.list("acme")
	fmt.Println(l.filters, l.desc, err)
	// Output: [assignee tag] true <nil>
}

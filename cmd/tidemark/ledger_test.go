package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/postgres"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/customers"
	"github.com/tidemark-desk/tidemark/projections/inbox"
	"github.com/tidemark-desk/tidemark/projections/ledger"
	"github.com/tidemark-desk/tidemark/projections/migrations"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/bleve"
	"github.com/tidemark-desk/tidemark/projections/timeline"
	"github.com/tidemark-desk/tidemark/services/api"
	"github.com/tidemark-desk/tidemark/services/searchindexer"
)

// ledgerBench is the real log, the real read models and the real index, without a server around them.
type ledgerBench struct {
	t     *testing.T
	log   *eventlog.Log
	reads *pgxpool.Pool
	index *lossyIndex
	*ledger.Ledger
	last map[events.Aggregate][2]uint64 // sequence and revision
}

// lossyIndex is an index in which documents can be lost behind everybody's back.
type lossyIndex struct {
	search.Engine
	mu   sync.Mutex
	lost map[string]bool
}

func (l *lossyIndex) Document(ctx context.Context, org, id string) (*search.Document, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost[org+"/"+id] {
		return nil, nil //nolint:nilnil // as the engine says that it has none
	}
	return l.Engine.Document(ctx, org, id)
}

func (l *lossyIndex) lose(org, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost[org+"/"+id] = true
}

// newLedgerBench runs those of the models that are named.
func newLedgerBench(t *testing.T, models ...string) *ledgerBench {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: needs PostgreSQL")
	}
	b := &ledgerBench{t: t, log: testkit.Log(t), last: map[events.Aggregate][2]uint64{}}
	url := testkit.Postgres(t)
	if err := postgres.Migrate(t.Context(), url, migrations.Files); err != nil {
		t.Fatal(err)
	}
	connect := func(path string) *pgxpool.Pool {
		pool, err := postgres.Connect(t.Context(), url, postgres.Options{SearchPath: path})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		return pool
	}
	b.reads = connect(readSchemas)
	writes := connect("")
	for _, name := range models {
		switch name {
		case "search":
			b.runIndex()
		default:
			h := map[string]projections.Handler{"inbox": inbox.Projection{}, "timeline": timeline.Projection{}, "customers": customers.Projection{}}[name]
			b.run(projections.NewRunner(projections.RunnerConfig{
				Name: name, Kinds: h.Kinds(), Log: b.log, Sink: projections.NewPostgresSink(writes, h, b.log),
				Limits: projections.Limits{Attempts: 1},
			}).Run)
		}
	}
	b.Ledger = api.NewLedger(b.log, b.reads, projections.NewFreshness(b.reads, b.log), &search.Client{Conn: b.log.Conn()}, time.Minute)
	return b
}

func (b *ledgerBench) runIndex() {
	engine, err := bleve.OpenIndexes(b.t.Context(), bleve.Config{
		Dir: filepath.Join(b.t.TempDir(), "search"), Incarnation: b.log.Incarnation(), Partitions: b.log.Partitions(),
	}, b.log, slog.New(slog.DiscardHandler))
	if err != nil {
		b.t.Fatal(err)
	}
	b.index = &lossyIndex{Engine: engine, lost: map[string]bool{}}
	b.run(searchindexer.New(searchindexer.Deps{
		Log: b.log, Conn: b.log.Conn(), Logger: slog.New(slog.DiscardHandler), Limits: projections.Limits{Attempts: 1},
		Open: func(context.Context) (search.Engine, error) { return b.index, nil },
	}).Run)
}

// run runs a part until the test ends.
func (b *ledgerBench) run(part func(ctx context.Context) error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.t.Context()))
	done := make(chan error, 1)
	go func() { done <- part(ctx) }()
	b.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Error(err)
		}
	})
}

// write appends events to an aggregate of an org.
func (b *ledgerBench) write(org string, kind events.Kind, id string, list ...events.Event) {
	b.t.Helper()
	a := events.Aggregate{Org: org, Kind: kind, ID: id}
	last := b.last[a]
	drafts := make([]events.Draft, len(list))
	for i, e := range list {
		last[1]++
		drafts[i] = events.Draft{Metadata: events.Metadata{
			ID: events.NewID(), Command: events.NewID(), Time: time.Now(), Revision: last[1], Actor: events.Actor{Type: events.ActorSystem},
		}, Event: e}
	}
	ends, err := b.log.Append(b.t.Context(), eventlog.Write{Aggregate: a, Expected: last[0], Drafts: drafts})
	if err != nil {
		b.t.Fatal(err)
	}
	last[0] = ends[0]
	b.last[a] = last
	if err := b.log.Wait(b.t.Context(), ends[0]-1); err != nil {
		b.t.Fatal(err)
	}
}

func (b *ledgerBench) conversation(org, id string, list ...events.Event) {
	b.t.Helper()
	b.write(org, events.KindConversation, id, list...)
}

// account draws up the account of an org, and checks that it adds up.
func (b *ledgerBench) account(q ledger.Question) ledger.Report {
	b.t.Helper()
	r, err := b.Account(b.t.Context(), q)
	if err != nil {
		b.t.Fatal(err)
	}
	if c := r.Customers; c != nil && c.Compared && c.Shown+c.Missing+c.Excused != c.Accepted {
		b.t.Errorf("of the customers: %+v", *c)
	}
	for _, row := range r.Rows {
		for name, s := range row.Sides {
			if sum := s.Shown.Messages + s.Missing.Messages + row.Excused.Messages; sum != row.Accepted.Messages {
				b.t.Errorf("%s of %s: %d messages in all, %d were accepted", name, row.Channel, sum, row.Accepted.Messages)
			}
			if sum := s.Shown.Conversations + s.Missing.Conversations + row.Excused.Conversations; sum != row.Accepted.Conversations {
				b.t.Errorf("%s of %s: %d conversations in all, %d were accepted", name, row.Channel, sum, row.Accepted.Conversations)
			}
		}
	}
	return r
}

// holes expects exactly these: "model conversation words of the problem".
func holes(t *testing.T, r ledger.Report, want ...string) {
	t.Helper()
	if len(r.Behind) > 0 {
		t.Fatalf("behind: %+v", r.Behind)
	}
	got := r.Holes
	if r.Total != uint64(len(want)) || len(got) != len(want) {
		t.Fatalf("holes %+v, want %q", got, want)
	}
	for i, w := range want {
		if line := got[i].Model + " " + got[i].ConversationID + got[i].CustomerID + " " + got[i].Problem; !strings.HasPrefix(line, w) {
			t.Errorf("hole %q, want %q", line, w)
		}
	}
}

func ledgerOpened(channel events.Channel, customer string) events.Event {
	return events.ConversationOpened{CustomerID: customer, Channel: channel}
}

func said(id string) events.Event {
	return events.ConversationMessageReceived{MessageID: id, Text: "text " + id}
}

func answered(id string) events.Event {
	return events.ConversationMessageWritten{MessageID: id, Author: events.Actor{Type: events.ActorAgent, ID: "ann"}, Text: "text " + id}
}

// exploded is an event that no version knows.
type exploded struct{}

func (exploded) EventType() string { return "conversation.exploded.v9" }

func TestLedgerNamesEveryHole(t *testing.T) {
	t.Parallel()
	b := newLedgerBench(t, "inbox", "timeline", "customers", "search")
	all := func(org string) ledger.Question { return ledger.Question{Org: org} }
	desk := func(org string) { // three conversations on two channels
		b.conversation(org, "one", ledgerOpened(events.ChannelChat, "u"), said("1"), answered("2"), events.ConversationNoteAdded{NoteID: "n", Text: "note"})
		b.conversation(org, "two", ledgerOpened(events.ChannelChat, "v"), said("1"), events.ConversationTagged{Tag: "vip"})
		b.conversation(org, "three", ledgerOpened(events.ChannelEmail, "u"), said("1"), said("2"), events.ConversationMerged{IntoID: "one"})
		b.conversation(org, "one", events.ConversationAbsorbed{FromID: "three"}, said("3"))
	}
	exec := func(sql string) {
		t.Helper()
		tag, err := b.reads.Exec(t.Context(), sql)
		if err != nil || tag.RowsAffected() == 0 {
			t.Fatalf("%s: %v, %v", sql, tag, err)
		}
	}

	desk("equal")
	r := b.account(all("equal"))
	holes(t, r)
	if len(r.Rows) != 2 || r.Rows[0].Accepted != (ledger.Tally{Conversations: 2, Messages: 4, Notes: 1}) || r.Rows[1].Accepted != (ledger.Tally{Conversations: 1, Messages: 2}) {
		t.Fatalf("%+v", r.Rows)
	}
	for _, model := range []string{"inbox", "timeline", "search"} {
		if got := r.Rows[0].Sides[model].Shown; got != r.Rows[0].Accepted {
			t.Errorf("%s shows %+v", model, got)
		}
	}
	if r := b.account(ledger.Question{Org: "equal", Channel: events.ChannelEmail, Models: []string{"timeline"}}); len(r.Rows) != 1 || len(r.Rows[0].Sides) != 1 {
		t.Errorf("%+v", r.Rows)
	}

	desk("lost")
	b.write("lost", events.KindCustomer, "u", events.CustomerCreated{Name: "Ulla"})
	b.write("lost", events.KindCustomer, "v", events.CustomerCreated{Name: "Vera"})
	r = b.account(all("lost"))
	holes(t, r)
	if want := (ledger.People{Accepted: 2, Compared: true, Shown: 2}); *r.Customers != want {
		t.Errorf("%+v", *r.Customers)
	}
	exec("DELETE FROM inbox_conversations WHERE org = 'lost' AND id = 'two'")
	exec("DELETE FROM timeline_entries WHERE org = 'lost' AND conversation_id = 'three' AND entry_id = '2'")
	exec("DELETE FROM customer_profiles WHERE org = 'lost' AND id = 'v'")
	b.index.lose("lost", "one")
	r = b.account(all("lost"))
	holes(t, r, "inbox two is not there", "timeline three lacks 1 of 2 messages", "customers v is not there", "search one is not there")
	if want := (ledger.People{Accepted: 2, Compared: true, Shown: 1, Missing: 1}); *r.Customers != want {
		t.Errorf("%+v", *r.Customers)
	}
	if got := r.Rows[0].Sides["search"].Missing; got != (ledger.Tally{Conversations: 1, Messages: 3, Notes: 1}) {
		t.Errorf("missing in search: %+v", got)
	}
	holes(t, b.account(all("equal"))) // another org's holes are not ours

	desk("parked")
	b.conversation("parked", "two", exploded{}, said("2"))
	r = b.account(all("parked"))
	holes(t, r, "inbox two lacks 1 of 2 messages", "timeline two lacks 1 of 2 messages", "search two lacks 1 of 2 messages")
	for _, h := range r.Holes {
		if !strings.Contains(h.Problem, "parked at event") || !strings.Contains(h.Problem, "conversation.exploded.v9") {
			t.Errorf("%+v", h)
		}
	}

	desk("erased")
	b.write("erased", events.KindCustomer, "u", events.CustomerCreated{Name: "Ulla"}, events.CustomerErased{Reason: "asked"})
	r = b.account(all("erased"))
	holes(t, r)
	if want := (ledger.People{Accepted: 1, Excused: 1, Compared: true}); *r.Customers != want {
		t.Errorf("%+v", *r.Customers)
	}
	if r.Rows[0].Excused != (ledger.Tally{Conversations: 1, Messages: 3, Notes: 1}) || r.Rows[1].Excused != r.Rows[1].Accepted {
		t.Errorf("%+v", r.Rows)
	}

	desk("merged")
	b.write("merged", events.KindCustomer, "u", events.CustomerCreated{Name: "Ulla"}, events.CustomerMerged{IntoID: "v"})
	b.write("merged", events.KindCustomer, "v", events.CustomerCreated{Name: "Vera"}, events.CustomerErased{Reason: "asked"})
	r = b.account(ledger.Question{Org: "merged", Models: []string{"inbox", "timeline"}})
	holes(t, r)
	if r.Rows[0].Excused != r.Rows[0].Accepted || r.Rows[1].Excused != r.Rows[1].Accepted {
		t.Errorf("%+v", r.Rows)
	}
}

func TestLedgerWindows(t *testing.T) {
	t.Parallel()
	b := newLedgerBench(t, "inbox", "timeline", "customers", "search")
	b.conversation("acme", "one", ledgerOpened(events.ChannelChat, "u"), said("1"))
	b.conversation("acme", "one", said("2"))
	b.conversation("acme", "one", said("3"))
	found, err := b.log.Read(t.Context(), events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: "one"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	second, third := found[2].Stored, found[3].Stored
	r := b.account(ledger.Question{Org: "acme", From: second, To: third})
	holes(t, r)
	if r.Rows[0].Accepted != (ledger.Tally{Messages: 1}) {
		t.Errorf("%+v", r.Rows)
	}
	if _, err := b.reads.Exec(t.Context(), "DELETE FROM timeline_entries WHERE entry_id = '2'"); err != nil {
		t.Fatal(err)
	}
	holes(t, b.account(ledger.Question{Org: "acme", From: second, To: third}), "timeline one lacks 1 of 1 messages")
	holes(t, b.account(ledger.Question{Org: "acme", To: second}))
	holes(t, b.account(ledger.Question{Org: "acme", From: third}))
}

// during lets something happen after the head was fixed and before a model is asked.
type during struct {
	ledger.Model
	happen func()
}

func (d during) Await(ctx context.Context, through []uint64, longest time.Duration) error {
	d.happen()
	return d.Model.Await(ctx, through, longest)
}

func TestLedgerAtAMovingHead(t *testing.T) {
	t.Parallel()
	b := newLedgerBench(t, "inbox", "timeline", "customers", "search")
	b.conversation("acme", "one", ledgerOpened(events.ChannelChat, "u"), said("1"))
	b.conversation("acme", "gone", ledgerOpened(events.ChannelChat, "v"), said("1"))
	models := b.Models
	moving := &ledger.Ledger{Log: b.log, Wait: time.Minute, Models: append([]ledger.Model{during{models[0], func() {
		b.conversation("acme", "one", said("2"), answered("3"), events.ConversationNoteAdded{NoteID: "n", Text: "note"})
		b.conversation("acme", "new", ledgerOpened(events.ChannelSMS, "u"), said("1"))
		b.write("acme", events.KindCustomer, "v", events.CustomerCreated{Name: "Vera"}, events.CustomerErased{Reason: "asked"})
		through := make([]uint64, b.log.Partitions())
		for a, last := range b.last {
			p := a.Partition(len(through))
			through[p] = max(through[p], last[0])
		}
		for _, m := range models { // all of it is shown before anything is compared
			if err := m.Await(t.Context(), through, time.Minute); err != nil {
				t.Fatal(err)
			}
		}
	}}}, models[1:]...)}
	r, err := moving.Account(t.Context(), ledger.Question{Org: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	holes(t, r)
	want := ledger.Tally{Conversations: 2, Messages: 2}
	if len(r.Rows) != 1 || r.Rows[0].Accepted != want || r.Rows[0].Excused != (ledger.Tally{Conversations: 1, Messages: 1}) {
		t.Errorf("%+v", r.Rows)
	}
	if got := r.Rows[0].Sides["inbox"].Shown; got != (ledger.Tally{Conversations: 1, Messages: 1}) {
		t.Errorf("the inbox shows %+v", got)
	}
}

func TestLedgerTellsWhoIsBehind(t *testing.T) {
	t.Parallel()
	b := newLedgerBench(t, "inbox") // nobody runs the timeline; nobody answers for the index
	b.conversation("acme", "one", ledgerOpened(events.ChannelChat, "u"), said("1"))
	holes(t, b.account(ledger.Question{Org: "acme", Models: []string{"inbox"}}))
	b.Wait = 50 * time.Millisecond
	r := b.account(ledger.Question{Org: "acme", Models: []string{"timeline", "search"}})
	if r.Total != 0 || len(r.Behind) != 2 || len(r.Rows[0].Sides) != 0 {
		t.Fatalf("%+v", r)
	}
	if late := r.Behind[0]; late.Model != "timeline" || late.LagEvents != testkit.Head(t, b.log) || !strings.Contains(late.Problem, "not been applied") {
		t.Errorf("%+v", late)
	}
	if away := r.Behind[1]; away.Model != "search" || !strings.Contains(away.Problem, "not available") {
		t.Errorf("%+v", away)
	}
}

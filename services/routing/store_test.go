package routing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/aggregates"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/postgres"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/migrations"
)

// tables are routing's own, in a database of the test, with the session that writes to them.
type tables struct {
	pool    *pgxpool.Pool
	log     *eventlog.Log
	session projections.Session
	last    uint64 // sequence
	noon    time.Time
}

func newTables(t *testing.T) *tables {
	t.Helper()
	url := testkit.Postgres(t)
	if err := postgres.Migrate(t.Context(), url, migrations.Files); err != nil {
		t.Fatal(err)
	}
	pool, err := postgres.Connect(t.Context(), url, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	log := testkit.Log(t)
	s, err := projections.NewPostgresSink(pool, handler{}, log).Open(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.WithoutCancel(t.Context())) })
	return &tables{pool: pool, log: log, session: s, noon: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
}

// apply commits events of new conversations, a second apart.
func (b *tables) apply(t *testing.T, org string, ids []string, all ...events.Event) {
	t.Helper()
	var batch []events.Recorded
	for _, id := range ids {
		for i, e := range all {
			b.last++
			batch = append(batch, events.Recorded{
				Aggregate: events.Aggregate{Org: org, Kind: events.KindConversation, ID: id}, Sequence: b.last, Event: e,
				Metadata: events.Metadata{ID: strconv.FormatUint(b.last, 10), Time: b.noon.Add(time.Duration(b.last) * time.Second), Revision: uint64(i + 1)},
			})
		}
	}
	if err := b.session.Commit(t.Context(), projections.Commit{Events: batch, Progress: projections.Progress{Checkpoint: b.last}}); err != nil {
		t.Fatal(err)
	}
}

func names(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s%04d", prefix, i)
	}
	return out
}

// In a backlog of conversations that nobody has placed, each look takes from both ends: the one that came in last does
// not wait for all before it, and those before it are not forgotten.
func TestWhoWritesNowIsNotBehindTheBacklog(t *testing.T) {
	t.Parallel()
	b := newTables(t)
	opened := events.ConversationOpened{CustomerID: "customer", Channel: events.ChannelChat}
	old := names("old", 5*piece)
	b.apply(t, "org", old, opened)
	b.apply(t, "org", []string{"urgent"}, opened, events.ConversationPrioritySet{Priority: events.PriorityUrgent})
	b.apply(t, "other", []string{"elsewhere"}, opened)
	d := &dispatcher{pool: b.pool, clock: time.Now}
	v := desk{Present: []string{}, Online: map[string]directory.Agent{}, Queues: map[string][]string{"q": nil}, Archived: []string{"gone"}, Default: "q"}
	memory := &orgMemory{marks: map[string]mark{}, tried: map[string]uint64{}}
	look := func() []string {
		t.Helper()
		w, err := d.read(t.Context(), "org", v, memory)
		if err != nil {
			t.Fatal(err)
		}
		if len(w.Unplaced) > piece || w.More != (len(w.Unplaced) >= piece/2) {
			t.Fatalf("a look takes %d, more to come: %v", len(w.Unplaced), w.More)
		}
		var ids []string
		for _, c := range w.Unplaced {
			ids = append(ids, c.ConversationID)
			memory.marks[c.ConversationID] = mark{Sequence: b.last + 1000} // as if it was placed, and not folded yet
		}
		return ids
	}
	first := look()
	for _, id := range []string{"urgent", old[0], old[len(old)-1]} {
		if !slices.Contains(first, id) {
			t.Errorf("the first look leaves %s out", id)
		}
	}
	b.apply(t, "org", []string{"now"}, opened)
	seen := first
	for n := 0; ; n++ {
		ids := look()
		if n == 0 && !slices.Contains(ids, "now") {
			t.Error("the one that came in just now waits")
		}
		if seen = append(seen, ids...); len(ids) == 0 {
			break
		}
	}
	slices.Sort(seen)
	want := append(slices.Clone(old), "urgent", "now")
	slices.Sort(want)
	if !slices.Equal(seen, want) {
		t.Fatalf("the looks took %d conversations, each once: %v; there are %d", len(seen), len(slices.Compact(seen)) == len(seen), len(want))
	}
}

// What agents have who are not there is found whatever the others have, some of each.
func TestEveryAbsentAgentIsRelieved(t *testing.T) {
	t.Parallel()
	b := newTables(t)
	opened := events.ConversationOpened{CustomerID: "customer", Channel: events.ChannelChat}
	for _, agent := range []string{"ann", "bob", "cyd"} {
		b.apply(t, "org", names(agent, 3*ofEach), opened, events.ConversationAssigned{AgentID: agent})
	}
	d := &dispatcher{pool: b.pool, clock: time.Now}
	w, err := d.read(t.Context(), "org", desk{Present: []string{"bob"}}, &orgMemory{marks: map[string]mark{"ann0000": {Sequence: b.last + 1}}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, c := range w.Held {
		got[c.AgentID]++
		if c.ConversationID == "ann0000" || c.Version != 2 {
			t.Errorf("held %+v", c)
		}
	}
	if len(got) != 2 || got["ann"] != ofEach || got["cyd"] != ofEach || !w.More {
		t.Fatalf("held %v, more to come: %v", got, w.More)
	}
}

// A conversation for which nothing could be done is left alone only while it is as it was.
func TestWhatWasTriedIsDealtWithOnceItMovedOn(t *testing.T) {
	t.Parallel()
	b := newTables(t)
	b.apply(t, "org", []string{"c", "d"}, events.ConversationOpened{CustomerID: "customer", Channel: events.ChannelChat})
	d := &dispatcher{pool: b.pool, clock: time.Now}
	v := desk{Present: []string{}, Queues: map[string][]string{"q": nil}, Default: "q"}
	memory := &orgMemory{marks: map[string]mark{}, tried: map[string]uint64{"c": 1, "d": 2}}
	if w, err := d.read(t.Context(), "org", v, memory); err != nil || len(w.Unplaced)+len(w.Held) > 0 {
		t.Fatalf("work %+v, %v", w, err)
	}
	b.apply(t, "org", []string{"c"}, events.ConversationAssigned{AgentID: "ann"})
	w, err := d.read(t.Context(), "org", v, memory)
	if err != nil || len(w.Held) != 1 || w.Held[0].ConversationID != "c" || len(w.Unplaced) > 0 {
		t.Fatalf("work %+v, %v", w, err)
	}
}

// A command is refused because the conversation has moved on by several events. Whichever of them the item shows next, the
// conversation is dealt with as it is then, and not left alone until it shows all of them: the last may ask for no look.
func TestARefusalDoesNotHideWhatComesNext(t *testing.T) {
	t.Parallel()
	b := newTables(t)
	loop := command.NewLoop(b.log, command.Options{})
	conversations := aggregates.Conversations(loop)
	for _, c := range []conversation.Command{
		conversation.Open{CustomerID: "customer", Channel: events.ChannelChat},
		conversation.Assign{AgentID: "ann", Reason: "by_hand"},
		conversation.ReceiveMessage{MessageID: "m", Text: "hello"},
	} {
		if _, err := conversations.Handle(t.Context(), "org", "c", command.Meta{}, c); err != nil {
			t.Fatal(err)
		}
	}
	history, err := b.log.Read(t.Context(), events.Aggregate{Org: "org", Kind: events.KindConversation, ID: "c"}, 0)
	if err != nil || len(history) != 3 {
		t.Fatal(history, err)
	}
	fold := func(r events.Recorded) {
		t.Helper()
		if err := b.session.Commit(t.Context(), projections.Commit{Events: []events.Recorded{r}, Progress: projections.Progress{Checkpoint: r.Sequence}}); err != nil {
			t.Fatal(err)
		}
	}
	d := &dispatcher{
		pool: b.pool, loop: loop, conversations: conversations, logger: slog.New(slog.DiscardHandler), clock: time.Now, burst: 5, orgs: map[string]*orgMemory{},
		directory: upToDate{fakeDirectory{agents: []directory.Agent{{ID: "ann", Presence: events.PresenceOffline}}, queues: []directory.Queue{{ID: "q"}}}},
	}
	look := func() {
		t.Helper()
		for {
			err := d.dispatch(t.Context(), projections.Intent{Org: "org", Kind: intentDispatch})
			if again, ok := errors.AsType[projections.NotNow](err); !ok || again.After > 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
		}
	}
	fold(history[0])
	look() // it is to be placed, and has been assigned meanwhile
	fold(history[1])
	look() // its agent is not there
	if s, _, err := conversations.State(t.Context(), "org", "c"); err != nil || s.AssigneeID != "" {
		t.Fatalf("%q has it, who is not there; %v", s.AssigneeID, err)
	}
}

// upToDate is a directory that has seen everything.
type upToDate struct{ fakeDirectory }

func (upToDate) WaitFor(context.Context, uint64) error { return nil }

// However much happens before the work is looked at, one look is asked for, and it is known what it must have seen.
func TestOneLookIsAskedForAtATime(t *testing.T) {
	t.Parallel()
	b := newTables(t)
	opened := events.ConversationOpened{CustomerID: "customer", Channel: events.ChannelChat}
	for i := range 50 {
		b.apply(t, "org", names(fmt.Sprint("c", i, "-"), 20), opened)
	}
	b.apply(t, "other", []string{"c"}, opened)
	rows, err := b.pool.Query(t.Context(), "SELECT org || ' ' || cause FROM tidemark.intents WHERE kind = 'dispatch' ORDER BY org")
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		asked = append(asked, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"org 1000", "other 1001"}; !slices.Equal(asked, want) {
		t.Fatalf("asked for %v, want %v", asked, want)
	}
}

package main

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/postgres"
	"github.com/tidemark-desk/tidemark/internal/run"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/inbox"
	"github.com/tidemark-desk/tidemark/projections/migrations"
	"github.com/tidemark-desk/tidemark/projections/timeline"
)

// The order of a conversation is the log's and no clock's: with a clock that is set back before every message, nothing
// is refused, and every read model shows the messages as they were accepted.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	log, url := testkit.Log(t), testkit.Postgres(t)
	now := time.Now()
	loop := command.NewLoop(log, command.Options{Clock: func() time.Time { now = now.Add(-time.Hour); return now }})
	conversations := command.For(loop, command.Decider[conversation.State, conversation.Command]{
		Kind: events.KindConversation, Evolve: conversation.Evolve, Decide: conversation.Decide,
	})
	var want []string
	var last command.Result
	for i := range 5 {
		var do conversation.Command = conversation.ReceiveMessage{MessageID: fmt.Sprint("m", i), Text: fmt.Sprint("message ", i)}
		if i == 0 {
			do = conversation.Open{CustomerID: "ann", Channel: events.ChannelChat}
		} else {
			want = append(want, fmt.Sprint("message ", i))
		}
		var err error
		if last, err = conversations.Handle(t.Context(), "acme", "c1", command.Meta{ID: events.NewID()}, do); err != nil {
			t.Fatal(err)
		}
	}
	if err := postgres.Migrate(t.Context(), url, migrations.Files); err != nil {
		t.Fatal(err)
	}
	pool, err := postgres.Connect(t.Context(), url, postgres.Options{SearchPath: readSchemas})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	group := run.NewGroup(t.Context(), testLogger(t))
	t.Cleanup(func() { _ = group.Stop(t.Context()) })
	for _, h := range readModelHandlers() {
		r := projections.NewRunner(projections.RunnerConfig{
			Name: h.Name(), Kinds: h.Kinds(), Log: log, Sink: projections.NewPostgresSink(pool, h, log), Logger: testLogger(t),
		})
		group.Go(h.Name(), r.Run)
	}
	freshness := projections.NewFreshness(pool, log)
	testkit.Until(t, "the read models show it", func() bool {
		return freshness.Await(t.Context(), "inbox", last.Position, time.Second) == nil &&
			freshness.Await(t.Context(), "timeline", last.Position, time.Second) == nil
	})
	page, err := timeline.NewReader(pool).Messages(t.Context(), "acme", "c1", timeline.Query{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range page.Items {
		got = append(got, e.Text)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the timeline shows %q, want %q", got, want)
	}
	c, err := inbox.NewReader(pool).Get(t.Context(), "acme", "c1")
	if err != nil || c.LastMessagePreview != want[len(want)-1] {
		t.Errorf("the inbox shows %+v, %v", c.LastMessagePreview, err)
	}
}

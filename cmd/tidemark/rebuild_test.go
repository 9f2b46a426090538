package main

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/services/routing"
	"github.com/tidemark-desk/tidemark/services/survey"
	"github.com/tidemark-desk/tidemark/services/workflow"
)

// TestRebuildEveryProjection rebuilds all that the program runs, by its command line; with traffic and to the end what does
// something, and routing once more after an update that needs other tables. Nothing is done twice, or not at all.
func TestRebuildEveryProjection(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: needs PostgreSQL")
	}
	database := testkit.Postgres(t)
	s := serve(t, "--postgres", database)
	run := func(args ...string) testkit.Result {
		t.Helper()
		return tidemark(t).Run(t, append([]string{"projection"}, append(args, "--data", s.Data)...)...)
	}
	ok := func(words string, args ...string) {
		t.Helper()
		if r := run(args...); r.Code != exitOK || !strings.Contains(r.Stdout, words) {
			t.Fatalf("%v ended with %d:\n%s%s", args, r.Code, r.Stdout, r.Stderr)
		}
	}
	s.OK(t, "PUT", "/v1/agents/me/presence", map[string]any{"presence": "online"})
	s.OK(t, "POST", "/v1/workflows", map[string]any{
		"name": "Refunds", "on": "conversation.message_received", "contains": "refund",
		"steps": []any{map[string]any{"tag": "refund"}, map[string]any{"reply": "We look into it."}},
	})
	d := &deskOfRefunds{t: t, said: map[string]int{}}
	d.Process = s
	d.open()
	d.open()
	d.says(d.open()) // the tag is there already: a step that changes nothing
	d.dealtWith()

	for _, name := range readModels {
		ok("as fresh as the running one", "rebuild", name)
		if name != routing.Name && name != workflow.Name && name != survey.Name {
			ok("cancelled", "cancel", name)
			continue
		}
		d.says(d.open())
		ok("equal", "compare", name)
		ok("switched", "switch", name)
		d.dealtWith()
	}
	r := run("rebuild", "search")
	if r.Code != exitUsage || !strings.Contains(r.Stderr, "rebuild_unsupported") {
		t.Errorf("search: ended with %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}

	// After an update that needs other tables nobody routes, until they are built and switched to.
	if code := s.Stop(t); code != exitOK {
		t.Fatalf("it stopped with %d", code)
	}
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), "UPDATE tidemark.models SET digest = 'of an older version' WHERE name = 'routing'"); err != nil {
		t.Fatal(err)
	}
	s = tidemark(t).Serve(t, s.Data, "--postgres", database)
	d.Process = s
	d.says(d.open())
	testkit.Until(t, "the old tables are refused", func() bool { return strings.Contains(s.Said(), "another shape") })
	ok("routing: dropped", "drop", "routing")
	ok("as fresh as the running one", "rebuild", "routing")
	ok("equal", "compare", "routing")
	ok("switched", "switch", "routing")
	d.dealtWith()
	if code := s.Stop(t); code != exitOK {
		t.Fatalf("it stopped with %d", code)
	}
	d.once()
}

// deskOfRefunds is a server with one agent and one automation, and customers who want their money back.
type deskOfRefunds struct {
	*testkit.Process
	t    *testing.T
	said map[string]int // messages of the customer, by conversation
}

func (d *deskOfRefunds) open() string {
	d.t.Helper()
	id := d.OK(d.t, "POST", "/v1/conversations", map[string]any{
		"channel": "chat", "subject": "Money", "customer": map[string]any{"name": "Ann"}, "message": map[string]any{"text": "I want a refund."},
	}).Str("id")
	d.said[id]++
	return id
}

func (d *deskOfRefunds) says(id string) {
	d.t.Helper()
	d.OK(d.t, "POST", "/v1/conversations/"+id+"/messages", map[string]any{"text": "A refund, please!", "author": map[string]any{"type": "customer"}})
	d.said[id]++
}

// dealtWith waits until every conversation has its agent and its tag, and every message its answer; then they are closed,
// so that the agent has room for others.
func (d *deskOfRefunds) dealtWith() {
	d.t.Helper()
	for id, said := range d.said {
		testkit.Until(d.t, "conversation "+id+" is dealt with", func() bool {
			c, err := d.Do(d.t.Context(), "GET", "/v1/conversations/"+id, nil)
			messages, _ := c.Get("counts.messages").(float64)
			return err == nil && c.Str("assignee_id") != "" && c.Str("tags.0") == "refund" && int(messages) == 2*said
		})
		d.OK(d.t, "PUT", "/v1/conversations/"+id+"/status", map[string]any{"status": "closed"})
	}
}

// once holds the log of the stopped server against what was asked for.
func (d *deskOfRefunds) once() {
	d.t.Helper()
	log, err := eventlog.Open(d.t.Context(), eventlog.Config{Dir: d.Data})
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	assigned, tagged, answered := map[string]int{}, map[string]int{}, map[string]int{}
	eachEvent(d.t, log, 0, func(r *events.Recorded) {
		switch r.Event.(type) {
		case events.ConversationAssigned:
			assigned[r.Aggregate.ID]++
		case events.ConversationTagged:
			tagged[r.Aggregate.ID]++
		case events.ConversationMessageWritten:
			answered[r.Aggregate.ID]++
		}
	})
	for id, said := range d.said {
		if assigned[id] != 1 || tagged[id] != 1 || answered[id] != said {
			d.t.Errorf("%s was given out %d times, tagged %d times, and has %d answers to %d messages", id, assigned[id], tagged[id], answered[id], said)
		}
	}
}

package searchtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/indexes"
	"github.com/tidemark-desk/tidemark/projections/search/rebuild"
)

// job is a rebuild that runs until the test ends, or stop.
type job struct {
	*rebuild.Job
	set  *indexes.Set
	stop func()
}

func work(tb testing.TB, engine search.Engine, log rebuild.Log) *job {
	tb.Helper()
	set, ok := engine.(*indexes.Set)
	if !ok {
		tb.Fatalf("%T keeps no indexes side by side", engine)
	}
	j := &job{Job: rebuild.New(rebuild.Config{Set: set, Log: log, Logger: slog.New(slog.DiscardHandler), Window: 16}), set: set}
	ctx, cancel := context.WithCancel(tb.Context())
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx) }()
	stopped := false
	j.stop = func() {
		if cancel(); stopped {
			return
		}
		stopped = true
		if err := <-ended; err != nil {
			tb.Errorf("the rebuild ended with %v", err)
		}
	}
	tb.Cleanup(j.stop)
	return j
}

func (j *job) ask(tb testing.TB, ask string) search.RebuildStatus {
	tb.Helper()
	s, err := j.Ask(tb.Context(), search.RebuildRequest{Ask: ask})
	if err != nil {
		tb.Fatalf("%s: %v", ask, err)
	}
	return s
}

// reaches waits until the rebuild is in a state.
func (j *job) reaches(tb testing.TB, state search.RebuildState) search.RebuildProgress {
	tb.Helper()
	var last search.RebuildProgress
	err := testkit.Eventually(tb.Context(), "the rebuild is "+string(state), func() error {
		s, err := j.Status(tb.Context())
		if err != nil || s.Rebuild == nil {
			return fmt.Errorf("no rebuild: %+v, %w", s, err)
		}
		if last = *s.Rebuild; last.State != state {
			return fmt.Errorf("it is %s: %s", last.State, last.Detail)
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return last
}

// rebuilt: whatever is committed meanwhile, restarted or not, the new index equals a fold of the log, and so does the old one
// when it serves again.
func rebuilt(t *testing.T, start Start) {
	t.Helper()
	const most = 20 // that each make three indexes and more, which costs an engine its time
	tries := 0
	rapid.Check(t, func(rt *rapid.T) {
		if tries++; tries > most {
			return
		}
		log, place := &Log{}, t.TempDir()
		Fill(rt, log, 8, 60)
		gone := Conversation("org0", "gone")
		log.Append(gone, events.ConversationOpened{CustomerID: "cust0", Subject: "Hello"})
		engine := start(t, place, log)
		live := func(size int) {
			log.Drive(t.Context(), t, engine, rapid.IntRange(1, size).Draw(rt, "batch"))
		}
		live(30)
		Fill(rt, log, 8, 20) // which the live indexer has yet to hear of
		j := work(t, engine, log)
		j.ask(t, search.AskRebuild)
		for range rapid.IntRange(0, 2).Draw(rt, "restarts") {
			Fill(rt, log, 8, 10)
			if rapid.Bool().Draw(rt, "erased") {
				log.Append(gone, events.ConversationErased{})
				log.Append(events.Aggregate{Org: "org1", Kind: events.KindCustomer, ID: "cust1"}, events.CustomerErased{Reason: "asked"})
			}
			live(5)
			j.stop()
			if err := engine.Close(); err != nil {
				rt.Fatalf("close: %v", err)
			}
			engine = start(t, place, log)
			j = work(t, engine, log)
		}
		live(30)
		r := j.reaches(t, search.RebuildVerified)
		if r.Done != r.Total || r.Verified == nil || r.Verified.Found != 0 {
			rt.Fatalf("%+v", r)
		}
		same(t, engine, log)
		j.ask(t, search.AskSwitch)
		same(t, engine, log)
		Fill(rt, log, 8, 10)
		live(30)
		same(t, engine, log)
		j.ask(t, search.AskRollback)
		same(t, engine, log)
		j.ask(t, search.AskDrop)
		j.stop()
		if err := engine.Close(); err != nil {
			rt.Fatalf("close: %v", err)
		}
		engine = start(t, place, log)
		same(t, engine, log)
		if err := engine.Close(); err != nil {
			rt.Fatalf("close: %v", err)
		}
	})
}

// same compares the index that serves with a fold of the log, less the conversations of customers who are erased.
func same(t *testing.T, engine search.Engine, log *Log) {
	t.Helper()
	erased := map[search.Customer]bool{}
	for p := range Partitions {
		for _, e := range log.Of(p, 0) {
			if _, is := e.Event.(events.CustomerErased); is {
				erased[search.Customer{Org: e.Org, ID: e.Aggregate.ID}] = true
			}
		}
	}
	compare(t, engine, log, func(d *search.Document) bool { return erased[search.Customer{Org: d.Org, ID: d.Customer}] })
}

// rebuildGoesOn: stopped after any window, it goes on there, and writes nothing twice.
func rebuildGoesOn(t *testing.T, start Start) {
	t.Helper()
	log, place := &Log{}, t.TempDir()
	for i := range 120 {
		a := Conversation("org", fmt.Sprintf("conv%d", i))
		log.Append(a, events.ConversationOpened{CustomerID: "ann", Subject: "Hello"}, events.ConversationMessageReceived{MessageID: "m", Text: "the router blinks"})
	}
	engine := start(t, place, log)
	log.Drive(t.Context(), t, engine, 50)
	j := work(t, engine, log)
	if _, err := j.Ask(t.Context(), search.RebuildRequest{Ask: search.AskRebuild, Rate: 60}); err != nil { // slow, for somebody to come in between
		t.Fatal(err)
	}
	var before uint64
	for range 3 {
		testkit.Until(t, "it got on", func() bool {
			s, err := j.Status(t.Context())
			return err == nil && s.Rebuild.Done > before
		})
		j.ask(t, search.AskPause)
		s := j.ask(t, search.AskStatus)
		if s.Rebuild.State != search.RebuildPaused || s.Rebuild.Done < before {
			t.Fatalf("%+v, and it was at %d", s.Rebuild, before)
		}
		before = s.Rebuild.Done
		j.stop()
		if err := engine.Close(); err != nil {
			t.Fatal(err)
		}
		engine = start(t, place, log)
		j = work(t, engine, log)
		if s := j.ask(t, search.AskStatus); s.Rebuild == nil || s.Rebuild.State != search.RebuildPaused || s.Rebuild.Done != before || s.Rebuild.Limit != 60 {
			t.Fatalf("after a restart: %+v", s.Rebuild)
		}
		j.ask(t, search.AskResume)
	}
	if _, err := j.Ask(t.Context(), search.RebuildRequest{Ask: search.AskThrottle, Rate: 0.001}); err != nil { // it would take hours
		t.Fatal(err)
	}
	j.ask(t, search.AskThrottle)
	if r := j.reaches(t, search.RebuildVerified); r.Documents < 60 || r.Documents > 120 {
		t.Errorf("%d documents were written, of 120", r.Documents)
	}
	j.ask(t, search.AskSwitch)
	equal(t, engine, log)
	j.stop()
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
}

// rebuildDiffers: what is not as it should be is named, and does not come to serve.
func rebuildDiffers(t *testing.T, start Start) {
	t.Helper()
	for name, spoil := range map[string]struct {
		how  func(doc *search.Document) search.Plan
		what string
	}{
		"a field": {func(doc *search.Document) search.Plan {
			doc.Priority = "low"
			doc.Position++ // an engine goes by positions alone
			return search.Plan{Put: []*search.Document{doc}}
		}, "priority is not what the log says"},
		"a document": {func(doc *search.Document) search.Plan {
			return search.Plan{Gone: []search.Gone{{Org: doc.Org, ID: doc.ID, Position: doc.Position}}}
		}, "org/one is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, start)
			a := Conversation("org", "one")
			b.log.Append(a, events.ConversationOpened{CustomerID: "ann", Subject: "Hello"}, events.ConversationMessageReceived{MessageID: "m", Text: "it blinks"})
			b.log.Append(Conversation("org", "two"), events.ConversationOpened{CustomerID: "ann", Subject: "Hello"})
			b.log.Drive(t.Context(), t, b.Engine, 50)
			j := work(t, b.Engine, b.log)
			j.ask(t, search.AskRebuild)
			j.reaches(t, search.RebuildVerified)
			err := j.set.With(search.RoleBuilding, func(built search.Index) error {
				have, err := built.Have(t.Context(), []events.Aggregate{a})
				if err != nil {
					return err
				}
				return built.Write(t.Context(), search.Batch{Plan: spoil.how(have[a])})
			})
			if err != nil {
				t.Fatal(err)
			}
			j.ask(t, search.AskVerify)
			r := j.reaches(t, search.RebuildDiffers)
			if !strings.Contains(strings.Join(r.Verified.Differences, "\n"), spoil.what) {
				t.Errorf("it found %q, want %q", r.Verified.Differences, spoil.what)
			}
			_, err = j.Ask(t.Context(), search.RebuildRequest{Ask: search.AskSwitch})
			if fault.CodeOf(err) != "rebuild_state" || fault.KindOf(err) != fault.Conflict {
				t.Errorf("switched: %v", err)
			}
			j.stop()
		})
	}
}

// rebuildSteps: each step says when it cannot be taken.
func rebuildSteps(t *testing.T, start Start) {
	t.Helper()
	b := setup(t, start)
	b.log.Append(Conversation("org", "one"), events.ConversationOpened{CustomerID: "ann", Subject: "Hello"})
	b.log.Drive(t.Context(), t, b.Engine, 50)
	j := work(t, b.Engine, b.log)
	refused := func(code string, asks ...string) {
		t.Helper()
		for _, ask := range asks {
			if _, err := j.Ask(t.Context(), search.RebuildRequest{Ask: ask}); fault.CodeOf(err) != code {
				t.Errorf("%s: %v, want %s", ask, err, code)
			}
		}
	}
	refused("rebuild_state", search.AskPause, search.AskResume, search.AskVerify, search.AskSwitch, search.AskRollback, search.AskDrop, search.AskCancel)
	j.ask(t, search.AskRebuild)
	refused("rebuild_running", search.AskRebuild)
	refused("rebuild_state", search.AskRollback, search.AskDrop)
	j.reaches(t, search.RebuildVerified)
	j.ask(t, search.AskCancel)
	refused("rebuild_state", search.AskSwitch)
	if s := j.ask(t, search.AskStatus); s.Rebuild != nil || len(s.Indexes) != 1 || s.Indexes[0].Role != search.RoleServing {
		t.Errorf("%+v", s)
	}
	if _, err := j.Ask(t.Context(), search.RebuildRequest{Ask: search.AskRebuild, Switch: true}); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "the new one serves", func() bool {
		s, err := j.Status(t.Context())
		return err == nil && s.Rebuild == nil && len(s.Indexes) == 2 && s.Indexes[1].Role == search.RoleServing && s.Indexes[0].Role == search.RolePrevious
	})
	refused("rebuild_state", search.AskRebuild) // while the previous one is kept
	j.ask(t, search.AskDrop)
	if s := j.ask(t, search.AskStatus); len(s.Indexes) != 1 || s.Indexes[0].Documents != 1 || s.Indexes[0].Bytes == 0 {
		t.Errorf("%+v", s)
	}
	refused("request_invalid", "dance")
	j.stop()
}

// rebuildHeals: what a crash took from an index that does not serve is written again, before it may serve.
func rebuildHeals(t *testing.T, start Start) {
	t.Helper()
	for name, c := range map[string]struct {
		role  search.Role
		begin func(t *testing.T, j *job)
		serve func(t *testing.T, j *job)
	}{
		"previous": {search.RolePrevious, func(t *testing.T, j *job) {
			t.Helper()
			if _, err := j.Ask(t.Context(), search.RebuildRequest{Ask: search.AskRebuild, Switch: true}); err != nil {
				t.Fatal(err)
			}
			testkit.Until(t, "the new one serves", func() bool {
				s, err := j.Status(t.Context())
				return err == nil && s.Rebuild == nil && len(s.Indexes) == 2
			})
		}, func(t *testing.T, j *job) {
			t.Helper()
			testkit.Until(t, "it goes back", func() bool {
				_, err := j.Ask(t.Context(), search.RebuildRequest{Ask: search.AskRollback})
				return err == nil
			})
		}},
		"building": {search.RoleBuilding, func(t *testing.T, j *job) {
			t.Helper()
			if _, err := j.Ask(t.Context(), search.RebuildRequest{Ask: search.AskRebuild, Rate: 0.01}); err != nil { // which writes nothing for now
				t.Fatal(err)
			}
			testkit.Until(t, "it is prepared", func() bool {
				s, err := j.Status(t.Context())
				return err == nil && s.Rebuild.Prepared
			})
		}, func(t *testing.T, j *job) {
			t.Helper()
			j.ask(t, search.AskThrottle)
			j.reaches(t, search.RebuildVerified)
			j.ask(t, search.AskSwitch)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log, place := &Log{}, t.TempDir()
			a := Conversation("org", "one")
			log.Append(a, events.ConversationOpened{CustomerID: "ann", Subject: "Hello"})
			engine := start(t, place, log)
			log.Drive(t.Context(), t, engine, 50)
			j := work(t, engine, log)
			c.begin(t, j)
			log.Append(a, events.ConversationMessageReceived{MessageID: "m", Text: "it blinks"})
			loseOnce(t, j.set, c.role, log.Fold(t)[a])
			j.stop()
			if err := engine.Close(); err != nil {
				t.Fatal(err)
			}
			engine = start(t, place, log)
			j = work(t, engine, log)
			c.serve(t, j)
			equal(t, engine, log)
			j.stop()
			if err := engine.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// loseOnce writes a document to the index that serves alone, as if a crash had taken the other write.
func loseOnce(t *testing.T, set *indexes.Set, role search.Role, doc *search.Document) {
	t.Helper()
	p := Conversation(doc.Org, doc.ID).Partition(Partitions)
	err := set.Still(t.Context(), role, func(serving, _ search.Index) error {
		state, err := serving.State(t.Context(), p)
		state.Progress = projections.Progress{Checkpoint: doc.Position}
		return errors.Join(err, serving.Write(t.Context(), search.Batch{
			Plan: search.Plan{Put: []*search.Document{doc}}, Progress: &search.Progress{Partition: p, State: state},
		}))
	})
	if err != nil {
		t.Fatal(err)
	}
}

package survey_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections/reactortest"
	"github.com/tidemark-desk/tidemark/services/survey"
)

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestAClosingIsAskedAbout(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.start()
	b.chat("c")
	b.do("c", conversation.Queue{QueueID: "support", Reason: "default"})
	b.do("c", conversation.Assign{AgentID: "ann", Reason: "idle"})
	b.closes("c")
	same(t, "surveys", b.settle(p), "c asked about closing 1")
	r, e := b.requested("c")
	if r.Actor != (events.Actor{Type: events.ActorSystem, ID: survey.Name}) || r.Depth != 1 || r.Cause != r.Sequence-1 {
		t.Errorf("actor %s, depth %d, cause %d of %d", r.Actor, r.Depth, r.Cause, r.Sequence)
	}
	if e.QueueID != "support" || e.AgentID != "ann" || e.ChannelID != "site" || e.Question != "How was it?" {
		t.Errorf("%+v", e)
	}
	if lasts := e.ExpiresAt.Sub(r.Time); lasts <= 0 || lasts > 24*time.Hour {
		t.Errorf("it expires after %s, want the channel's day from when it was asked", lasts)
	}
	if n := b.intents(p, "kind = 'expire' AND due_at > now()"); n != 1 {
		t.Errorf("%d timers wait, want 1", n)
	}

	// An answer needs no timer any more. Closed again, it is asked about again.
	b.do("c", conversation.AnswerSurvey{SurveyID: e.SurveyID, Score: 4, Now: r.Time})
	b.settle(p)
	if n := b.intents(p, "true"); n != 0 {
		t.Errorf("%d intents wait, want none", n)
	}
	b.reopens("c")
	b.closes("c")
	same(t, "surveys", b.settle(p), "c asked about closing 1", "c answered 4", "c asked about closing 2")
}

func TestWhatIsNotAskedAbout(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.start()
	for id, open := range map[string]conversation.Open{
		"mail":      {CustomerID: "zoe", Channel: events.ChannelEmail, ChannelID: "site"},
		"nowhere":   {CustomerID: "zoe", Channel: events.ChannelChat},
		"quiet":     {CustomerID: "zoe", Channel: events.ChannelChat, ChannelID: "quiet"},
		"elsewhere": {CustomerID: "zoe", Channel: events.ChannelChat, ChannelID: "gone"},
	} {
		b.do(id, open)
		b.closes(id)
	}
	b.chat("imported")
	b.seen(b.conversations.Handle(b.Context(), org, "imported", by(events.ActorImport), conversation.Close{Reason: "solved"}))
	b.chat("open")
	b.chat("merged")
	b.do("merged", conversation.MergeInto{IntoID: "open", Reason: "same"})
	same(t, "surveys", b.settle(p))

	// The setting counts that was in force for the closing, whenever it is read.
	b.chat("before")
	b.chat("after")
	p.stop()
	b.closes("before")
	b.asks(false)
	b.do("off", conversation.Open{CustomerID: "zoe", Channel: events.ChannelChat, ChannelID: "site"})
	b.closes("off")
	b.asks(true)
	b.closes("after")
	b.database = reactortest.Database(t)
	p = b.start()
	got := b.settle(p)
	slices.Sort(got)
	same(t, "surveys", got, "after asked about closing 1", "before asked about closing 1")
}

// It was down while conversations were closed, opened again, merged and erased: each closing is asked about or excused,
// and nobody is asked about what goes on.
func TestWhatHappenedWhileItWasDown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, id := range []string{"done", "open", "again", "merged", "erased", "reached"} {
		b.chat(id)
		b.closes(id)
	}
	b.reopens("open")
	b.reopens("again")
	b.closes("again")
	b.do("merged", conversation.MergeInto{IntoID: "done", Reason: "same"})
	b.do("erased", conversation.Erase{Reason: "asked"})
	p := b.start()
	want := []string{
		"again asked about closing 2", "again excused closing 1: reopened", "done asked about closing 1",
		"merged excused closing 1: merged", "open excused closing 1: reopened", "reached asked about closing 1",
	}
	got := b.settle(p)
	slices.Sort(got)
	same(t, "surveys", got, want...)

	// Whoever was asked and goes on is no longer asked.
	b.do("reached", conversation.ReceiveMessage{MessageID: "m", Text: "one more thing"})
	got = b.settle(p)
	slices.Sort(got)
	same(t, "surveys", got, append(want, "reached excused closing 1: reopened")...)
}

func TestSurveysExpire(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.late.Store(int64(48 * time.Hour)) // asked two days ago, for one day
	b.chat("c")
	b.closes("c")
	p := b.start()
	b.until(2)
	same(t, "surveys", b.settle(p), "c asked about closing 1", "c expired")
	if n := b.intents(p, "true"); n != 0 {
		t.Errorf("%d intents wait, want none", n)
	}
}

// Stopped in the middle, started by two, rebuilt, replayed into a new database: every closing is asked about once.
func TestOnceWhateverHappens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const n = 20
	for i := range n {
		id := fmt.Sprintf("c%02d", i)
		b.chat(id)
		b.closes(id)
		if i%2 == 1 {
			b.reopens(id)
			b.closes(id)
		}
	}
	p := b.start()
	b.until(5)
	p.stop()
	one, two := b.start(), b.start()
	b.until(15)
	one.stop()
	check := func(p *process) {
		t.Helper()
		var want []string
		for i := range n {
			id := fmt.Sprintf("c%02d", i)
			if i%2 == 1 {
				want = append(want, id+" asked about closing 2", id+" excused closing 1: reopened")
				continue
			}
			want = append(want, id+" asked about closing 1")
		}
		got := b.settle(p)
		slices.Sort(got)
		same(t, "surveys", got, want...)
	}
	check(two)
	before := testkit.Head(t, b.log)
	reactortest.Rebuild(b, two.pool, survey.Name)
	check(two)
	two.stop()

	// The channel asks nobody by now; what it asked for those closings does not change.
	b.asks(false)
	before++
	b.database = reactortest.Database(t)
	p = b.start()
	check(p)
	if n := b.intents(p, "kind = 'expire'"); n != 20 {
		t.Errorf("%d timers were written again, want 20", n)
	}
	if after := testkit.Head(t, b.log); after != before {
		t.Errorf("the replay wrote %d events", after-before)
	}
}

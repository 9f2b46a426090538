package workflow_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/domain/rule"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections/reactortest"
	"github.com/tidemark-desk/tidemark/services/workflow"
)

const received, written = "conversation.message_received", "conversation.message_written"

var (
	tagMoney = events.RuleStep{Tag: "money"}
	answer   = events.RuleStep{Reply: "We look into it."}
)

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestARuleRunsItsStepsInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.start(workflow.Limits{})
	b.open("c")
	b.says("c", "a refund before there was a rule")
	b.rule("r", refund(received, tagMoney, answer, events.RuleStep{Tag: "seen"}))
	b.says("c", "hello")
	b.says("c", "I want a REFUND")
	all := b.settle(p)
	same(t, "steps", steps(all), []string{"c tagged money", "c wrote We look into it.", "c tagged seen"})
	same(t, "runs", b.runs(p), []string{"c done 3/3"})
	var cause uint64
	for _, r := range all {
		if e, ok := r.Event.(events.ConversationMessageReceived); ok && strings.HasSuffix(e.Text, "REFUND") {
			cause = r.Sequence
		}
		if r.Actor.Type == events.ActorWorkflow && (r.Actor.ID != "r" || r.Depth != 1 || r.Cause != cause || !strings.HasPrefix(r.Command, "run:")) {
			t.Errorf("%T: actor %s, depth %d, cause %d (want %d), command %s", r.Event, r.Actor, r.Depth, r.Cause, cause, r.Command)
		}
	}

	// A step that changes nothing is done all the same.
	b.says("c", "refund!")
	b.settle(p)
	same(t, "runs", b.runs(p), []string{"c done 3/3", "c done 3/3"})

	b.rule("r", rule.Disable{Reason: "enough"})
	b.says("c", "refund?")
	b.rule("r", rule.Enable{Reason: "again"})
	b.settle(p)
	if n := len(b.runs(p)); n != 2 {
		t.Errorf("%d runs, want 2: none for what came while the rule was disabled", n)
	}
}

func TestWhatADomainRefusesFailsTheRun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.open("c")
	b.open("other")
	b.rule("r", refund(received, answer, tagMoney))
	b.says("c", "refund")
	b.do("c", conversation.MergeInto{IntoID: "other", Reason: "same matter"})
	p := b.start(workflow.Limits{})
	all := b.settle(p)
	same(t, "steps", steps(all), nil)
	same(t, "runs", b.runs(p), []string{"c failedconversation_merged 0/2"})
}

// What came of a step is decided once. A replay into a new database meets conversations that have moved on: what was
// refused would be taken now, and what had nothing to do would have something.
func TestAReplayDecidesNoStepAnew(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.start(workflow.Limits{})
	b.open("tagged")
	b.do("tagged", conversation.Tag{Tag: "money", Reason: "by_hand"})
	b.open("full")
	for i := range 100 {
		b.do("full", conversation.Tag{Tag: fmt.Sprint("tag", i), Reason: "by_hand"})
	}
	b.rule("r", refund(received, tagMoney, answer))
	b.says("tagged", "refund")
	b.says("full", "refund")
	want := []string{"tagged done 2/2", "full failedconversation_tags_full 0/2"}
	all := b.settle(p)
	same(t, "steps", steps(all), []string{"tagged wrote We look into it."})
	same(t, "runs", b.runs(p), want)
	reactortest.Rebuild(b, p.pool, workflow.Name)
	same(t, "runs when rebuilt", b.runs(p), want)
	p.stop()

	b.do("tagged", conversation.Untag{Tag: "money", Reason: "by_hand"})
	b.do("full", conversation.Untag{Tag: "tag0", Reason: "by_hand"})
	before := testkit.Head(t, b.log)
	b.database = reactortest.Database(t)
	p = b.start(workflow.Limits{})
	all = b.settle(p)
	same(t, "steps after the replay", steps(all), []string{"tagged wrote We look into it."})
	same(t, "runs after the replay", b.runs(p), want)
	if after := testkit.Head(t, b.log); after != before {
		t.Errorf("the replay wrote %d events", after-before)
	}
}

// Two rules that answer each other stop by themselves, and it is written down why.
func TestAutomationsDoNotFeedEachOtherForEver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.start(workflow.Limits{})
	b.open("c")
	b.rule("ping", refund(received, events.RuleStep{Reply: "refund? (ping)"}))
	b.rule("pong", refund(written, events.RuleStep{Reply: "refund! (pong)"}))
	b.says("c", "refund")
	all := b.settle(p)
	same(t, "steps", steps(all), []string{"c wrote refund? (ping)", "c wrote refund! (pong)", "c wrote refund! (pong)"})
	same(t, "runs", b.runs(p), []string{"c done 1/1", "c done 1/1", "c done 1/1", "c suppresseddepth_limit 0/1"})
}

func TestAConversationHasABudget(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.start(workflow.Limits{Budget: 3, Window: time.Hour})
	b.rule("r", refund(received, answer))
	b.open("busy")
	b.open("quiet")
	for range 5 {
		b.says("busy", "refund")
	}
	b.says("quiet", "refund")
	all := b.settle(p)
	if n := len(steps(all)); n != 4 {
		t.Errorf("%d answers, want 3 and 1: %q", n, steps(all))
	}
	same(t, "runs", b.runs(p), []string{
		"busy done 1/1", "busy done 1/1", "busy done 1/1",
		"busy suppressedbudget 0/1", "busy suppressedbudget 0/1", "quiet done 1/1",
	})
}

// Stopped in the middle, started by two, replayed into a new database: every event is answered once.
func TestOnceWhateverHappens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rule("r", refund(received, tagMoney, answer))
	const n = 20
	for i := range n {
		b.open(fmt.Sprint("c", i))
		b.says(fmt.Sprint("c", i), "refund")
	}
	p := b.start(workflow.Limits{})
	b.until(5)
	p.stop()

	one, two := b.start(workflow.Limits{}), b.start(workflow.Limits{})
	b.until(15)
	one.stop()
	check := func(p *process) {
		t.Helper()
		seen := map[string]int{}
		for _, s := range steps(b.settle(p)) {
			seen[s]++
		}
		for i := range n {
			for _, s := range []string{" tagged money", " wrote We look into it."} {
				if s = fmt.Sprint("c", i, s); seen[s] != 1 {
					t.Errorf("%q happened %d times", s, seen[s])
				}
			}
		}
	}
	check(two)
	runs := b.runs(two)
	two.stop()

	// The rule is another one by now; what it was for those events does not change.
	b.rule("r", rule.Change{Definition: events.RuleDefinition{On: received, Steps: []events.RuleStep{{Tag: "other"}}}})
	before := testkit.Head(t, b.log)
	b.database = reactortest.Database(t)
	p = b.start(workflow.Limits{})
	check(p)
	same(t, "runs after the replay", b.runs(p), runs)
	if after := testkit.Head(t, b.log); after != before {
		t.Errorf("the replay wrote %d events", after-before)
	}
}

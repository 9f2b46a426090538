package command_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/claim"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const org = "acme"

type bundle struct {
	log           *fakeLog
	loop          *command.Loop
	conversations *command.Handler[conversation.State, conversation.Command]
	claims        *command.Handler[claim.State, claim.Command]
}

func over(log *fakeLog, o command.Options) bundle {
	loop := command.NewLoop(log, o)
	return bundle{
		log: log, loop: loop,
		conversations: command.For(loop, command.Decider[conversation.State, conversation.Command]{
			Kind: events.KindConversation, Evolve: conversation.Evolve, Decide: conversation.Decide,
		}),
		claims: command.For(loop, command.Decider[claim.State, claim.Command]{
			Kind: events.KindClaim, Evolve: claim.Evolve, Decide: claim.Decide,
		}),
	}
}

func setup(*testing.T) bundle { return over(&fakeLog{}, command.Options{}) }

// restart is the same log under another process, whose cache is cold.
func (b bundle) restart() bundle { return over(b.log, command.Options{}) }

var open = conversation.Open{CustomerID: "ann", Channel: events.ChannelChat}

func (b bundle) open(t *testing.T, id string) {
	t.Helper()
	if _, err := b.conversations.Handle(t.Context(), org, id, command.Meta{ID: "open-" + id}, open); err != nil {
		t.Fatal(err)
	}
}

func says(id string) conversation.ReceiveMessage {
	return conversation.ReceiveMessage{MessageID: id, Text: "hello"}
}

func aggregate(id string) events.Aggregate {
	return events.Aggregate{Org: org, Kind: events.KindConversation, ID: id}
}

func TestHandleWritesMetadata(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.open(t, "c")
	at := time.Date(2019, 5, 15, 8, 19, 0, 0, time.UTC)
	m := command.Meta{ID: "cmd", Digest: "d", Actor: events.Actor{Type: events.ActorCustomer, ID: "ann"}, Depth: 2, Cause: 7, At: at, Traceparent: "tp"}
	got, err := b.conversations.Handle(t.Context(), org, "c", m, says("m1"))
	if err != nil {
		t.Fatal(err)
	}
	r := got.Events[0]
	if r.Command != "cmd" || r.Digest != "d" || r.Actor != m.Actor || r.Depth != 2 || r.Cause != 7 || !r.Time.Equal(at) || r.Traceparent != "tp" {
		t.Errorf("metadata %+v", r.Metadata)
	}
	if r.Revision != 2 || r.Sequence != 2 || got.Position.Sequence != 2 || got.Replayed || r.Metadata.ID == "" {
		t.Errorf("recorded %+v at %+v", r, got.Position)
	}
	own := at.Add(-time.Hour)
	got, err = b.conversations.Handle(t.Context(), org, "c", m2("x", at), conversation.ReceiveMessage{MessageID: "m2", Text: "hi", At: own})
	if err != nil || !got.Events[0].Time.Equal(own) {
		t.Errorf("a message keeps its own time: %v, %v", got.Events, err)
	}
}

func m2(id string, at time.Time) command.Meta { return command.Meta{ID: id, At: at} }

func TestWarmAggregateCostsNoRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.open(t, "c")
	before, _ := b.log.counts()
	for i := range 100 {
		if _, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{}, says("m"+strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
	if after, _ := b.log.counts(); after != before {
		t.Errorf("%d reads for 100 commands on a warm aggregate", after-before)
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.open(t, "c")
	m := command.Meta{ID: "cmd", Digest: "one"}
	first, err := b.conversations.Handle(t.Context(), org, "c", m, says("m1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{}, conversation.Close{}); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]bundle{"warm": b, "after a restart": b.restart()} {
		got, err := b.conversations.Handle(t.Context(), org, "c", m, says("m1"))
		if err != nil || !got.Replayed || got.Position != first.Position || len(got.Events) != 1 || got.Events[0].Metadata.ID != first.Events[0].Metadata.ID {
			t.Errorf("%s: %+v, %v; want the first events", name, got, err)
		}
		_, err = b.conversations.Handle(t.Context(), org, "c", command.Meta{ID: "cmd", Digest: "two"}, says("m2"))
		if !errors.Is(err, command.ErrKeyReused) {
			t.Errorf("%s: other digest: %v", name, err)
		}
	}
	if n := len(b.log.all); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
}

func TestFaultLeavesNoTrace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := command.Meta{ID: "cmd"}
	if _, err := b.conversations.Handle(t.Context(), org, "c", m, says("m1")); !errors.Is(err, conversation.ErrNotFound) {
		t.Fatalf("got %v", err)
	}
	b.open(t, "c")
	got, err := b.conversations.Handle(t.Context(), org, "c", m, says("m1"))
	if err != nil || got.Replayed || len(got.Events) != 1 {
		t.Errorf("the same command later: %+v, %v", got, err)
	}
}

func TestNothingNewHasAPosition(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.open(t, "c")
	got, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{}, conversation.Reopen{})
	if err != nil || len(got.Events) != 0 || got.Position.Sequence != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

// An entry of the cache may be behind another process. Neither a refusal nor "nothing new" may come from old truth.
func TestStaleCacheIsFoundOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.open(t, "c")
	b.log.foreign(aggregate("c"), "other", events.ConversationClosed{Reason: "done"})

	if _, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{}, conversation.Reopen{}); err != nil {
		t.Fatal(err)
	}
	if e := b.log.all[len(b.log.all)-1].Event; e.EventType() != "conversation.reopened.v1" {
		t.Errorf("nothing new was told of an old state: last event %T", e)
	}
	b.log.foreign(aggregate("c"), "other-2", events.ConversationClosed{Reason: "done"})
	if _, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{}, says("m")); err != nil {
		t.Fatal(err)
	}
	state, seq, err := b.conversations.State(t.Context(), org, "c")
	if err != nil || state.Status != events.StatusOpen || seq != 6 { // opened closed reopened closed received reopened
		t.Errorf("state %+v at %d, %v", state.Status, seq, err)
	}
	b.log.foreign(aggregate("c"), "other-3", events.ConversationClosed{Reason: "done"})
	b.log.foreign(aggregate("c"), "other-4", events.ConversationReopened{Reason: "not done"})
	if _, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{}, conversation.Assign{AgentID: "bob"}); err != nil {
		t.Errorf("a refusal from an old state: %v", err)
	}
}

func TestConflictIsDecidedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.open(t, "c")
	b.log.before = func(n int, _ []eventlog.Write) error {
		if n == 2 {
			b.log.foreign(aggregate("c"), "other", events.ConversationTagged{Tag: "vip"})
		}
		return nil
	}
	got, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{}, says("m1"))
	if err != nil || got.Events[0].Revision != 3 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestConflictsRunOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.open(t, "c")
	b.log.before = func(n int, _ []eventlog.Write) error {
		b.log.foreign(aggregate("c"), "other", events.ConversationTagged{Tag: strconv.Itoa(n)})
		return nil
	}
	_, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{}, says("m1"))
	if fault.KindOf(err) != fault.Conflict || fault.CodeOf(err) != "conflict" {
		t.Errorf("got %v", err)
	}
	if _, appends := b.log.counts(); appends != 1+4 {
		t.Errorf("%d appends, want one and three more", appends-1)
	}
}

func TestUnknownOutcome(t *testing.T) {
	t.Parallel()
	for name, happened := range map[string]bool{"it was written": true, "it was not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.open(t, "c")
			b.log.before = func(n int, _ []eventlog.Write) error {
				if n == 2 && !happened {
					return eventlog.ErrUnknownOutcome
				}
				return nil
			}
			b.log.after = func(n int) error {
				if n == 2 {
					return eventlog.ErrUnknownOutcome
				}
				return nil
			}
			got, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{}, says("m1"))
			if err != nil || got.Replayed || len(got.Events) != 1 || got.Position.Sequence != 2 {
				t.Errorf("%+v, %v", got, err)
			}
			if n := len(b.log.all); n != 2 {
				t.Errorf("%d events, want 2: once", n)
			}
		})
	}
}

func TestUnknownOutcomeForEver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.open(t, "c")
	b.log.before = func(int, []eventlog.Write) error { return eventlog.ErrUnknownOutcome }
	_, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{}, says("m1"))
	if !errors.Is(err, command.ErrUnknownOutcome) {
		t.Errorf("got %v", err)
	}
}

func TestOtherErrorsAreNotTriedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.open(t, "c")
	away := fault.New(fault.Unavailable, "log_unavailable", "away")
	b.log.before = func(int, []eventlog.Write) error { return away }
	_, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{}, says("m1"))
	if _, appends := b.log.counts(); !errors.Is(err, away) || appends != 2 {
		t.Errorf("%v after %d appends", err, appends)
	}
	b.log.before = nil
	if _, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{}, says("m1")); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestUnknownEventRefusesToDecide(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.open(t, "c")
	b.log.foreign(aggregate("c"), "newer", events.Unknown{Type: "conversation.teleported.v1", Reason: "not known"})
	for name, b := range map[string]bundle{"warm": b, "cold": b.restart()} {
		_, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{}, says("m1"))
		if !errors.Is(err, command.ErrEventUnknown) || fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestInvalidID(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.conversations.Handle(t.Context(), org, "a.b", command.Meta{}, open); fault.KindOf(err) != fault.Invalid {
		t.Errorf("got %v", err)
	}
	if _, seq, err := b.conversations.State(t.Context(), org, "a.b"); seq != 0 || err != nil {
		t.Errorf("state of what cannot exist: %d, %v", seq, err)
	}
}

func TestManyCallersOfOneAggregate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.open(t, "c")
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for j := range 10 {
				id := strconv.Itoa(i) + "-" + strconv.Itoa(j)
				if _, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{ID: id}, says("m"+id)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i, r := range b.log.all {
		if r.Revision != uint64(i)+1 {
			t.Fatalf("event %d has revision %d", i, r.Revision)
		}
	}
	if reads, appends := b.log.counts(); len(b.log.all) != 641 || appends != 641 || reads != 1 {
		t.Errorf("%d events by %d appends and %d reads; callers of one process queue up", len(b.log.all), appends, reads)
	}
}

func TestTwoProcessesOnOneAggregate(t *testing.T) {
	t.Parallel()
	one := setup(t)
	one.open(t, "c")
	two := one.restart()
	var wg sync.WaitGroup
	for i, b := range []bundle{one, two} {
		wg.Go(func() {
			for j := range 100 {
				id := strconv.Itoa(i) + "-" + strconv.Itoa(j)
				for { // a conflict is a proper answer when it keeps happening
					_, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{ID: id}, says("m"+id))
					if err == nil {
						break
					}
					if !errors.Is(err, command.ErrConflict) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if len(one.log.all) != 201 {
		t.Errorf("%d events, want 201", len(one.log.all))
	}
	for i, r := range one.log.all {
		if r.Revision != uint64(i)+1 {
			t.Fatalf("event %d has revision %d", i, r.Revision)
		}
	}
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.open(t, "c")
	inside, leave := make(chan struct{}), make(chan struct{})
	b.log.before = func(n int, _ []eventlog.Write) error {
		if n == 2 {
			close(inside)
			<-leave
		}
		return nil
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{}, says("m1")); err != nil {
			t.Error(err)
		}
	})
	<-inside
	ctx, cancel := context.WithCancel(t.Context())
	answer := make(chan error)
	go func() {
		_, err := b.conversations.Handle(ctx, org, "c", command.Meta{}, says("m2"))
		answer <- err
	}()
	cancel()
	if err := <-answer; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(leave)
	wg.Wait()
	if _, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{}, says("m3")); err != nil {
		t.Errorf("the lock was lost: %v", err)
	}
}

// A fold that is known to be behind is brought up before it is decided on: the append does not have to be refused first.
func TestHeardOfAnother(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.open(t, "c")
	b.log.foreign(aggregate("c"), "theirs", events.ConversationTagged{Tag: "vip"})
	b.log.mu.Lock()
	b.log.heard = map[events.Aggregate]uint64{aggregate("c"): b.log.last(aggregate("c"))}
	b.log.mu.Unlock()
	_, before := b.log.counts()
	if _, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{ID: "mine"}, says("m1")); err != nil {
		t.Fatal(err)
	}
	if _, after := b.log.counts(); after != before+1 {
		t.Errorf("%d appends for one command", after-before)
	}
}

// When nobody knows what became of the first try, the refusal of a later one is no news of somebody else: the caller is
// told to ask again with the same key, and not that there is a conflict.
func TestConflictAfterUnknownOutcome(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.open(t, "c")
	_, first := b.log.counts()
	b.log.mu.Lock()
	b.log.before = func(n int, _ []eventlog.Write) error {
		if n == first+1 {
			return eventlog.ErrUnknownOutcome
		}
		return eventlog.ErrConflict
	}
	b.log.mu.Unlock()
	_, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{ID: "mine"}, says("m1"))
	if !errors.Is(err, command.ErrUnknownOutcome) {
		t.Errorf("got %v", err)
	}
}

// Two tries whose outcome is unknown, and the first of them comes through late: it is the caller's own, and no replay.
func TestOwnEarlierTry(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.open(t, "c")
	_, first := b.log.counts()
	var late []eventlog.Write
	b.log.mu.Lock()
	b.log.before = func(n int, writes []eventlog.Write) error {
		switch n {
		case first + 1:
			late = writes
			return eventlog.ErrUnknownOutcome
		default:
			b.log.mu.Lock()
			defer b.log.mu.Unlock()
			if b.log.last(late[0].Aggregate) == late[0].Expected {
				b.log.put(late[0].Aggregate, late[0].Drafts[0])
			}
			return eventlog.ErrConflict
		}
	}
	b.log.mu.Unlock()
	r, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{ID: "mine"}, says("m1"))
	if err != nil || r.Replayed || len(r.Events) != 1 {
		t.Errorf("got %+v, %v", r, err)
	}
}

package command_test

import (
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/claim"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
)

// begin claims an address for a customer and opens a conversation, together.
func (b bundle) begin(t *testing.T, m command.Meta, id, customer string) (command.Result, error) {
	t.Helper()
	return b.loop.Atomic(t.Context(), m, func(tx *command.Tx) error {
		if _, _, err := command.Peek(tx, b.conversations, org, id); err != nil {
			return err
		}
		if err := command.Stage[claim.State, claim.Command](tx, b.claims, org, "address", claim.Take{CustomerID: customer, Type: events.IdentityEmail}); err != nil {
			return err
		}
		if err := command.Stage[conversation.State, conversation.Command](tx, b.conversations, org, id, open); err != nil {
			return err
		}
		return command.Stage[conversation.State, conversation.Command](tx, b.conversations, org, id, says("m"))
	})
}

func TestAtomic(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := command.Meta{ID: "cmd", Digest: "d"}
	first, err := b.begin(t, m, "c", "ann")
	if err != nil || len(first.Events) != 3 || first.Position != b.log.Position(aggregate("c"), 3) || first.Replayed {
		t.Fatalf("%+v, %v", first, err)
	}
	if _, appends := b.log.counts(); appends != 1 {
		t.Errorf("%d appends, want one batch", appends)
	}
	if first.Events[1].Revision != 1 || first.Events[2].Revision != 2 {
		t.Errorf("revisions %d, %d", first.Events[1].Revision, first.Events[2].Revision)
	}
	for name, b := range map[string]bundle{"warm": b, "after a restart": b.restart()} {
		again, err := b.begin(t, m, "c", "ann")
		if err != nil || !again.Replayed || len(again.Events) != 2 || again.Position != first.Position {
			t.Errorf("%s: %+v, %v; want the first conversation", name, again, err)
		}
		if _, err := b.begin(t, command.Meta{ID: "cmd", Digest: "e"}, "c", "ann"); !errors.Is(err, command.ErrKeyReused) {
			t.Errorf("%s: other digest: %v", name, err)
		}
	}
	// The batch warmed what it wrote.
	reads, _ := b.log.counts()
	if _, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{}, says("m2")); err != nil {
		t.Fatal(err)
	}
	if after, _ := b.log.counts(); after != reads {
		t.Errorf("%d reads after the batch", after-reads)
	}
}

func TestAtomicAllOrNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.begin(t, command.Meta{}, "c1", "ann"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.begin(t, command.Meta{}, "c2", "bob"); !errors.Is(err, claim.ErrTaken) {
		t.Errorf("got %v", err)
	}
	if _, seq, err := b.conversations.State(t.Context(), org, "c2"); seq != 0 || err != nil {
		t.Errorf("the conversation is there without its claim: %d, %v", seq, err)
	}
}

func TestTwoCreatorsOfOneClaim(t *testing.T) {
	t.Parallel()
	one := setup(t)
	two := one.restart()
	// The second process writes while the first, which saw a free claim, is about to.
	one.log.before = func(n int, _ []eventlog.Write) error {
		if n != 1 {
			return nil
		}
		if _, err := two.begin(t, command.Meta{}, "c2", "bob"); err != nil {
			t.Error(err)
		}
		return nil
	}
	if _, err := one.begin(t, command.Meta{}, "c1", "ann"); !errors.Is(err, claim.ErrTaken) {
		t.Errorf("got %v", err)
	}
	if len(one.log.all) != 3 {
		t.Errorf("%d events, want those of one creator", len(one.log.all))
	}
}

func TestAtomicUnknownOutcome(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.log.after = func(n int) error {
		if n == 1 {
			return eventlog.ErrUnknownOutcome
		}
		return nil
	}
	got, err := b.begin(t, command.Meta{}, "c", "ann")
	if err != nil || got.Replayed || got.Position.Sequence != 3 || len(b.log.all) != 3 {
		t.Errorf("%+v, %v, %d events", got, err, len(b.log.all))
	}
}

func TestAtomicConflictsRunOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.log.before = func(int, []eventlog.Write) error { return eventlog.ErrConflict }
	runs := 0
	_, err := b.loop.Atomic(t.Context(), command.Meta{}, func(tx *command.Tx) error {
		runs++
		return command.Stage[conversation.State, conversation.Command](tx, b.conversations, org, "c", open)
	})
	if !errors.Is(err, command.ErrConflict) || runs != 4 {
		t.Errorf("%v after %d runs", err, runs)
	}
}

func TestAtomicOfNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.open(t, "c")
	got, err := b.loop.Atomic(t.Context(), command.Meta{}, func(tx *command.Tx) error {
		return command.Stage[conversation.State, conversation.Command](tx, b.conversations, org, "c", conversation.Reopen{})
	})
	if err != nil || len(got.Events) != 0 || got.Position.Sequence != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	looked, err := b.loop.Atomic(t.Context(), command.Meta{}, func(tx *command.Tx) error {
		if _, _, err := command.Peek(tx, b.claims, org, "nobody"); err != nil {
			return err
		}
		_, _, err := command.Peek(tx, b.conversations, org, "c")
		return err
	})
	if err != nil || looked.Position != got.Position {
		t.Errorf("who only looked: %+v, %v", looked, err)
	}
	if _, err := b.loop.Atomic(t.Context(), command.Meta{}, func(*command.Tx) error { return nil }); err == nil {
		t.Error("a success without a position")
	}
}

// Batches over the same aggregates in opposite orders, and single commands in between, neither hang nor lose.
func TestAtomicInOppositeOrders(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.open(t, "a")
	b.open(t, "b")
	var wg sync.WaitGroup
	const callers, rounds = 8, 20
	insist := func(run func() error) {
		for {
			err := run()
			if err == nil {
				return
			}
			if !errors.Is(err, command.ErrConflict) {
				t.Error(err)
				return
			}
		}
	}
	for i := range callers {
		wg.Go(func() {
			for j := range rounds {
				name := strconv.Itoa(i) + "-" + strconv.Itoa(j)
				ids := []string{"a", "b"}
				if i%2 == 1 {
					ids = []string{"b", "a"}
				}
				insist(func() error {
					_, err := b.loop.Atomic(t.Context(), command.Meta{ID: name}, func(tx *command.Tx) error {
						for _, id := range ids {
							if err := command.Stage[conversation.State, conversation.Command](tx, b.conversations, org, id, says("tx"+name)); err != nil {
								return err
							}
						}
						return nil
					})
					return err
				})
				insist(func() error {
					_, err := b.conversations.Handle(t.Context(), org, ids[0], command.Meta{ID: "one-" + name}, says("one"+name))
					return err
				})
			}
		})
	}
	wg.Wait()
	if n := len(b.log.all); n != 2+callers*rounds*3 {
		t.Errorf("%d events, want %d", n, 2+callers*rounds*3)
	}
	next := map[events.Aggregate]uint64{}
	for _, r := range b.log.all {
		if next[r.Aggregate]++; r.Revision != next[r.Aggregate] {
			t.Fatalf("%s: revision %d, want %d", r.Aggregate, r.Revision, next[r.Aggregate])
		}
	}
}

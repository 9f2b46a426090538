package command_test

import (
	"errors"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/claim"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
)

// TestErasedElsewhere: another process has erased a history that is warm here. Nothing of it is believed any more.
func TestErasedElsewhere(t *testing.T) {
	t.Parallel()
	handle := func(t *testing.T, b bundle, id string, c conversation.Command) (command.Result, error) {
		t.Helper()
		return b.conversations.Handle(t.Context(), org, "c", command.Meta{ID: id}, c)
	}
	for name, check := range map[string]func(t *testing.T, b bundle){
		"the state is what is left": func(t *testing.T, b bundle) {
			t.Helper()
			if s, seq, err := b.conversations.State(t.Context(), org, "c"); s.Exists || seq != 0 || err != nil {
				t.Errorf("%+v at %d, %v", s, seq, err)
			}
		},
		"a refusal is not of the past": func(t *testing.T, b bundle) {
			t.Helper()
			_, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{}, conversation.Assign{AgentID: "ann"})
			if !errors.Is(err, conversation.ErrNotFound) {
				t.Errorf("got %v", err)
			}
		},
		"nothing new is not of the past": func(t *testing.T, b bundle) {
			t.Helper()
			if _, err := handle(t, b, "other", says("m1")); !errors.Is(err, conversation.ErrNotFound) {
				t.Errorf("got %v", err)
			}
		},
		"news find out": func(t *testing.T, b bundle) {
			t.Helper()
			if _, err := handle(t, b, "other", says("m2")); !errors.Is(err, conversation.ErrNotFound) {
				t.Errorf("got %v", err)
			}
		},
		"a command that was erased is a new one": func(t *testing.T, b bundle) {
			t.Helper()
			if got, err := handle(t, b, "open-c", open); err != nil || got.Replayed || got.Position.Sequence != 4 || got.Events[0].Revision != 1 {
				t.Errorf("%+v, %v", got, err)
			}
		},
		"and so it is in a batch": func(t *testing.T, b bundle) {
			t.Helper()
			if got, err := b.begin(t, command.Meta{ID: "open-c"}, "c", "ann"); err != nil || got.Replayed || len(got.Events) != 3 {
				t.Errorf("%+v, %v", got, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.open(t, "c")
			_, said := handle(t, b, "says", says("m1"))
			_, closed := handle(t, b, "closes", conversation.Close{Reason: "done"})
			if err := errors.Join(said, closed); err != nil {
				t.Fatal(err)
			}
			b.log.purge(aggregate("c"), 4)
			check(t, b)
		})
	}
}

// TestErasedUpToATombstone: the last event is still there, so that nothing tells of the erasure but the missing events of
// a command that comes again.
func TestErasedUpToATombstone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.open(t, "c")
	if _, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{ID: "says"}, says("m1")); err != nil {
		t.Fatal(err)
	}
	b.log.purge(aggregate("c"), 2)
	_, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{ID: "open-c"}, conversation.Close{Reason: "done"})
	if !errors.Is(err, conversation.ErrNotFound) { // a message alone is no conversation
		t.Errorf("a command that was erased: %v", err)
	}
	if got, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{ID: "says"}, says("m1")); err != nil || !got.Replayed || got.Position.Sequence != 2 {
		t.Errorf("a command that is left: %+v, %v", got, err)
	}
}

// TestErasedClaim: a warm claim that was erased is free, and is taken at the second attempt at the latest.
func TestErasedClaim(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.begin(t, command.Meta{ID: "one"}, "c", "ann"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.begin(t, command.Meta{ID: "two"}, "d", "bob"); !errors.Is(err, claim.ErrTaken) {
		t.Fatalf("got %v", err)
	}
	b.log.purge(events.Aggregate{Org: org, Kind: events.KindClaim, ID: "address"}, 100)
	if got, err := b.begin(t, command.Meta{ID: "two"}, "d", "bob"); err != nil || got.Events[0].Revision != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

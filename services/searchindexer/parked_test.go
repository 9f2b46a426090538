package searchindexer_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// grumpy is an engine that takes nothing of one conversation for a while.
type grumpy struct {
	search.Engine
	id     string
	refuse *atomic.Bool
}

func (g grumpy) Open(ctx context.Context, partition int) (projections.Session, error) {
	s, err := g.Engine.Open(ctx, partition)
	return grumpySession{s, g}, err
}

type grumpySession struct {
	projections.Session
	g grumpy
}

func (s grumpySession) Commit(ctx context.Context, c projections.Commit) error {
	for _, e := range c.Events {
		if e.Aggregate.ID == s.g.id && s.g.refuse.Load() {
			return errors.New("not this one")
		}
	}
	return s.Session.Commit(ctx, c)
}

func TestParkedKeysAreRetriedAndDropped(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var refuse atomic.Bool
	refuse.Store(true)
	open := b.open
	b.open = func(ctx context.Context) (search.Engine, error) {
		e, err := open(ctx)
		return grumpy{e, "later", &refuse}, err
	}
	b.start(t)
	b.write(t, "org", "odd", opened("Odd"), events.Unknown{Type: "conversation.sung.v9"}, events.ConversationMessageReceived{MessageID: "m", Text: "behind it"})
	b.write(t, "org", "later", opened("Later"))
	odd, later := "org.conversation.odd", "org.conversation.later"

	attempts := func(want map[string]int) map[string]projections.Parked {
		t.Helper()
		return until(t, func() (map[string]projections.Parked, error) {
			list, err := b.client.Parked(t.Context())
			found := map[string]projections.Parked{}
			for _, p := range list {
				found[p.Key()] = p
				if p.Asked != "" || p.Attempts < want[p.Key()] {
					err = fmt.Errorf("still at it: %+v", p)
				}
			}
			if len(found) != len(want) {
				err = fmt.Errorf("parked %+v, want %v: %w", list, want, err)
			}
			return found, err
		})
	}
	before := attempts(map[string]int{odd: 1, later: 1})
	if p := before[odd]; p.Projection != "search" || p.Type != "conversation.sung.v9" || p.Error == "" || p.Since.IsZero() {
		t.Errorf("%+v", p)
	}

	// A retry while the reason is still there fails again, and is not repeated by itself.
	at := before[odd].Sequence
	if err := b.client.DropParked(t.Context(), odd, at-1); fault.CodeOf(err) != "parked_elsewhere" || fault.KindOf(err) != fault.Conflict {
		t.Errorf("an event that is not the one parked: %v", err)
	}
	if err := b.client.RetryParked(t.Context(), odd, at); err != nil {
		t.Fatal(err)
	}
	attempts(map[string]int{odd: before[odd].Attempts + 1, later: 1})

	refuse.Store(false)
	if err := errors.Join(b.client.RetryParked(t.Context(), later, before[later].Sequence), b.client.DropParked(t.Context(), odd, at)); err != nil {
		t.Fatal(err)
	}
	attempts(map[string]int{})
	for _, words := range []string{"later", "behind"} { // what was retried, and what waited behind what was dropped
		if a, err := b.client.Search(t.Context(), search.Request{Org: "org", Q: words}); err != nil || a.Total != 1 {
			t.Errorf("%s: %+v, %v", words, a, err)
		}
	}
	if err := b.client.DropParked(t.Context(), odd, at); fault.CodeOf(err) != "not_parked" || fault.KindOf(err) != fault.NotFound {
		t.Errorf("again: %v", err)
	}
	for _, body := range []string{"{", `{"key":"org.conversation.odd","ask":"forget"}`} {
		msg, err := b.log.Conn().RequestWithContext(t.Context(), search.SubjectAsk, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if err := search.Decode(msg.Data, nil); fault.CodeOf(err) != "request_invalid" {
			t.Errorf("%s: %v", body, err)
		}
	}
}

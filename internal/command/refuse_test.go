package command_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/command"
)

// TestRefuse: what has happened answers as the first time, whoever asks; anything else gets the refusal, and no trace.
func TestRefuse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.open(t, "c")
	m := command.Meta{ID: "cmd", Digest: "d"}
	first, err := b.conversations.Handle(t.Context(), org, "c", m, says("m1"))
	if err != nil {
		t.Fatal(err)
	}
	closed := errors.New("nobody is there any more")
	for name, b := range map[string]bundle{"warm": b, "another process": b.restart()} {
		got, err := b.conversations.Refuse(t.Context(), org, "c", m, closed)
		if err != nil || got.Position != first.Position || !got.Replayed || len(got.Events) != 1 || !reflect.DeepEqual(got.Events[0].Event, first.Events[0].Event) {
			t.Errorf("%s: %+v %v, first %+v", name, got, err, first)
		}
		if _, err := b.conversations.Refuse(t.Context(), org, "c", command.Meta{ID: "cmd", Digest: "e"}, closed); !errors.Is(err, command.ErrKeyReused) {
			t.Errorf("%s: other digest: %v", name, err)
		}
		for id, m := range map[string]command.Meta{"c": {ID: "another", Digest: "d"}, "none": m} {
			if _, err := b.conversations.Refuse(t.Context(), org, id, m, closed); !errors.Is(err, closed) {
				t.Errorf("%s: %s of %s: %v", name, m.ID, id, err)
			}
		}
	}
	again, err := b.conversations.Handle(t.Context(), org, "c", command.Meta{ID: "another", Digest: "d"}, says("m2"))
	if err != nil || again.Replayed || again.Position.Sequence != first.Position.Sequence+1 {
		t.Errorf("after a refusal: %+v %v", again, err)
	}
}

package queue_test

import (
	"errors"
	"reflect"
	"strconv"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/queue"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
)

type row struct {
	name  string
	given []events.Event
	when  queue.Command
	then  []events.Event // none: nothing new
	err   error
}

func is(all ...events.Event) []events.Event { return all }

// run also decides each command again after its events: that adds nothing.
func run(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			var s queue.State
			for _, e := range r.given {
				s = queue.Evolve(s, e)
			}
			got, err := queue.Decide(s, r.when)
			if !errors.Is(err, r.err) || (err == nil) != (r.err == nil) {
				t.Fatalf("got %v, want %v", err, r.err)
			}
			if !reflect.DeepEqual(got, r.then) {
				t.Errorf("got  %#v\nwant %#v", got, r.then)
			}
			for _, e := range got {
				s = queue.Evolve(s, e)
			}
			if again, err := queue.Decide(s, r.when); len(got) > 0 && (len(again) > 0 || err != nil) {
				t.Errorf("again: %#v, %v", again, err)
			}
		})
	}
}

// Folding never panics, whatever comes first and whoever's event it is.
func TestFoldsAnything(t *testing.T) {
	t.Parallel()
	var s queue.State
	for range 2 {
		for _, info := range events.Types() {
			if info.Sample != nil {
				s = queue.Evolve(s, info.Sample)
			}
		}
		s = queue.Evolve(s, events.Unknown{Type: "queue.cloned.v1"})
	}
}

func TestUnhandledCommandPanics(t *testing.T) {
	t.Parallel()
	var s queue.State
	for _, e := range created {
		s = queue.Evolve(s, e)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	_, _ = queue.Decide(s, nil)
}

var created = is(events.QueueCreated{Name: "Support"})

func has(all ...events.Event) []events.Event { return append(is(created...), all...) }

func TestQueue(t *testing.T) {
	t.Parallel()
	added, archived := events.QueueMemberAdded{AgentID: "ann"}, events.QueueArchived{Reason: "unused"}
	full := has()
	for i := range queue.MaxMembers {
		full = append(full, events.QueueMemberAdded{AgentID: "a" + strconv.Itoa(i)})
	}
	run(t, []row{
		{"create", nil, queue.Create{Name: "Support"}, created, nil},
		{"create again", created, queue.Create{Name: "Support"}, nil, nil},
		{"create another", created, queue.Create{Name: "Sales"}, nil, queue.ErrExists},
		{"no name", nil, queue.Create{}, nil, refusal.ErrTextInvalid},
		{"rename", created, queue.Rename{Name: "Help"}, is(events.QueueRenamed{Name: "Help"}), nil},
		{"rename nothing", nil, queue.Rename{Name: "Help"}, nil, queue.ErrNotFound},
		{"add", created, queue.AddMember{AgentID: "ann"}, is(added), nil},
		{"add again", has(added), queue.AddMember{AgentID: "ann"}, nil, nil},
		{"add to a full one", full, queue.AddMember{AgentID: "ann"}, nil, refusal.ErrQueueMembers},
		{"add to an archived one", has(archived), queue.AddMember{AgentID: "ann"}, nil, queue.ErrArchived},
		{"remove", has(added), queue.RemoveMember{AgentID: "ann", Reason: "moved"}, is(events.QueueMemberRemoved{AgentID: "ann", Reason: "moved"}), nil},
		{"remove from an archived one", has(added, archived), queue.RemoveMember{AgentID: "ann", Reason: "moved"}, is(events.QueueMemberRemoved{AgentID: "ann", Reason: "moved"}), nil},
		{"remove who is no member", created, queue.RemoveMember{AgentID: "ann"}, nil, nil},
		{"archive", created, queue.Archive{Reason: "unused"}, is(archived), nil},
		{"archive again", has(archived), queue.Archive{}, nil, nil},
	})
}

package api

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/maypok86/otter/v2"

	"github.com/tidemark-desk/tidemark/events"
)

const (
	nobody       = "none"  // in a query: in no queue, or of no agent
	rememberMost = 1 << 15 // conversations whose places are remembered
)

// place is where a conversation is: in which queue, and with which agent.
type place struct{ queue, assignee string }

func (p place) after(e events.Event) place {
	switch e := e.(type) {
	case events.ConversationQueued:
		p.queue = e.QueueID
	case events.ConversationAssigned:
		p.assignee = e.AgentID
	case events.ConversationUnassigned:
		p.assignee = ""
	}
	return p
}

// scope is which conversations a stream is about. An empty part is any, a pointer to nothing is none.
type scope struct{ queue, assignee *string }

func (in *StreamInput) scope(c *caller) scope {
	named := func(id string) *string {
		switch id {
		case "":
			return nil
		case nobody:
			id = ""
		}
		return &id
	}
	return scope{queue: named(in.Queue), assignee: named(c.agent(in.Assignee))}
}

func (s scope) has(p place) bool {
	return (s.queue == nil || *s.queue == p.queue) && (s.assignee == nil || *s.assignee == p.assignee)
}

// places knows where conversations were when an event happened to them, so that the scope of a stream is decided by the
// log alone, however long ago it was. All streams of the process share it: a conversation is folded once, and from then
// on with each event that comes. What is not remembered is read from the conversation's own history.
type places struct {
	log   Log
	known *otter.Cache[events.Aggregate, *moves]
}

func newPlaces(log Log) *places {
	return &places{log: log, known: otter.Must(&otter.Options[events.Aggregate, *moves]{MaximumSize: rememberMost})}
}

// moves are all places that a conversation had, oldest first.
type moves struct {
	mu       sync.Mutex
	all      []move
	sequence uint64 // up to where the conversation is folded
	revision uint64
}

// move says where the conversation is from an event on.
type move struct {
	from uint64
	place
}

// in tells whether an event belongs to a stream: when its conversation is in scope before it or after it, so that also
// the event that leads out of it does. Every scope is told of an erasure: what it erased is not known any more.
func (p *places) in(ctx context.Context, s scope, e events.Recorded) (bool, error) {
	if s == (scope{}) || e.Kind != events.KindConversation {
		return true, nil
	}
	if _, erased := e.Event.(events.ConversationErased); erased {
		return true, nil
	}
	m, ok := p.known.GetIfPresent(e.Aggregate)
	if !ok {
		m, _ = p.known.SetIfAbsent(e.Aggregate, &moves{})
	}
	before, err := p.before(ctx, m, e)
	if err != nil {
		return false, fmt.Errorf("find where %s was at %d: %w", e.Aggregate, e.Sequence, err)
	}
	return s.has(before) || s.has(before.after(e.Event)), nil
}

// before is where the conversation was until e.
func (p *places) before(ctx context.Context, m *moves, e events.Recorded) (place, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sequence < e.Sequence {
		if m.revision+1 != e.Revision { // not all between is known
			past, err := p.log.Past(ctx, e, m.sequence)
			if err != nil {
				return place{}, err
			}
			for _, r := range past {
				m.fold(r)
			}
		}
		m.fold(e)
	}
	for _, was := range slices.Backward(m.all) {
		if was.from < e.Sequence {
			return was.place, nil
		}
	}
	return place{}, nil
}

func (m *moves) fold(r events.Recorded) {
	var now place
	if n := len(m.all); n > 0 {
		now = m.all[n-1].place
	}
	if next := now.after(r.Event); next != now {
		m.all = append(m.all, move{from: r.Sequence, place: next})
	}
	m.sequence, m.revision = r.Sequence, r.Revision
}

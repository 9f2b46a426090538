package searchindexer

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/tidemark-desk/tidemark/projections"
)

// tracker stands between the runner and the engine. It tells those who wait for a position when it is there, and
// remembers what operators ask of parked keys until it is done: in memory, for this process owns the whole index, and
// who asked sees in the list of parked keys when a restart has forgotten it.
type tracker struct {
	projections.Sink

	mu     sync.Mutex
	states map[int]projections.State
	asked  map[string]projections.Request // by parked key
	moved  chan struct{}                  // closed when a state changes
}

func newTracker(sink projections.Sink) *tracker {
	return &tracker{Sink: sink, states: map[int]projections.State{}, asked: map[string]projections.Request{}, moved: make(chan struct{})}
}

func (t *tracker) Open(ctx context.Context, partition int) (projections.Session, error) {
	session, err := t.Sink.Open(ctx, partition)
	if err != nil {
		return nil, err
	}
	t.note(partition, session.State())
	return &trackedSession{Session: session, tracker: t, partition: partition}, nil
}

func (t *tracker) note(partition int, s projections.State) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.Parked = maps.Clone(s.Parked)
	t.states[partition] = s
	close(t.moved)
	t.moved = make(chan struct{})
}

// applied tells whether a position is in the index, and if not, what to wait for.
func (t *tracker) applied(partition int, sequence uint64) (bool, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, known := t.states[partition]
	return known && s.Progress.Applied(sequence), t.moved
}

// checkpoint is how far a partition has been committed; the runner's own status follows a moment later.
func (t *tracker) checkpoint(partition int) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.states[partition].Progress.Checkpoint
}

func (t *tracker) parked() []projections.Parked {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := []projections.Parked{}
	for _, s := range t.states {
		for key, p := range s.Parked {
			p.Asked = t.asked[key].Ask
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b projections.Parked) int {
		return cmp.Or(a.Since.Compare(b.Since), strings.Compare(a.Key(), b.Key()))
	})
	return list
}

// ask notes what is asked of a key that is parked at the event that was seen. The last word counts.
func (t *tracker) ask(r projections.Request) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.states {
		p, parked := s.Parked[r.Key]
		switch {
		case parked && p.Sequence == r.Sequence:
			t.asked[r.Key] = r
			return nil
		case parked:
			return projections.NotAskable(&p)
		}
	}
	return projections.NotAskable(nil)
}

// requests are what is asked of a partition's keys and has not been done.
func (t *tracker) requests(partition int) []projections.Request {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []projections.Request
	for key := range t.states[partition].Parked {
		if r, asked := t.asked[key]; asked {
			list = append(list, r)
		}
	}
	return list
}

// done forgets what was asked of keys that a commit has freed, or parked again.
func (t *tracker) done(c projections.Commit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, key := range c.Unpark {
		delete(t.asked, key)
	}
	for _, p := range c.Park {
		delete(t.asked, p.Key())
	}
}

type trackedSession struct {
	projections.Session
	tracker   *tracker
	partition int
}

func (s *trackedSession) Commit(ctx context.Context, c projections.Commit) error {
	if err := s.Session.Commit(ctx, c); err != nil {
		return err
	}
	s.tracker.done(c)
	s.tracker.note(s.partition, s.State())
	return nil
}

func (s *trackedSession) Requests(ctx context.Context) ([]projections.Request, error) {
	list, err := s.Session.Requests(ctx)
	if err != nil {
		return nil, err
	}
	return append(list, s.tracker.requests(s.partition)...), nil
}

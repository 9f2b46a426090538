package searchindexer

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tidemark-desk/tidemark/internal/run"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// tracker stands between the runner and the engine. It tells those who wait for a position when it is there, and
// remembers what operators ask of parked keys until it is done: in memory, for this process owns the whole index, and
// who asked sees in the list of parked keys when a restart has forgotten it.
type tracker struct {
	projections.Sink

	head func() uint64 // of the log
	came chan struct{} // something was committed that searches may not find yet
	soon chan struct{} // and it should be found soon

	mu      sync.Mutex
	pending map[int]projections.State      // committed
	commits uint64                         // how many there were
	shown   uint64                         // how many of them searches find
	since   time.Time                      // when the first that they do not find was made; zero: they find all
	states  map[int]projections.State      // and found by searches
	asked   map[string]projections.Request // by parked key
	moved   chan struct{}                  // closed when a state changes
}

// A refresh shows what a commit wrote, and costs about as much as the commit. While a partition only works off a backlog, searches
// find that some intervals later; what happens now they find with the next one.
const (
	farBehind    = 10_000 // sequences of the log
	lateInterval = 5      // times as long as others
)

func newTracker(sink projections.Sink, head func() uint64) *tracker {
	return &tracker{
		Sink: sink, head: head, came: make(chan struct{}, 1), soon: make(chan struct{}, 1), pending: map[int]projections.State{}, states: map[int]projections.State{},
		asked: map[string]projections.Request{}, moved: make(chan struct{}),
	}
}

func (t *tracker) Open(ctx context.Context, partition int) (projections.Session, error) {
	session, err := t.Sink.Open(ctx, partition)
	if err != nil {
		return nil, err
	}
	t.committed(partition, session.State(), true)
	return &trackedSession{Session: session, tracker: t, partition: partition}, nil
}

// committed notes a state that searches will show with the next refresh, and whether that should be soon.
func (t *tracker) committed(partition int, s projections.State, soon bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.Parked = maps.Clone(s.Parked)
	t.pending[partition] = s
	t.commits++
	if t.since.IsZero() {
		t.since = time.Now()
	}
	run.Signal(t.came)
	if soon {
		run.Signal(t.soon)
	}
}

// refreshing has the engine show what was committed, until ctx ends. An engine that is away is asked again.
func (t *tracker) refreshing(ctx context.Context, engine search.Engine) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.came:
		}
		select {
		case <-t.soon:
		default:
		}
		t.mu.Lock()
		now, commits, began := maps.Clone(t.pending), t.commits, time.Now()
		t.mu.Unlock()
		if err := engine.Refresh(ctx); err != nil {
			run.Signal(t.came)
			_ = run.Pause(ctx, max(engine.RefreshInterval(), time.Second))
			continue
		}
		t.mu.Lock()
		maps.Copy(t.states, now)
		if t.shown, t.since = commits, began; t.commits == commits {
			t.since = time.Time{}
		}
		close(t.moved)
		t.moved = make(chan struct{})
		t.mu.Unlock()
		_ = run.Pause(ctx, engine.RefreshInterval())
		late := time.NewTimer((lateInterval - 1) * engine.RefreshInterval())
		select {
		case <-ctx.Done():
		case <-t.soon:
		case <-late.C:
		}
		late.Stop()
	}
}

// applied tells whether a position is in the index, and if not, what to wait for.
func (t *tracker) applied(partition int, sequence uint64) (bool, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, known := t.states[partition]
	return known && s.Progress.Applied(sequence), t.moved
}

// checkpoint is how far searches find what a partition committed. clean: they find all that any has.
func (t *tracker) checkpoint(partition int) (sequence uint64, clean bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.states[partition].Progress.Checkpoint, t.shown == t.commits
}

// hidden is for how long something has been committed that searches do not find.
func (t *tracker) hidden() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.since.IsZero() {
		return 0
	}
	return time.Since(t.since)
}

func (t *tracker) parked() []projections.Parked {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := []projections.Parked{}
	for _, s := range t.pending {
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
	for _, s := range t.pending {
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
	for key := range t.pending[partition].Parked {
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
	before := s.State().Progress
	if err := s.Session.Commit(ctx, c); err != nil {
		return err
	}
	s.tracker.done(c)
	live := c.Progress.LiveThrough != before.LiveThrough
	s.tracker.committed(s.partition, s.State(), live || s.tracker.head() < c.Progress.Checkpoint+farBehind)
	return nil
}

func (s *trackedSession) Requests(ctx context.Context) ([]projections.Request, error) {
	list, err := s.Session.Requests(ctx)
	if err != nil {
		return nil, err
	}
	return append(list, s.tracker.requests(s.partition)...), nil
}

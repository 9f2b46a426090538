package projections

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
)

// memoryLog is a log with state: what the engine needs of the real one.
type memoryLog struct {
	parts   int
	mu      sync.Mutex
	all     []events.Recorded
	byKey   map[string][]int
	grew    chan struct{}
	reads   int
	blockAt int  // events in a block
	depth   int  // of the events that are appended: above 0 an automation makes them
	silent  bool // events do not tell where the one before them is
}

func newMemoryLog(parts int) *memoryLog {
	return &memoryLog{parts: parts, grew: make(chan struct{}), byKey: map[string][]int{}, blockAt: 256}
}

func (l *memoryLog) Incarnation() string { return "memory01" }
func (l *memoryLog) Partitions() int     { return l.parts }

func (l *memoryLog) append(a events.Aggregate, es ...events.Event) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range es {
		key := a.String()
		now := time.Now()
		l.all = append(l.all, events.Recorded{
			Aggregate: a, Partition: a.Partition(l.parts), Sequence: uint64(len(l.all) + 1), Stored: now, Size: 100, Event: e,
			Metadata: events.Metadata{ID: strconv.Itoa(len(l.all) + 1), Time: now, Depth: l.depth, Revision: uint64(len(l.byKey[key]) + 1)},
		})
		if of := l.byKey[key]; len(of) > 0 && !l.silent {
			l.all[len(l.all)-1].Before[0] = l.all[of[len(of)-1]].Sequence
		}
		l.byKey[key] = append(l.byKey[key], len(l.all)-1)
	}
	close(l.grew)
	l.grew = make(chan struct{})
	return uint64(len(l.all))
}

func (l *memoryLog) Block(_ context.Context, from uint64) (Block, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if from > uint64(len(l.all)) {
		return Block{Next: from}, nil
	}
	end := min(int(from)-1+l.blockAt, len(l.all))
	return Block{Events: l.all[from-1 : end : end], Next: uint64(end + 1)}, nil
}

func (l *memoryLog) Read(_ context.Context, a events.Aggregate, after uint64) ([]events.Recorded, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	var out []events.Recorded
	for _, i := range l.byKey[a.String()] {
		if l.all[i].Sequence > after {
			out = append(out, l.all[i])
		}
	}
	return out, nil
}

func (l *memoryLog) Past(ctx context.Context, r events.Recorded, after uint64) ([]events.Recorded, error) {
	all, err := l.Read(ctx, r.Aggregate, after)
	return slices.DeleteFunc(all, func(e events.Recorded) bool { return e.Sequence >= r.Sequence }), err
}

func (l *memoryLog) Head() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.all))
}

func (l *memoryLog) HeadOf(partition int) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range slices.Backward(l.all) {
		if r.Partition == partition {
			return r.Sequence
		}
	}
	return 0
}

func (l *memoryLog) HeadTime() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) == 0 {
		return time.Time{}
	}
	return l.all[len(l.all)-1].Stored
}

func (l *memoryLog) Wait(ctx context.Context, after uint64) error {
	for {
		l.mu.Lock()
		grew, head := l.grew, uint64(len(l.all))
		l.mu.Unlock()
		if head > after {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-grew:
		}
	}
}

var errPoison = errors.New("poison")

// memorySink keeps, of every key, the sequences that were applied, in the order in which they were.
type memorySink struct {
	mu       sync.Mutex
	parts    map[int]*memoryPart
	poison   map[uint64]bool // these fail
	failNext []error         // of the next commits
	lostNext bool            // the next commit succeeds, and its answer is lost
	onCommit func(Commit)    // seen before it takes effect
}

type memoryPart struct {
	epoch    int
	held     bool
	state    State
	rows     map[string][]uint64
	order    []uint64 // over all keys
	requests []Request
}

func newMemorySink() *memorySink {
	return &memorySink{parts: map[int]*memoryPart{}, poison: map[uint64]bool{}}
}

func (s *memorySink) part(id int) *memoryPart {
	p := s.parts[id]
	if p == nil {
		p = &memoryPart{rows: map[string][]uint64{}, state: State{Ahead: map[string]uint64{}, Parked: map[string]Parked{}}}
		s.parts[id] = p
	}
	return p
}

func (s *memorySink) Open(_ context.Context, id int) (Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.part(id)
	if p.held {
		return nil, ErrHeld
	}
	p.held = true
	p.epoch++
	return &memorySession{sink: s, part: p, epoch: p.epoch, state: clone(p.state)}, nil
}

func clone(s State) State {
	return State{Progress: s.Progress, Ahead: maps.Clone(s.Ahead), Parked: maps.Clone(s.Parked)}
}

type memorySession struct {
	sink  *memorySink
	part  *memoryPart
	epoch int
	state State
}

func (m *memorySession) State() State { return m.state }

func (m *memorySession) Requests(context.Context) ([]Request, error) {
	m.sink.mu.Lock()
	defer m.sink.mu.Unlock()
	r := m.part.requests
	m.part.requests = nil
	return r, nil
}

func (m *memorySession) Close(context.Context) error {
	m.sink.mu.Lock()
	defer m.sink.mu.Unlock()
	if m.part.epoch == m.epoch {
		m.part.held = false
	}
	return nil
}

func (m *memorySession) Commit(_ context.Context, c Commit) error {
	s, p := m.sink, m.part
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.epoch != m.epoch {
		return ErrFenced
	}
	if len(s.failNext) > 0 {
		err := s.failNext[0]
		s.failNext = s.failNext[1:]
		if err != nil {
			return err
		}
	}
	for i := range c.Events {
		if s.poison[c.Events[i].Sequence] {
			return fmt.Errorf("event %d: %w", c.Events[i].Sequence, errPoison)
		}
	}
	if s.onCommit != nil {
		s.onCommit(c)
	}
	for i := range c.Events {
		key := c.Events[i].String()
		p.rows[key] = append(p.rows[key], c.Events[i].Sequence)
		p.order = append(p.order, c.Events[i].Sequence)
	}
	p.state.Progress = c.Progress
	maps.Copy(p.state.Ahead, c.Ahead)
	if c.Prune {
		maps.DeleteFunc(p.state.Ahead, func(_ string, seq uint64) bool { return seq <= c.Progress.Checkpoint })
	}
	for _, k := range c.Unpark {
		delete(p.state.Parked, k)
	}
	for _, k := range c.Park {
		p.state.Parked[k.Key()] = k
	}
	if s.lostNext {
		s.lostNext = false
		return fmt.Errorf("%w: the answer was lost", ErrTransient)
	}
	return nil
}

// steal is what happens to an owner that is not told: somebody else may open the partition.
func (s *memorySink) steal(id int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.part(id).held = false
}

func (s *memorySink) view(id int) (State, map[string][]uint64, []uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.part(id)
	rows := map[string][]uint64{}
	for k, v := range p.rows {
		rows[k] = slices.Clone(v)
	}
	return clone(p.state), rows, slices.Clone(p.order)
}

func (s *memorySink) ask(id int, key, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.part(id).requests = append(s.part(id).requests, Request{Key: key, Sequence: s.part(id).state.Parked[key].Sequence, Ask: what})
}

func conversation(org, id string) events.Aggregate {
	return events.Aggregate{Org: org, Kind: events.KindConversation, ID: id}
}

var tagged = events.ConversationTagged{Tag: "t"}

// fold is what the rows must be: every event of the kinds, in order, by key.
func fold(l *memoryLog, partition int, kinds ...events.Kind) map[string][]uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string][]uint64{}
	for _, r := range l.all {
		if r.Partition == partition && slices.Contains(kinds, r.Kind) {
			out[r.String()] = append(out[r.String()], r.Sequence)
		}
	}
	return out
}

// start runs a runner until the test ends or stop is called.
func start(t *testing.T, r *Runner) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("runner: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

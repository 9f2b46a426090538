package eventlog

import (
	"container/list"
	"context"
	"fmt"
	"slices"
	"sort"
	"sync"

	"github.com/tidemark-desk/tidemark/events"
)

const (
	windowEvents = 256      // sequences in one window of the cache
	windowBytes  = 4 << 20  // a window with more is not kept whole
	cacheBytes   = 16 << 20 // of all windows together
	eventBytes   = 600      // what a decoded event takes besides its body, about
)

// Block is some of the log in order: every event with a sequence from the one that was asked for up to, not including, Next.
// It is shared by all readers of the process: read-only.
type Block struct {
	Events []events.Recorded
	Next   uint64
}

// blocks keeps recently read stretches of the log decoded, so that all consumers of the process share one read and one decode.
// It is cut in windows of a fixed number of sequences; the window at the head grows with the live events.
type blocks struct {
	log *Log

	mu      sync.Mutex
	windows map[uint64]*window
	recent  *list.List // of *window, newest use first
	bytes   int
	epoch   uint64 // counts forget: what was read before is not kept after
}

type window struct {
	index   uint64
	reading chan struct{} // holds one token while somebody reads this window from the server
	place   *list.Element // nil once it was thrown out

	// guarded by blocks.mu; what events holds already is never changed, so readers keep slices of it
	events []events.Recorded
	next   uint64
	bytes  int
}

func newBlocks(l *Log) *blocks {
	return &blocks{log: l, windows: map[uint64]*window{}, recent: list.New()}
}

// end is the first sequence after the window.
func (w *window) end() uint64 { return (w.index+1)*windowEvents + 1 }

// Block returns the events from sequence from on, some hundreds at most. When there is nothing yet, Next equals from: Wait.
func (l *Log) Block(ctx context.Context, from uint64) (Block, error) {
	if err := l.usable(); err != nil {
		return Block{}, err
	}
	from = max(1, from)
	if from > l.Head() {
		return Block{Next: from}, nil
	}
	b, err := l.blocks.get(ctx, from)
	if err != nil {
		return Block{}, fmt.Errorf("read the log from %d: %w", from, err)
	}
	return b, nil
}

func (b *blocks) get(ctx context.Context, from uint64) (Block, error) {
	index := (from - 1) / windowEvents
	for {
		b.mu.Lock()
		w := b.use(index)
		block, ok := w.slice(from)
		large := w.bytes > windowBytes
		b.mu.Unlock()
		if ok {
			return block, nil
		}
		if large {
			found, next, err := b.log.stretch(ctx, from, w.end())
			return Block{Events: found, Next: next}, err
		}
		block, ok, err := b.extend(ctx, w, from)
		if ok || err != nil {
			return block, err
		}
		if err := ctx.Err(); err != nil {
			return Block{}, err
		}
	}
}

// peek is the event at a sequence, if it is here. It keeps nothing here for longer: who reads all of it does.
func (b *blocks) peek(sequence uint64) (events.Recorded, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.windows[(sequence-1)/windowEvents]
	if w == nil || sequence >= w.next {
		return events.Recorded{}, false
	}
	i := sort.Search(len(w.events), func(i int) bool { return w.events[i].Sequence >= sequence })
	if i == len(w.events) || w.events[i].Sequence != sequence {
		return events.Recorded{}, false
	}
	return w.events[i], true
}

// extend reads on at the end of what the window has. Who comes while another reads waits for it.
func (b *blocks) extend(ctx context.Context, w *window, from uint64) (Block, bool, error) {
	select {
	case w.reading <- struct{}{}:
		defer func() { <-w.reading }()
	case <-ctx.Done():
		return Block{}, false, ctx.Err()
	}
	b.mu.Lock()
	start, epoch := w.next, b.epoch
	block, ok := w.slice(from)
	b.mu.Unlock()
	if ok {
		return block, true, nil
	}
	found, next, err := b.log.stretch(ctx, start, w.end())
	if err != nil {
		return Block{}, false, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if epoch != b.epoch {
		return Block{}, false, nil // something was erased meanwhile
	}
	w.events = slices.Grow(w.events, len(found))
	for _, e := range found {
		if e.Sequence >= w.next { // live events may have come in between
			b.add(w, e)
		}
	}
	w.next = max(w.next, next)
	b.shrink()
	block, ok = w.slice(from)
	if !ok && next == start {
		return Block{Next: from}, true, nil // a replica lags: nothing to give yet
	}
	return block, ok, nil
}

// slice gives what the window has from sequence from on, if it reaches that far.
func (w *window) slice(from uint64) (Block, bool) {
	if from >= w.next {
		return Block{}, false
	}
	i := sort.Search(len(w.events), func(i int) bool { return w.events[i].Sequence >= from })
	return Block{Events: w.events[i:len(w.events):len(w.events)], Next: w.next}, true
}

// offer adds a live event, so that who reads at the head asks no server. The hub calls it with every event, in order.
func (b *blocks) offer(e events.Recorded) {
	index := (e.Sequence - 1) / windowEvents
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.windows[index]
	if w == nil {
		if e.Sequence != index*windowEvents+1 {
			return
		}
		w = b.use(index)
	}
	if w.next != e.Sequence || w.bytes > windowBytes {
		return
	}
	b.add(w, e)
	w.next = e.Sequence + 1
	b.shrink()
}

// use finds or makes the window and marks it as used just now.
func (b *blocks) use(index uint64) *window {
	w := b.windows[index]
	if w == nil {
		w = &window{index: index, next: index*windowEvents + 1, reading: make(chan struct{}, 1)}
		b.windows[index] = w
		w.place = b.recent.PushFront(w)
		return w
	}
	b.recent.MoveToFront(w.place)
	return w
}

func (b *blocks) add(w *window, e events.Recorded) {
	size := e.Size + eventBytes
	w.events = append(w.events, e)
	w.bytes += size
	w.next = e.Sequence + 1
	if w.place != nil {
		b.bytes += size
	}
}

// shrink throws out what was not used for longest. Who holds a slice of it keeps it.
func (b *blocks) shrink() {
	for b.bytes > cacheBytes && b.recent.Len() > 1 {
		w := b.recent.Back().Value.(*window) //nolint:errcheck // the list holds nothing else
		b.recent.Remove(w.place)
		w.place = nil
		delete(b.windows, w.index)
		b.bytes -= w.bytes
	}
}

// forget drops everything: something was erased.
func (b *blocks) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.windows {
		w.place = nil
	}
	clear(b.windows)
	b.recent.Init()
	b.bytes = 0
	b.epoch++
}

// stretch reads from the server all events with start ≤ sequence < end that fit one answer, and says how far they reach.
func (l *Log) stretch(ctx context.Context, start, end uint64) ([]events.Recorded, uint64, error) {
	head := l.Head()                                            // known before asking: what is missing up to here has been erased
	p, err := l.page(ctx, "", start, int(end-start), pageBytes) //nolint:gosec // at most windowEvents
	if err != nil {
		return nil, 0, err
	}
	l.metrics.fetched.Add(float64(len(p.events)))
	next := start
	for i, e := range p.events {
		if e.Sequence >= end {
			return p.events[:i:i], end, nil
		}
		next = e.Sequence + 1
	}
	if p.complete {
		next = min(end, max(next, head+1))
	}
	return p.events, next, nil
}

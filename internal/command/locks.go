package command

import (
	"context"
	"slices"
	"sync"

	"github.com/tidemark-desk/tidemark/events"
)

// locks lets callers of one aggregate in this process go one after the other, in the order in which they came,
// instead of conflicting in the log. They are apart from the cache, so that an entry that is dropped while it is in
// use splits nobody. A lock that nobody holds costs nothing.
type locks struct {
	mu   sync.Mutex
	held map[events.Aggregate][]chan struct{} // waiting behind the holder; closed to hand over
}

func newLocks() *locks { return &locks{held: map[events.Aggregate][]chan struct{}{}} }

// lock waits until the aggregate is the caller's, or until ctx ends.
func (l *locks) lock(ctx context.Context, a events.Aggregate) error {
	l.mu.Lock()
	waiting, held := l.held[a]
	if !held {
		l.held[a] = nil
		l.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	l.held[a] = append(waiting, turn)
	l.mu.Unlock()

	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	waiting = l.held[a]
	if i := slices.Index(waiting, turn); i >= 0 {
		l.held[a] = slices.Delete(waiting, i, i+1)
		l.mu.Unlock()
		return context.Cause(ctx)
	}
	l.mu.Unlock()
	l.unlock(a) // the turn came at the same moment: pass it on
	return context.Cause(ctx)
}

// tryLock takes the aggregate if nobody has it.
func (l *locks) tryLock(a events.Aggregate) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, held := l.held[a]; held {
		return false
	}
	l.held[a] = nil
	return true
}

func (l *locks) unlock(a events.Aggregate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting := l.held[a]
	if len(waiting) == 0 {
		delete(l.held, a)
		return
	}
	close(waiting[0])
	waiting[0] = nil
	l.held[a] = waiting[1:]
}

package rebuild

import (
	"context"
	"sync"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
)

// window is a stretch of the log, and the conversations in it in the order in which they were touched last, newest first.
type window struct {
	from, through uint64
	order         []events.Aggregate // that are to be written
	of            map[events.Aggregate]*past
	states        []projections.State // of the serving index, once the window was read
	left          int                 // of order, that are not written
}

// past is what a window has of a conversation; it is not empty.
type past struct{ touches []touch }

func (p *past) last() uint64 { return p.touches[len(p.touches)-1].sequence }

// touch is an event as far as a document follows from it. What else is known of events would take several times the memory.
type touch struct {
	sequence, revision uint64
	time               time.Time
	event              events.Event
}

func (t touch) of(a events.Aggregate) events.Recorded {
	return events.Recorded{Metadata: events.Metadata{Time: t.time, Revision: t.revision}, Aggregate: a, Sequence: t.sequence, Event: t.event}
}

// portion is some conversations of a window.
type portion struct {
	*window

	list []events.Aggregate
}

// feed hands conversations out to workers, window after window: while the last of one are written, the next one has begun. It
// tells of each window once everything down to it is written.
type feed struct {
	load func(open []*window) (*window, error) // nil: there are no more
	done func(through uint64) error

	mu     sync.Mutex
	open   []*window // that are not written, newest first
	todo   []events.Aggregate
	loaded bool // all of them
}

// take gives out up to n conversations; nil: there are no more.
func (f *feed) take(ctx context.Context, n int) (*portion, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.todo) == 0 && !f.loaded {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		w, err := f.load(f.open)
		if err != nil {
			return nil, err
		}
		if f.loaded = w == nil; f.loaded {
			break
		}
		w.left = len(w.order)
		f.open, f.todo = append(f.open, w), w.order
		if err := f.close(); err != nil {
			return nil, err
		}
	}
	if len(f.todo) == 0 {
		return nil, nil //nolint:nilnil // it was the last one
	}
	n = min(n, len(f.todo))
	p := &portion{f.open[len(f.open)-1], f.todo[:n]}
	f.todo = f.todo[n:]
	return p, nil
}

// finish notes that conversations are written.
func (f *feed) finish(p *portion) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	p.left -= len(p.list)
	return f.close()
}

// close tells of the windows that are written, newest first. One that has to wait for a newer one is not held on to meanwhile: the
// index has all of it.
func (f *feed) close() error {
	for _, w := range f.open {
		if w.left == 0 {
			w.order, w.of, w.states = nil, nil, nil
		}
	}
	for len(f.open) > 0 && f.open[0].left == 0 {
		w := f.open[0]
		f.open = f.open[1:]
		if err := f.done(w.from - 1); err != nil {
			return err
		}
	}
	return nil
}

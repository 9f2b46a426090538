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
	from   uint64
	order  []events.Aggregate
	of     map[events.Aggregate]*past
	states []projections.State // of the serving index, once the window was read
	left   int                 // how many of it are to be written, and are not
}

// past is what is known of a conversation; it is not empty before that is written.
type past struct {
	touches []touch
	trail   events.Trail // of the first
}

func (p *past) last() uint64 { return p.touches[len(p.touches)-1].sequence }

// whole tells whether it begins where the conversation does.
func (p *past) whole() bool { return p.touches[0].revision == 1 }

// precede puts what an older window has in front.
func (p *past) precede(older *past) {
	p.touches, p.trail = append(older.touches, p.touches...), older.trail
}

// item is a conversation that is to be written.
type item struct {
	events.Aggregate
	*past

	in *window // where it was touched last
}

// touch is an event as far as a document follows from it. What else is known of events would take several times the memory.
type touch struct {
	sequence, revision uint64
	time               time.Time
	event              events.Event
}

func (t touch) of(a events.Aggregate) events.Recorded {
	return events.Recorded{Metadata: events.Metadata{Time: t.time, Revision: t.revision}, Aggregate: a, Sequence: t.sequence, Event: t.event}
}

// feed hands conversations out to workers, window after window: while the last of one are written, the next one has begun. It
// tells of each window once everything down to it is written.
type feed struct {
	load func(open []*window) (*window, []item, error) // what can be written once the window is there; nil: there are no more
	done func(through uint64) error

	mu     sync.Mutex
	open   []*window // that are not written, newest first
	todo   []item
	loaded bool // all of them
}

// take gives out up to n conversations; none: there are no more.
func (f *feed) take(ctx context.Context, n int) ([]item, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.todo) == 0 && !f.loaded {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		w, todo, err := f.load(f.open)
		if err != nil {
			return nil, err
		}
		if f.loaded = w == nil; f.loaded {
			break
		}
		f.open, f.todo = append(f.open, w), todo
		if err := f.close(); err != nil {
			return nil, err
		}
	}
	n = min(n, len(f.todo))
	list := f.todo[:n]
	f.todo = f.todo[n:]
	return list, nil
}

// finish notes that conversations are written.
func (f *feed) finish(list []item) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range list {
		i.in.left--
		*i.past = past{} // its window may wait for others
	}
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

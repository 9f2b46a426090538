package rebuild

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// windowEvents is usually how much of the log is held at a time. Most conversations lie within one window, and are folded without
// being read again; memory follows from it, and not from how many conversations there are.
const windowEvents = 1 << 14

// window is a stretch of the log, and the conversations in it in the order in which they were touched last, newest first.
type window struct {
	from, through uint64
	order         []events.Aggregate
	of            map[events.Aggregate][]events.Recorded
}

// read takes a window in.
func read(ctx context.Context, log Log, from, through uint64) (*window, error) {
	w := &window{from: from, through: through, of: map[events.Aggregate][]events.Recorded{}}
	last := map[events.Aggregate]uint64{}
	for at := from; at <= through; {
		block, err := log.Block(ctx, at)
		if err != nil {
			return nil, err
		}
		if block.Next == at {
			break // the log ends here
		}
		for _, e := range block.Events {
			if slices.Contains(search.Kinds, e.Kind) && e.Sequence <= through {
				w.of[e.Aggregate] = append(w.of[e.Aggregate], e)
				last[e.Aggregate] = e.Sequence
			}
		}
		at = block.Next
	}
	for a := range w.of {
		w.order = append(w.order, a)
	}
	slices.SortFunc(w.order, func(a, b events.Aggregate) int {
		if last[a] > last[b] {
			return -1
		}
		return 1
	})
	return w, nil
}

// walk writes what the conversations between from and through are, newest first, and tells after each window how far it is.
// A conversation is written where it was touched last: further back the index has it already.
func (j *Job) walk(ctx context.Context, role search.Role, from, through uint64, done func(through uint64) error) error {
	type prepared struct {
		w   *window
		err error
	}
	ahead := func(through uint64) chan prepared {
		out := make(chan prepared, 1)
		go func() {
			start := max(from, through-min(through, j.cfg.Window)+1)
			w, err := read(ctx, j.log, start, through)
			out <- prepared{w, err}
		}()
		return out
	}
	if through < from {
		return nil
	}
	next := ahead(through)
	for {
		p := <-next
		if p.err != nil {
			return fmt.Errorf("%w: read the log: %w", projections.ErrTransient, p.err)
		}
		if p.w.from > from {
			next = ahead(p.w.from - 1)
		}
		if err := j.write(ctx, role, p.w); err != nil {
			if p.w.from > from {
				<-next // what was read ahead ends with it
			}
			return err
		}
		if err := done(p.w.from - 1); err != nil || p.w.from <= from {
			return err
		}
	}
}

// write writes the conversations of a window that the index does not have as new.
func (j *Job) write(ctx context.Context, role search.Role, w *window) error {
	states, err := j.set.States(ctx)
	if err != nil {
		return err
	}
	todo, err := j.missing(ctx, role, w)
	if err != nil {
		return err
	}
	for len(todo) > 0 {
		target, end, err := j.turn(ctx)
		if err != nil {
			return err
		}
		n := min(j.size(), len(todo))
		took, err := j.timed(func() error { return j.portion(ctx, role, w, states, todo[:n]) })
		end()
		if err != nil {
			return err
		}
		j.adapt(n, took, target)
		j.wrote(n)
		todo = todo[n:]
		if err := j.rest(ctx, n, took); err != nil {
			return err
		}
	}
	return nil
}

// missing are the conversations of a window that the index has not, or as older than the window has them.
func (j *Job) missing(ctx context.Context, role search.Role, w *window) ([]events.Aggregate, error) {
	const most = 1000 // of one request
	var todo []events.Aggregate
	for part := range slices.Chunk(w.order, most) {
		err := j.set.With(role, func(index search.Index) error {
			have, err := index.Places(ctx, part)
			for _, a := range part {
				if list := w.of[a]; have[a].Position < list[len(list)-1].Sequence {
					todo = append(todo, a)
				}
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return todo, nil
}

// portion folds and writes some conversations, by several workers.
func (j *Job) portion(ctx context.Context, role search.Role, w *window, states []projections.State, list []events.Aggregate) error {
	group, ctx := errgroup.WithContext(ctx)
	for part := range slices.Chunk(list, (len(list)+j.workers-1)/j.workers) {
		group.Go(func() error {
			docs := make([]*search.Document, 0, len(part))
			for _, a := range part {
				d, err := j.fold(ctx, a, w.of[a], states[a.Partition(j.log.Partitions())])
				if err != nil {
					return err
				}
				if d.Revision > 0 {
					docs = append(docs, d)
				}
			}
			return j.set.Fill(ctx, role, docs)
		})
	}
	return group.Wait()
}

// fold makes a conversation's document from its history, of which known may be all. It stops where the live indexer waits
// for an operator, and steps over what an operator dropped.
func (j *Job) fold(ctx context.Context, a events.Aggregate, known []events.Recorded, state projections.State) (*search.Document, error) {
	d, err := refold(a, known, state, 0)
	if known[0].Revision != 1 || errors.Is(err, search.ErrGap) {
		history, e := j.log.Read(ctx, a, 0)
		if e != nil {
			return nil, fmt.Errorf("%w: read %s: %w", projections.ErrTransient, a, e)
		}
		if len(history) == 0 { // erased meanwhile, and the live indexer has yet to hear of it
			return search.NewDocument(a), nil
		}
		d, err = refold(a, history, state, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("fold %s: %w", a, err)
	}
	return d, nil
}

// refold folds a history, up to a position; zero: to its end.
func refold(a events.Aggregate, history []events.Recorded, state projections.State, through uint64) (*search.Document, error) {
	d := search.NewDocument(a)
	parked, waits := state.Parked[a.String()]
	for _, e := range history {
		if through > 0 && e.Sequence > through || waits && e.Sequence >= parked.Sequence {
			break
		}
		if _, unknown := e.Event.(events.Unknown); unknown {
			if !state.Progress.Applied(e.Sequence) && state.Ahead[a.String()] < e.Sequence {
				break // the live indexer has yet to meet it
			}
			d.Skip(e)
			continue
		}
		if err := d.Fold(e); err != nil {
			return nil, err
		}
	}
	return d, nil
}

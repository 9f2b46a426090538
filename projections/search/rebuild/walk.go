package rebuild

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// windowEvents is usually how much of the log is held at a time. Most conversations lie within two windows, and are folded without
// being read again; memory follows from it, and not from how many conversations there are.
const windowEvents = 1 << 13

// read takes a window in.
func read(ctx context.Context, log Log, from, through uint64) (*window, error) {
	w := &window{from: from, of: map[events.Aggregate]*past{}}
	for at := from; at <= through; {
		block, err := log.Block(ctx, at)
		if err != nil {
			return nil, err
		}
		if block.Next == at {
			break // the log ends here
		}
		for _, e := range block.Events {
			if !slices.Contains(search.Kinds, e.Kind) || e.Sequence > through {
				continue
			}
			p := w.of[e.Aggregate]
			if p == nil { // which does not hold on to all that this event says of itself
				a := events.Aggregate{Org: strings.Clone(e.Org), Kind: events.Kind(strings.Clone(string(e.Kind))), ID: strings.Clone(e.Aggregate.ID)}
				p = &past{trail: e.Before}
				w.of[a] = p
				w.order = append(w.order, a)
			}
			p.touches = append(p.touches, touch{e.Sequence, e.Revision, e.Time, e.Event})
		}
		at = block.Next
	}
	slices.SortFunc(w.order, func(a, b events.Aggregate) int { return cmp.Compare(w.of[b].last(), w.of[a].last()) })
	return w, nil
}

// walk writes what the conversations between from and through are, newest first, and tells after each window how far it is.
// A conversation is written where it was touched last: further back the index has it already.
func (j *Job) walk(ctx context.Context, role search.Role, from, through uint64, done func(through uint64) error) error {
	group, ctx := errgroup.WithContext(ctx)
	f := &feed{load: j.windows(ctx, group, role, from, through), done: done}
	for range j.workers {
		group.Go(func() error {
			for {
				work, err := f.take(ctx, j.pace.size())
				if err != nil || len(work) == 0 {
					return err
				}
				target, end, err := j.pace.turn(ctx)
				if err != nil {
					return err
				}
				began := time.Now()
				err = j.portion(ctx, role, work)
				took := time.Since(began)
				end()
				if err != nil {
					return err
				}
				j.pace.adapt(len(work), took, target/2) // what happens now is to wait for half a turn at most
				j.wrote(len(work))
				if err := f.finish(work); err != nil {
					return err
				}
				if err := j.pace.rest(ctx, len(work), took); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// windows reads one window after another, each ahead of when it is asked for; nil: there are no more. A conversation that reaches
// further back than its window waits for the next one, which mostly has the rest.
func (j *Job) windows(
	ctx context.Context, group *errgroup.Group, role search.Role, from, through uint64,
) func([]*window) (*window, []item, error) {
	type result struct {
		w   *window
		err error
	}
	var next chan result
	ahead := func() {
		if through < from {
			next = nil
			return
		}
		start := max(from, through-min(through, j.cfg.Window)+1)
		out, end := make(chan result, 1), through
		group.Go(func() error {
			w, err := read(ctx, j.log, start, end)
			out <- result{w, err}
			return nil
		})
		next, through = out, start-1
	}
	ahead()
	var waiting []item
	return func(open []*window) (*window, []item, error) {
		if next == nil {
			return nil, nil, nil
		}
		r := <-next
		if r.err != nil {
			return nil, nil, fmt.Errorf("%w: read the log: %w", projections.ErrTransient, r.err)
		}
		ahead()
		var err error
		if r.w.states, err = j.set.States(ctx); err != nil {
			return nil, nil, err
		}
		todo := waiting
		for _, i := range todo {
			if older := r.w.of[i.Aggregate]; older != nil {
				i.precede(older)
			}
		}
		list, err := j.missing(ctx, role, r.w, open)
		r.w.left, waiting = len(list), nil
		for _, i := range list {
			if i.whole() || next == nil {
				todo = append(todo, i)
			} else {
				waiting = append(waiting, i)
			}
		}
		return r.w, todo, err
	}
}

// missing are the conversations of a window that the index has not, or as older than the window has them, and that are in none
// of the windows that are being written.
func (j *Job) missing(ctx context.Context, role search.Role, w *window, open []*window) ([]item, error) {
	const most = 1000 // of one request
	var todo []item
	order := slices.DeleteFunc(w.order, func(a events.Aggregate) bool {
		return slices.ContainsFunc(open, func(newer *window) bool { return newer.of[a] != nil })
	})
	for part := range slices.Chunk(order, most) {
		err := j.set.With(role, func(index search.Index) error {
			have, err := index.Places(ctx, part)
			for _, a := range part {
				if have[a].Position < w.of[a].last() {
					todo = append(todo, item{a, w.of[a], w})
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

// portion folds and writes some conversations.
func (j *Job) portion(ctx context.Context, role search.Role, list []item) error {
	docs := make([]*search.Document, 0, len(list))
	for _, i := range list {
		d, err := j.fold(ctx, i)
		if err != nil {
			return err
		}
		if d.Revision > 0 {
			docs = append(docs, d)
		}
	}
	return j.set.Fill(ctx, role, docs)
}

// fold makes a conversation's document, and reads what is not known of its history. It stops where the live indexer waits
// for an operator, and steps over what an operator dropped.
func (j *Job) fold(ctx context.Context, i item) (d *search.Document, err error) {
	var history []events.Recorded
	if !i.whole() {
		first := i.touches[0].of(i.Aggregate)
		first.Before = i.trail
		if history, err = j.log.Past(ctx, first, 0); err != nil {
			return nil, fmt.Errorf("%w: read %s: %w", projections.ErrTransient, i.Aggregate, err)
		}
	}
	for _, t := range i.touches {
		history = append(history, t.of(i.Aggregate))
	}
	state := i.in.states[i.Partition(j.log.Partitions())]
	d, err = refold(i.Aggregate, history, state, 0)
	if errors.Is(err, search.ErrGap) { // some of it was erased meanwhile
		if history, err = j.log.Read(ctx, i.Aggregate, 0); err != nil {
			return nil, fmt.Errorf("%w: read %s: %w", projections.ErrTransient, i.Aggregate, err)
		}
		if len(history) == 0 { // all of it, and the live indexer has yet to hear of it
			return search.NewDocument(i.Aggregate), nil
		}
		d, err = refold(i.Aggregate, history, state, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("fold %s: %w", i.Aggregate, err)
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

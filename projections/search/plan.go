package search

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
)

// Plan is what events mean for an index: each conversation and customer stands in it once, however many events they had.
type Plan struct {
	Put    []*Document
	Gone   []Gone     // conversations of which nothing may be found
	Marks  []Mark     // to be kept
	Forget []Customer // all of whose conversations are to be taken out, also those that no event is of

	People People // once all of this is done
}

// Gone is a conversation or a customer of whom nothing may be found.
type Gone struct {
	Org, ID  string // Document.Key
	Position uint64
}

// Planner makes plans.
type Planner struct {
	History History
	// Have reads what the index has of conversations; what it does not have is left out.
	Have func(ctx context.Context, list []events.Aggregate) (map[events.Aggregate]*Document, error)
}

// Plan folds events into what the index has, which may be newer already: then there is nothing to do. Events that the
// index should have and has not are read from the conversation's own history.
func (p Planner) Plan(ctx context.Context, all []events.Recorded, people People) (Plan, error) {
	order, of := group(all)
	out := Plan{People: people}
	for _, a := range order {
		if a.Kind != events.KindCustomer {
			continue
		}
		list, err := marks(of[a])
		if err != nil {
			return Plan{}, err
		}
		out.Marks = append(out.Marks, list...)
	}
	if len(out.Marks) > 0 {
		out.People = people.clone()
		for _, m := range out.Marks {
			out.People.Add(m)
		}
		for _, m := range out.Marks { // once all is known: who was merged may be erased with who took over
			if out.People.Gone(m.Customer) {
				out.Forget = append(out.Forget, out.People.With(m.Customer)...)
			}
		}
	}
	order = slices.DeleteFunc(order, func(a events.Aggregate) bool { return !slices.Contains(Kinds, a.Kind) })
	if len(order) == 0 {
		return out, nil
	}
	have, err := p.Have(ctx, order)
	if err != nil {
		return Plan{}, err
	}
	for _, a := range order {
		if err := p.document(ctx, &out, have[a], of[a]); err != nil {
			return Plan{}, err
		}
	}
	return out, nil
}

// News tells whether events say what became of a customer.
func News(all []events.Recorded) bool {
	return slices.ContainsFunc(all, func(r events.Recorded) bool {
		switch r.Event.(type) {
		case events.CustomerMerged, events.CustomerErased:
			return true
		}
		return false
	})
}

// group sorts events by aggregate, aggregates in the order of their first event.
func group(all []events.Recorded) ([]events.Aggregate, map[events.Aggregate][]events.Recorded) {
	var order []events.Aggregate
	of := map[events.Aggregate][]events.Recorded{}
	for _, e := range all {
		if _, seen := of[e.Aggregate]; !seen {
			order = append(order, e.Aggregate)
		}
		of[e.Aggregate] = append(of[e.Aggregate], e)
	}
	return order, of
}

func (p Planner) document(ctx context.Context, out *Plan, doc *Document, list []events.Recorded) error {
	a := list[0].Aggregate
	had := doc != nil
	if !had {
		doc = NewDocument(a)
	}
	before := doc.Revision
	for _, e := range list {
		err := doc.Fold(e)
		if errors.Is(err, ErrGap) {
			var purged bool
			if purged, err = p.catchUp(ctx, doc, e); purged {
				out.Gone = append(out.Gone, Gone{Org: a.Org, ID: doc.Key(), Position: list[len(list)-1].Sequence})
				return nil
			}
		}
		if err != nil {
			return err
		}
	}
	switch {
	case doc.Erased, out.People.Gone(doc.Owner()):
		out.Gone = append(out.Gone, Gone{Org: a.Org, ID: doc.Key(), Position: doc.Position})
	case doc.Nameless() && !had:
	case doc.Revision != before:
		out.Put = append(out.Put, doc)
	}
	return nil
}

// catchUp folds what lies between the document and e, and e itself. An unreadable event before e was dropped by an
// operator, or e would not be here. purged: e itself is no longer in the log, so the conversation was erased.
func (p Planner) catchUp(ctx context.Context, doc *Document, e events.Recorded) (purged bool, err error) {
	history, err := p.History.Read(ctx, e.Aggregate, doc.Position)
	if err != nil {
		return false, fmt.Errorf("%w: read %s: %w", projections.ErrTransient, e.Aggregate, err)
	}
	purged = true
	for _, h := range history {
		if h.Sequence > e.Sequence {
			break
		}
		if _, unknown := h.Event.(events.Unknown); unknown && h.Sequence < e.Sequence {
			doc.Skip(h)
			continue
		}
		if err := doc.Fold(h); err != nil {
			return false, err
		}
		purged = purged && h.Sequence != e.Sequence
	}
	return purged, nil
}

// NextState is the state of a partition after a commit; the present one is not touched, for the commit may fail.
func NextState(now projections.State, c projections.Commit) projections.State {
	next := now
	next.Progress = c.Progress
	if len(c.Ahead) > 0 || c.Prune {
		next.Ahead = maps.Clone(next.Ahead)
		maps.Copy(next.Ahead, c.Ahead)
		if c.Prune {
			maps.DeleteFunc(next.Ahead, func(_ string, seq uint64) bool { return seq <= c.Progress.Checkpoint })
		}
	}
	if len(c.Park)+len(c.Unpark) > 0 {
		next.Parked = maps.Clone(next.Parked)
		for _, key := range c.Unpark {
			delete(next.Parked, key)
		}
		for _, p := range c.Park {
			next.Parked[p.Key()] = p
		}
	}
	return next
}

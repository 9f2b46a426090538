package indexes

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// session owns one partition.
type session struct {
	set       *Set
	partition int

	mu     sync.Mutex
	state  projections.State
	loaded bool
}

// Open acquires a partition within this process; the process has the whole store already.
func (s *Set) Open(ctx context.Context, partition int) (projections.Session, error) {
	s.mu.Lock()
	held := s.held[partition] != nil || !s.store.Owns()
	opened := &session{set: s, partition: partition}
	if !held {
		s.held[partition] = opened
	}
	s.mu.Unlock()
	if held {
		return nil, fmt.Errorf("partition %d of the search index: %w", partition, projections.ErrHeld)
	}
	if err := opened.load(ctx); err != nil {
		return nil, errors.Join(err, opened.Close(ctx))
	}
	return opened, nil
}

// load reads the progress in all indexes: an engine may have to know of it before it is written over.
func (o *session) load(ctx context.Context) error {
	o.set.changing.RLock()
	defer o.set.changing.RUnlock()
	for _, role := range append(o.set.others(), search.RoleServing) {
		state, err := o.set.members[role].State(ctx, o.partition)
		if err != nil {
			return err
		}
		o.enter(state) // the last one serves
	}
	return nil
}

func (o *session) enter(state projections.State) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.state, o.loaded = state, true
}

func (o *session) State() projections.State {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.state
}

// Requests: operators ask the search indexer, which remembers it for every engine alike.
func (o *session) Requests(context.Context) ([]projections.Request, error) {
	if !o.owns() {
		return nil, projections.ErrFenced
	}
	return nil, nil
}

func (o *session) Close(context.Context) error {
	o.set.mu.Lock()
	defer o.set.mu.Unlock()
	if o.set.held[o.partition] == o {
		delete(o.set.held, o.partition)
	}
	return nil
}

func (o *session) owns() bool {
	o.set.mu.Lock()
	defer o.set.mu.Unlock()
	return o.set.held[o.partition] == o && o.set.store.Owns()
}

// Commit writes each touched conversation once, and then the progress, to every index.
func (o *session) Commit(ctx context.Context, c projections.Commit) error {
	if !o.owns() {
		return projections.ErrFenced
	}
	s := o.set
	news := search.News(c.Events)
	if news {
		s.changing.Lock()
		defer s.changing.Unlock()
	} else {
		s.changing.RLock()
		defer s.changing.RUnlock()
	}
	serving := s.members[search.RoleServing]
	plan, err := search.Planner{History: s.history, Have: serving.Have}.Plan(ctx, c.Events, s.people)
	if err != nil {
		return err
	}
	next := search.NextState(o.State(), c)
	batch := search.Batch{Plan: plan, Progress: &search.Progress{
		Partition: o.partition, State: next, Ahead: len(c.Ahead) > 0 || c.Prune, Parked: len(c.Park)+len(c.Unpark) > 0,
	}}
	failed := map[search.Role]error{}
	for _, role := range s.others() {
		b := batch
		b.Overtaken = role == search.RoleBuilding // by what was folded from the log
		err := s.members[role].Write(ctx, b)
		if errors.Is(err, projections.ErrTransient) || errors.Is(err, projections.ErrFenced) || ctx.Err() != nil {
			return fmt.Errorf("the %s search index: %w", role, err)
		}
		if err != nil {
			failed[role] = err
		}
	}
	if err := serving.Write(ctx, batch); err != nil {
		return err
	}
	for role, err := range failed { // what the serving index takes and this one does not, it lacks
		s.logger.ErrorContext(ctx, "a search index that does not serve lacks something", "role", role, "error", err)
		s.members[role].fail(err)
	}
	o.enter(next)
	if news {
		s.mu.Lock()
		s.people = plan.People
		s.mu.Unlock()
	}
	return nil
}

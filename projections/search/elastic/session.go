package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	es "github.com/olivere/elastic/v7"

	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// session owns one partition.
type session struct {
	engine    *Engine
	partition int
	state     projections.State
	at        *mark // of the state in the index; nil: it is not there yet
}

// Open acquires a partition within this process; the process has the whole index already.
func (e *Engine) Open(ctx context.Context, partition int) (projections.Session, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.held[partition] != nil || !e.lease.owns() {
		return nil, fmt.Errorf("partition %d of the search index: %w", partition, projections.ErrHeld)
	}
	s := &session{engine: e, partition: partition}
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	e.held[partition] = s
	return s, nil
}

func (s *session) load(ctx context.Context) error {
	s.state = projections.State{Ahead: map[string]uint64{}, Parked: map[string]projections.Parked{}}
	res, err := s.engine.client.MultiGet().Add(es.NewMultiGetItem().Index(s.engine.index).Id(statePlace(s.partition))).Do(ctx)
	switch {
	case err != nil:
		return s.engine.away("read the progress of search", err)
	case len(res.Docs) != 1 || res.Docs[0].Error != nil:
		return s.engine.away("read the progress of search", errors.New("no answer"))
	case !res.Docs[0].Found:
		return nil
	}
	var d document
	if err := json.Unmarshal(res.Docs[0].Source, &d); err != nil {
		return s.engine.rebuild(search.ErrCorrupt, "its progress does not decode")
	}
	if err := json.Unmarshal(d.Kept, &s.state); err != nil {
		return s.engine.rebuild(search.ErrCorrupt, "its progress does not decode")
	}
	at := markOf(res.Docs[0])
	s.at = &at
	return nil
}

func (s *session) State() projections.State { return s.state }

// Requests: operators ask the search indexer, which remembers it for every engine alike.
func (s *session) Requests(context.Context) ([]projections.Request, error) {
	if !s.owns() {
		return nil, projections.ErrFenced
	}
	return nil, nil
}

func (s *session) Close(context.Context) error {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	if s.engine.held[s.partition] == s {
		delete(s.engine.held, s.partition)
	}
	return nil
}

func (s *session) owns() bool {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	return s.engine.held[s.partition] == s && s.engine.lease.owns()
}

// Commit writes each touched conversation once, and then the progress.
func (s *session) Commit(ctx context.Context, c projections.Commit) error {
	if !s.owns() {
		return projections.ErrFenced
	}
	e := s.engine
	news := search.News(c.Events)
	if news {
		e.erasing.Lock()
		defer e.erasing.Unlock()
	} else {
		e.erasing.RLock()
		defer e.erasing.RUnlock()
	}
	plan, err := search.Planner{History: e.cfg.History, Have: e.have}.Plan(ctx, c.Events, e.people)
	if err != nil {
		return err
	}
	if err := e.carryOut(ctx, plan); err != nil {
		return err
	}
	next := search.NextState(s.state, c)
	kept, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("encode the progress of search: %w", err)
	}
	at, err := e.put(ctx, statePlace(s.partition), document{Kind: kindState, Kept: kept}, s.at)
	if errors.Is(err, errConflict) {
		return fmt.Errorf("%w: partition %d of the search index", projections.ErrFenced, s.partition)
	}
	if err != nil {
		return err
	}
	s.state, s.at = next, &at
	if news {
		e.people = plan.People
	}
	return nil
}

// carryOut writes what a plan says. Whatever fails half way is repeated without harm.
func (e *Engine) carryOut(ctx context.Context, plan search.Plan) error {
	var w bulk
	for _, m := range plan.Marks {
		d, at := document{Kind: kindErased, Org: m.Org, ID: m.ID}, erasedPlace(m.Customer)
		if m.Into != "" {
			d, at = document{Kind: kindMerged, Org: m.Org, ID: m.ID, Into: m.Into}, mergedPlace(m.Customer)
		}
		if err := w.add(at, m.Position, d); err != nil {
			return err
		}
	}
	for _, doc := range plan.Put {
		d, err := encode(doc)
		if err != nil {
			return err
		}
		if err := w.add(place(doc.Org, doc.ID), doc.Position, d); err != nil {
			return err
		}
	}
	for _, g := range plan.Gone {
		if err := w.add(place(g.Org, g.ID), g.Position, document{Kind: kindGone, Org: g.Org, ID: g.ID}); err != nil {
			return err
		}
	}
	if err := e.write(ctx, &w); err != nil {
		return err
	}
	for i, customer := range plan.Forget {
		if i == 0 {
			if err := e.Refresh(ctx); err != nil { // so that all of theirs are found
				return err
			}
		}
		if err := e.forget(ctx, customer); err != nil {
			return err
		}
	}
	return nil
}

package bleve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	blevesearch "github.com/blevesearch/bleve/v2"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// session owns one partition. Its state lies in the index under three keys, so that a commit rewrites only what changed.
type session struct {
	engine    *Engine
	partition int
	state     projections.State
}

func (s *session) key(part string) []byte {
	return []byte("tidemark/partition/" + strconv.Itoa(s.partition) + "/" + part)
}

// Open acquires a partition within this process; the process has the whole index already.
func (e *Engine) Open(_ context.Context, partition int) (projections.Session, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.held[partition] != nil {
		return nil, fmt.Errorf("partition %d of the search index: %w", partition, projections.ErrHeld)
	}
	s := &session{engine: e, partition: partition}
	if err := s.load(); err != nil {
		return nil, err
	}
	e.held[partition] = s
	return s, nil
}

func (s *session) load() error {
	s.state = projections.State{Ahead: map[string]uint64{}, Parked: map[string]projections.Parked{}}
	for part, into := range map[string]any{"progress": &s.state.Progress, "ahead": &s.state.Ahead, "parked": &s.state.Parked} {
		raw, err := s.engine.index.GetInternal(s.key(part))
		if err != nil {
			return fmt.Errorf("%w: read %s: %w", projections.ErrTransient, s.key(part), err)
		}
		if raw == nil {
			continue
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return s.engine.rebuild(search.ErrCorrupt, string(s.key(part))+" does not decode")
		}
	}
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
	return s.engine.held[s.partition] == s
}

// Commit writes each touched conversation once, and the progress, in one batch.
func (s *session) Commit(ctx context.Context, c projections.Commit) error {
	if !s.owns() {
		return projections.ErrFenced
	}
	news := search.News(c.Events)
	if news {
		s.engine.erasing.Lock()
		defer s.engine.erasing.Unlock()
	} else {
		s.engine.erasing.RLock()
		defer s.engine.erasing.RUnlock()
	}
	plan, err := search.Planner{History: s.engine.cfg.History, Have: s.engine.have}.Plan(ctx, c.Events, s.engine.people)
	if err != nil {
		return err
	}
	batch := s.engine.index.NewBatch()
	if err := s.engine.fill(ctx, batch, plan); err != nil {
		return err
	}
	next := search.NextState(s.state, c)
	if err := s.record(batch, next, c); err != nil {
		return err
	}
	if err := s.engine.write(ctx, batch); err != nil {
		return fmt.Errorf("%w: write to the search index: %w", projections.ErrTransient, err)
	}
	s.state = next
	if news {
		s.engine.people = plan.People
	}
	return nil
}

// have reads documents.
func (e *Engine) have(_ context.Context, list []events.Aggregate) (map[events.Aggregate]*search.Document, error) {
	r, done, err := e.reader()
	if err != nil {
		return nil, err
	}
	defer done()
	out := make(map[events.Aggregate]*search.Document, len(list))
	for _, a := range list {
		doc, err := stored(r, docID(a.Org, a.ID))
		if err != nil {
			return nil, err
		}
		if doc != nil {
			out[a] = doc
		}
	}
	return out, nil
}

// fill puts a plan into a batch.
func (e *Engine) fill(ctx context.Context, batch *blevesearch.Batch, plan search.Plan) error {
	for _, m := range plan.Marks {
		if err := mark(batch, m); err != nil {
			return err
		}
	}
	for _, customer := range plan.Forget {
		if err := e.forget(ctx, batch, customer); err != nil {
			return err
		}
	}
	for _, g := range plan.Gone {
		batch.Delete(docID(g.Org, g.ID))
	}
	for _, doc := range plan.Put {
		prepared, err := encode(doc)
		if err != nil {
			return err
		}
		if err := batch.IndexAdvanced(prepared); err != nil {
			return fmt.Errorf("add document %s/%s: %w", doc.Org, doc.ID, err)
		}
	}
	return nil
}

func (s *session) record(batch *blevesearch.Batch, next projections.State, c projections.Commit) error {
	put := func(part string, v any) error {
		raw, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("encode %s: %w", s.key(part), err)
		}
		batch.SetInternal(s.key(part), raw)
		return nil
	}
	err := put("progress", next.Progress)
	if len(c.Ahead) > 0 || c.Prune {
		err = errors.Join(err, put("ahead", next.Ahead))
	}
	if len(c.Park)+len(c.Unpark) > 0 {
		err = errors.Join(err, put("parked", next.Parked))
	}
	return err
}

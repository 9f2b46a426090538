package bleve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	blevesearch "github.com/blevesearch/bleve/v2"
	index "github.com/blevesearch/bleve_index_api"

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
	news := slices.ContainsFunc(c.Events, aboutPeople)
	if news {
		s.engine.erasing.Lock()
		defer s.engine.erasing.Unlock()
	} else {
		s.engine.erasing.RLock()
		defer s.engine.erasing.RUnlock()
	}
	people := s.engine.people
	if news {
		people = people.clone()
	}
	batch := s.engine.index.NewBatch()
	if err := s.fill(ctx, batch, c.Events, people); err != nil {
		return err
	}
	next := s.next(c)
	if err := s.record(batch, next, c); err != nil {
		return err
	}
	if err := s.engine.write(ctx, batch); err != nil {
		return fmt.Errorf("%w: write to the search index: %w", projections.ErrTransient, err)
	}
	s.state = next
	if news {
		s.engine.people = people
	}
	return nil
}

// aboutPeople tells whether an event says what became of a customer.
func aboutPeople(r events.Recorded) bool {
	switch r.Event.(type) {
	case events.CustomerMerged, events.CustomerErased:
		return true
	}
	return false
}

// fill puts into the batch what the events mean for documents, and into people what they say of customers.
func (s *session) fill(ctx context.Context, batch *blevesearch.Batch, all []events.Recorded, people people) error {
	r, done, err := s.engine.reader()
	if err != nil {
		return err
	}
	defer done()
	order, of := group(all)
	var changed []string
	for _, a := range order {
		if a.Kind != events.KindCustomer {
			continue
		}
		news, err := people.note(batch, a, of[a])
		if err != nil {
			return err
		}
		if news {
			changed = append(changed, customerID(a.Org, a.ID))
		}
	}
	for _, id := range changed { // once all is known: who was merged may be erased with who took over
		if !people.gone(id) {
			continue
		}
		for _, customer := range people.with(id) {
			if err := s.engine.forget(ctx, batch, customer); err != nil {
				return err
			}
		}
	}
	for _, a := range order {
		if a.Kind != events.KindConversation {
			continue
		}
		if err := s.conversation(ctx, r, batch, of[a], people); err != nil {
			return err
		}
	}
	return nil
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

// conversation folds the events into what the index has of the conversation, which may be newer already: then there
// is nothing to do. Events that the index should have and has not are read from the conversation's own subject.
func (s *session) conversation(ctx context.Context, r index.IndexReader, batch *blevesearch.Batch, list []events.Recorded, people people) error {
	a := list[0].Aggregate
	id := docID(a.Org, a.ID)
	doc, err := stored(r, id)
	if err != nil {
		return err
	}
	if doc == nil {
		doc = search.NewDocument(a)
	}
	before := doc.Revision
	for _, e := range list {
		err := doc.Fold(e)
		if errors.Is(err, search.ErrGap) {
			var purged bool
			if purged, err = s.catchUp(ctx, doc, e); purged {
				batch.Delete(id)
				return nil
			}
		}
		if err != nil {
			return err
		}
	}
	switch {
	case doc.Erased, people.gone(customerID(a.Org, doc.Customer)):
		batch.Delete(id)
		return nil
	case doc.Revision == before:
		return nil
	}
	prepared, err := encode(doc)
	if err != nil {
		return err
	}
	if err := batch.IndexAdvanced(prepared); err != nil {
		return fmt.Errorf("add document %s: %w", id, err)
	}
	return nil
}

// catchUp folds what lies between the document and e, and e itself. An unreadable event before e was dropped by an
// operator, or e would not be here. purged: e itself is no longer in the log, so the conversation was erased.
func (s *session) catchUp(ctx context.Context, doc *search.Document, e events.Recorded) (purged bool, err error) {
	history, err := s.engine.cfg.History.Read(ctx, e.Aggregate, doc.Position)
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

// next is the state after the commit; the present one is not touched, for the commit may fail.
func (s *session) next(c projections.Commit) projections.State {
	next := s.state
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

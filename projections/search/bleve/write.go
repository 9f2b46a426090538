package bleve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	blevesearch "github.com/blevesearch/bleve/v2"

	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// stateKey is where one part of the progress of a partition is. Its state lies in the index under three keys, so that a
// write replaces only what changed.
func stateKey(partition int, part string) []byte {
	return []byte("tidemark/partition/" + strconv.Itoa(partition) + "/" + part)
}

func noteKey(key string) []byte { return []byte("tidemark/note/" + key) }

// State reads the progress of a partition.
func (e *Engine) State(_ context.Context, partition int) (projections.State, error) {
	s := projections.State{Ahead: map[string]uint64{}, Parked: map[string]projections.Parked{}}
	for part, into := range map[string]any{"progress": &s.Progress, "ahead": &s.Ahead, "parked": &s.Parked} {
		key := stateKey(partition, part)
		raw, err := e.index.GetInternal(key)
		if err != nil {
			return s, fmt.Errorf("%w: read %s: %w", projections.ErrTransient, key, err)
		}
		if raw == nil {
			continue
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return s, e.rebuild(search.ErrCorrupt, string(key)+" does not decode")
		}
	}
	return s, nil
}

// Write is one batch of the index. Progress is written by who has read what was there before, and so has nothing to meet;
// documents alone may meet newer ones.
func (e *Engine) Write(ctx context.Context, b search.Batch) error {
	if b.Overtaken {
		ids := make([]string, 0, len(b.Put)+len(b.Gone))
		for _, d := range b.Put {
			ids = append(ids, docID(d.Org, d.Key()))
		}
		for _, g := range b.Gone {
			ids = append(ids, docID(g.Org, g.ID))
		}
		defer e.places.take(ids)()
		var err error
		if b.Plan, err = e.newer(b.Plan); err != nil {
			return err
		}
	}
	batch := e.index.NewBatch()
	if err := e.fill(ctx, batch, b.Plan); err != nil {
		return err
	}
	if b.Progress != nil {
		if err := record(batch, *b.Progress); err != nil {
			return err
		}
	}
	if err := e.write(ctx, batch); err != nil {
		return fmt.Errorf("%w: write to the search index: %w", projections.ErrTransient, err)
	}
	return nil
}

// newer is what of a plan is newer than what is there.
func (e *Engine) newer(plan search.Plan) (search.Plan, error) {
	r, done, err := e.reader()
	if err != nil {
		return plan, err
	}
	defer done()
	places := make([]string, 0, len(plan.Put)+len(plan.Gone))
	for _, d := range plan.Put {
		places = append(places, docID(d.Org, d.Key()))
	}
	for _, g := range plan.Gone {
		places = append(places, docID(g.Org, g.ID))
	}
	have := map[string]uint64{}
	err = r.read(places, func(place string, k *kept) error {
		have[place] = k.Position
		return nil
	})
	if err != nil || len(have) == 0 {
		return plan, err
	}
	plan.Put = slices.DeleteFunc(slices.Clone(plan.Put), func(d *search.Document) bool {
		at, is := have[docID(d.Org, d.Key())]
		return is && at >= d.Position
	})
	plan.Gone = slices.DeleteFunc(slices.Clone(plan.Gone), func(g search.Gone) bool {
		at, is := have[docID(g.Org, g.ID)]
		return is && at > g.Position
	})
	return plan, nil
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
		if err := stub(batch, g); err != nil {
			return err
		}
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

func record(batch *blevesearch.Batch, p search.Progress) error {
	put := func(part string, v any) error {
		key := stateKey(p.Partition, part)
		raw, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("encode %s: %w", key, err)
		}
		batch.SetInternal(key, raw)
		return nil
	}
	err := put("progress", p.State.Progress)
	if p.Ahead {
		err = errors.Join(err, put("ahead", p.State.Ahead))
	}
	if p.Parked {
		err = errors.Join(err, put("parked", p.State.Parked))
	}
	return err
}

// Note keeps something beside the documents.
func (e *Engine) Note(ctx context.Context, key string, value []byte) error {
	batch := e.index.NewBatch()
	batch.SetInternal(noteKey(key), value)
	if err := e.write(ctx, batch); err != nil {
		return fmt.Errorf("%w: note %s in the search index: %w", projections.ErrTransient, key, err)
	}
	return nil
}

// Noted reads what was noted.
func (e *Engine) Noted(_ context.Context, key string) ([]byte, error) {
	raw, err := e.index.GetInternal(noteKey(key))
	if err != nil {
		return nil, fmt.Errorf("%w: read the note %s of the search index: %w", projections.ErrTransient, key, err)
	}
	return raw, nil
}

// write commits a batch to memory. The disk follows, not far behind.
func (e *Engine) write(ctx context.Context, batch *blevesearch.Batch) error {
	patience := time.NewTimer(flushPatience)
	defer patience.Stop()
	select {
	case e.unsynced <- struct{}{}:
	case <-patience.C:
		return fmt.Errorf("the disk does not take what was indexed: is there room in %s?", e.cfg.Dir)
	case <-ctx.Done():
		return ctx.Err()
	}
	batch.SetPersistedCallback(func(error) { <-e.unsynced })
	if err := e.index.Batch(batch); err != nil {
		<-e.unsynced
		return err
	}
	return nil
}

// Flush returns once everything that was written before is on disk.
func (e *Engine) Flush(ctx context.Context) error {
	persisted := make(chan error, 1)
	batch := e.index.NewBatch()
	batch.SetInternal(keyFlush, nil)
	batch.SetPersistedCallback(func(err error) { persisted <- err })
	if err := e.index.Batch(batch); err != nil {
		return fmt.Errorf("flush the search index: %w", err)
	}
	select {
	case err := <-persisted:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// places are where somebody reads, compares and writes; nobody else does so there meanwhile.
type places struct {
	mu    sync.Mutex
	free  chan struct{} // closed when somebody is done
	taken map[string]bool
}

// take waits until all of the places are free, and takes all of them, until done.
func (p *places) take(ids []string) (done func()) {
	for {
		p.mu.Lock()
		if p.taken == nil {
			p.taken, p.free = map[string]bool{}, make(chan struct{})
		}
		busy := false
		for _, id := range ids {
			busy = busy || p.taken[id]
		}
		if !busy {
			break
		}
		free := p.free
		p.mu.Unlock()
		<-free
	}
	for _, id := range ids {
		p.taken[id] = true
	}
	p.mu.Unlock()
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, id := range ids {
			delete(p.taken, id)
		}
		close(p.free)
		p.free = make(chan struct{})
	}
}

package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	es "github.com/olivere/elastic/v7"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// Engine is an open index. All methods may be used concurrently.
type Engine struct {
	cfg    Config
	client *es.Client
	sender *sender
	gone   *gone // of all indexes of the store
	index  string
	fields map[string]json.RawMessage // what an index of another version can hold; nil: all

	mu    sync.Mutex
	marks map[int]*mark // of the progress of partitions, as it was read or written last; nil: it is not there yet
}

var _ search.Index = (*Engine)(nil)

// rebuild is an error that tells the operator what is wrong and what to do.
func (e *Engine) rebuild(kind error, detail string) error {
	return fmt.Errorf("%w: %s; nothing is lost: remove the index %s, and it is filled again from the log", kind, detail, e.index)
}

// away is an error of the engine, which may be well again later. An index that is not there any more will not come back by
// itself.
func (e *Engine) away(what string, err error) error {
	if typeOf(err) == typeNone {
		e.missing()
	}
	return away(what, err)
}

func (e *Engine) missing() {
	if e.gone != nil {
		e.gone.tell(e.index)
	}
}

// Documents is the number of conversations in the index.
func (e *Engine) Documents(ctx context.Context) (uint64, error) {
	n, err := e.client.Count(e.index).Query(es.NewTermQuery("kind", kindConversation)).Do(ctx)
	if err != nil {
		return 0, e.away("count documents", err)
	}
	return uint64(max(n, 0)), nil
}

// Refresh returns once everything that was written before is found by searches.
func (e *Engine) Refresh(ctx context.Context) error {
	if _, err := e.client.Refresh(e.index).Do(ctx); err != nil {
		return e.away("refresh the search index", err)
	}
	return nil
}

// Flush has nothing to do: what the engine has answered is on disk.
func (e *Engine) Flush(context.Context) error { return nil }

// Close has nothing to do: the store has the connections.
func (e *Engine) Close() error { return nil }

// State reads the progress of a partition.
func (e *Engine) State(ctx context.Context, partition int) (projections.State, error) {
	s := projections.State{Ahead: map[string]uint64{}, Parked: map[string]projections.Parked{}}
	got, err := e.get(ctx, statePlace(partition))
	if err != nil {
		return s, err
	}
	var at *mark
	if got != nil {
		var d document
		if err := errors.Join(json.Unmarshal(got.Source, &d), json.Unmarshal(d.Kept, &s)); err != nil {
			return s, e.rebuild(search.ErrCorrupt, "its progress does not decode")
		}
		now := markOf(got)
		at = &now
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.marks[partition] = at
	return s, nil
}

// Note keeps something beside the documents.
func (e *Engine) Note(ctx context.Context, key string, value []byte) error {
	body, err := json.Marshal(string(value))
	if err != nil {
		return fmt.Errorf("encode the note %s: %w", key, err)
	}
	for range tries { // one that was given up may yet be carried out in between
		var at *mark
		got, err := e.get(ctx, notePlace(key))
		if err != nil {
			return err
		}
		if got != nil {
			now := markOf(got)
			at = &now
		}
		if _, err = e.put(ctx, notePlace(key), document{Kind: kindNote, Kept: body}, at); !errors.Is(err, errConflict) {
			return err
		}
	}
	return e.away("write "+notePlace(key), errConflict)
}

// Noted reads what was noted.
func (e *Engine) Noted(ctx context.Context, key string) ([]byte, error) {
	got, err := e.get(ctx, notePlace(key))
	if err != nil || got == nil {
		return nil, err
	}
	var d document
	var value string
	if err := errors.Join(json.Unmarshal(got.Source, &d), json.Unmarshal(d.Kept, &value)); err != nil {
		return nil, e.rebuild(search.ErrCorrupt, "the note "+key+" does not decode")
	}
	return []byte(value), nil
}

// get reads what stands at a place, also when no refresh has shown it to searches yet; nil when nothing does.
func (e *Engine) get(ctx context.Context, place string) (*es.GetResult, error) {
	res, err := e.client.MultiGet().Add(es.NewMultiGetItem().Index(e.index).Id(place)).Do(ctx)
	switch {
	case err != nil:
		return nil, e.away("read "+place, err)
	case len(res.Docs) != 1:
		return nil, e.away("read "+place, errors.New("no answer"))
	case res.Docs[0].Error != nil:
		return nil, e.away("read "+place, &es.Error{Details: res.Docs[0].Error})
	case !res.Docs[0].Found:
		return nil, nil //nolint:nilnil // nothing there is an answer, not a failure
	}
	return res.Docs[0], nil
}

// Write writes documents, and then the progress. Whatever fails half way is repeated without harm.
func (e *Engine) Write(ctx context.Context, b search.Batch) error {
	if err := e.carryOut(ctx, b.Plan, b.Progress == nil); err != nil { // a rebuild writes documents alone
		return err
	}
	if b.Progress == nil {
		return nil
	}
	kept, err := json.Marshal(b.Progress.State)
	if err != nil {
		return fmt.Errorf("encode the progress of search: %w", err)
	}
	partition := b.Progress.Partition
	e.mu.Lock()
	over := e.marks[partition]
	e.mu.Unlock()
	at, err := e.put(ctx, statePlace(partition), document{Kind: kindState, Kept: kept}, over)
	if errors.Is(err, errConflict) {
		return fmt.Errorf("%w: partition %d of the search index", projections.ErrFenced, partition)
	}
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.marks[partition] = &at
	return nil
}

// carryOut writes what a plan says.
func (e *Engine) carryOut(ctx context.Context, plan search.Plan, bulky bool) error {
	w := bulk{fields: e.fields, bulky: bulky}
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
		if err := w.add(place(doc.Org, doc.Key()), doc.Position, d); err != nil {
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

// Places reads how far documents and stubs are.
func (e *Engine) Places(ctx context.Context, list []events.Aggregate) (map[events.Aggregate]search.Place, error) {
	if len(list) == 0 {
		return nil, nil
	}
	get := e.client.MultiGet()
	for _, a := range list {
		get.Add(es.NewMultiGetItem().Index(e.index).Id(place(a.Org, search.Key(a))).FetchSource(es.NewFetchSourceContext(true).Include("kind")))
	}
	res, err := get.Do(ctx)
	if err != nil {
		return nil, e.away("read how far documents are", err)
	}
	out := make(map[events.Aggregate]search.Place, len(list))
	for i, got := range res.Docs {
		switch {
		case got.Error != nil:
			return nil, e.away("read document "+got.Id, &es.Error{Details: got.Error})
		case got.Found && got.Version != nil && *got.Version > 0:
			var d document
			if err := json.Unmarshal(got.Source, &d); err != nil {
				return nil, fmt.Errorf("%w: a document does not decode: %w", search.ErrCorrupt, err)
			}
			out[list[i]] = search.Place{Position: uint64(*got.Version), Gone: d.Kind == kindGone}
		}
	}
	return out, nil
}

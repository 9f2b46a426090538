package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"

	"github.com/tidemark-desk/tidemark/projections"
)

// bulk gathers documents that are written together.
type bulk struct {
	fields map[string]json.RawMessage // that the index can hold; nil: all
	items  []item
	bulky  bool // what happens now must not wait for it
}

// item is a document as a request has it: what to do with it and itself, a line each.
type item struct {
	at    string
	lines []byte
}

// add takes a document that replaces what is older at its place.
func (b *bulk) add(at string, version uint64, d document) error {
	type action struct {
		ID      string `json:"_id"`
		Version uint64 `json:"version"`
		Type    string `json:"version_type"`
	}
	head, err := json.Marshal(map[string]action{"index": {ID: at, Version: version, Type: "external_gte"}})
	if err != nil {
		return fmt.Errorf("encode document %s: %w", at, err)
	}
	body, err := b.shape(d)
	if err != nil {
		return fmt.Errorf("encode document %s: %w", at, err)
	}
	lines := make([]byte, 0, len(head)+len(body)+2)
	lines = append(append(append(append(lines, head...), '\n'), body...), '\n')
	b.items = append(b.items, item{at: at, lines: lines})
	return nil
}

// shape leaves out what an index of another version has no place for.
func (b *bulk) shape(d document) ([]byte, error) {
	body, err := json.Marshal(d)
	if err != nil || b.fields == nil {
		return body, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, err
	}
	maps.DeleteFunc(all, func(name string, _ json.RawMessage) bool { _, has := b.fields[name]; return !has })
	return json.Marshal(all)
}

// path is where bulk requests of an index go. They name an alias, and nothing but an alias will do: the engine makes an
// index that is not there by itself, guessing at what the fields are, and never an alias.
func (e *Engine) path() string { return "/" + url.PathEscape(into(e.index)) + "/_bulk" }

// into is the alias of an index by which it is written.
func into(index string) string { return index + "-in" }

// write sends what was gathered. What is older than what is there is no error: it has been overtaken.
func (e *Engine) write(ctx context.Context, b *bulk) error {
	err := e.sender.send(ctx, e.path(), b.items, b.bulky)
	if busy, ok := errors.AsType[*busyError](err); ok && busy.gone {
		e.missing()
	}
	return err
}

// refusedError blames documents that the engine will never take, by the first of them.
type refusedError struct {
	at, kind, reason string
	others           int
}

func (e *refusedError) Error() string {
	more := ""
	if e.others > 0 {
		more = fmt.Sprintf(" (and %d others)", e.others)
	}
	return fmt.Sprintf("the search engine does not take document %s%s: %s: %s", e.at, more, e.kind, e.reason)
}

// busyError says that documents may be taken later.
type busyError struct {
	reason string // of the metrics
	soon   bool   // it is worth trying again after a moment
	gone   bool   // the index is not there
	err    error
}

func (e *busyError) Error() string { return e.err.Error() }

func (e *busyError) Unwrap() []error { return []error{projections.ErrTransient, e.err} }

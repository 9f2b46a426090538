package bleve

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	blevesearch "github.com/blevesearch/bleve/v2"

	"github.com/tidemark-desk/tidemark/projections/search"
)

// Raw is an index as the library has it, with none of what an engine adds to it: for measuring the one beside the other.
type Raw struct{ index blevesearch.Index }

// MakeRaw makes an empty index in a directory of its own.
func MakeRaw(dir string) (*Raw, error) {
	path := filepath.Join(dir, "raw")
	if err := create(path, Config{}); err != nil {
		return nil, fmt.Errorf("make an index in %s: %w", path, err)
	}
	return openRaw(path)
}

// OpenRaw opens the index that serves in a directory which no store has open.
func OpenRaw(dir string) (_ *Raw, err error) {
	s, err := Open(Config{Dir: dir})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for number, role := range s.roles {
		if role == search.RoleServing {
			return openRaw(s.path(number))
		}
	}
	return nil, fmt.Errorf("no index in %s serves", dir)
}

func openRaw(path string) (*Raw, error) {
	index, err := openIndex(path)
	if err != nil {
		return nil, fmt.Errorf("open the index in %s: %w", path, err)
	}
	return &Raw{index}, nil
}

// Prepare makes one batch of documents, which write hands to the index.
func (r *Raw) Prepare(docs []*search.Document) (write func(context.Context) error, err error) {
	batch := r.index.NewBatch()
	for _, d := range docs {
		prepared, err := encode(d)
		if err != nil {
			return nil, err
		}
		if err := batch.IndexAdvanced(prepared); err != nil {
			return nil, fmt.Errorf("add document %s/%s: %w", d.Org, d.ID, err)
		}
	}
	return func(context.Context) error { return r.index.Batch(batch) }, nil
}

// Find asks for the first page of a ranked query by the library's own search, with what is kept of each hit, as other engines
// answer. Nothing of that is decoded.
func (r *Raw) Find(ctx context.Context, q search.Query) (total uint64, ids []string, err error) {
	reader, done, err := (&Engine{index: r.index}).reader()
	if err != nil {
		return 0, nil, err
	}
	defer done()
	c, err := compile(reader, q)
	if err != nil {
		return 0, nil, err
	}
	req := blevesearch.NewSearchRequestOptions(c.root, q.Limit, 0, false)
	req.SortByCustom(byScore())
	req.Fields = []string{fieldSource}
	page, err := r.index.SearchInContext(ctx, req)
	if err != nil {
		return 0, nil, fmt.Errorf("search: %w", err)
	}
	for _, hit := range page.Hits {
		ids = append(ids, hit.ID[len(q.Org)+1:])
	}
	return page.Total, ids, nil
}

// Documents is the number of documents.
func (r *Raw) Documents(context.Context) (uint64, error) { return r.index.DocCount() }

// Close gives the index up.
func (r *Raw) Close() error { return r.index.Close() }

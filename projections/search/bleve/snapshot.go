package bleve

import (
	"fmt"

	"github.com/blevesearch/bleve/v2/index/scorch"
	index "github.com/blevesearch/bleve_index_api"
)

// snapshot is the index at a moment.
type snapshot struct{ *scorch.IndexSnapshot }

// reader is a snapshot of now; done gives it back.
func (e *Engine) reader() (r *snapshot, done func(), err error) {
	inner, err := e.index.Advanced()
	if err != nil {
		return nil, nil, fmt.Errorf("open the search index: %w", err)
	}
	reader, err := inner.Reader()
	if err != nil {
		return nil, nil, fmt.Errorf("read the search index: %w", err)
	}
	is, ok := reader.(*scorch.IndexSnapshot)
	if !ok {
		return nil, nil, fmt.Errorf("read the search index: a snapshot is a %T", reader)
	}
	return &snapshot{is}, func() { _ = is.Close() }, nil
}

// read shows what stands at places, documents and stubs, which are Erased, in any order.
func (s *snapshot) read(places []string, fn func(place string, k *kept) error) error {
	list, err := s.DocIDReaderOnly(places)
	if err != nil {
		return fmt.Errorf("find documents: %w", err)
	}
	defer func() { _ = list.Close() }()
	for {
		id, err := list.Next()
		if err != nil || id == nil {
			return err
		}
		err = s.visit(id, func(k *kept) error { return fn(docID(k.Org, k.Key()), k) })
		if err != nil {
			return err
		}
	}
}

// visit shows what the index has of a document, while fn runs. It is not called for marks.
func (s *snapshot) visit(id index.IndexInternalID, fn func(*kept) error) error {
	number := id.Value()
	for _, segment := range s.Segments() {
		size := uint64(segment.FullSize()) //nolint:gosec // it is positive
		if number >= size {
			number -= size
			continue
		}
		var failed error
		err := segment.VisitDocument(number, func(field string, _ byte, value []byte, _ []uint64) bool {
			if field != fieldSource {
				return true
			}
			var k *kept
			if k, failed = unpack(value); failed == nil {
				failed = fn(k)
			}
			return false
		})
		if err != nil {
			return fmt.Errorf("read a document: %w", err)
		}
		return failed
	}
	return fmt.Errorf("read a document: the index has no number %d", id.Value())
}

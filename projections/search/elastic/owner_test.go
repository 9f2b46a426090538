package elastic_test

import (
	"errors"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/internal/testkit/searchengine"
	"github.com/tidemark-desk/tidemark/projections/search/elastic"
	"github.com/tidemark-desk/tidemark/projections/search/searchtest"
)

// A process that was killed has its indexes back at once, and does not wait until its lease has run out.
func TestOwnerComesBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	id, lock, err := elastic.Owner(dir)
	if err != nil || id == "" {
		t.Fatalf("%q, %v", id, err)
	}
	if other, _, err := elastic.Owner(dir); other != "" || err != nil {
		t.Errorf("while somebody has the directory: %q, %v", other, err)
	}
	c := elastic.Config{
		URL: searchengine.Shared(t, searchengine.OpenSearch).URL, Name: name(dir), Incarnation: searchtest.Incarnation,
		Partitions: searchtest.Partitions, Owner: id, Lease: time.Hour,
	}
	if _, err := elastic.Open(t.Context(), c); err != nil { // and is never closed
		t.Fatal(err)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	if c.Owner, lock, err = elastic.Owner(dir); c.Owner != id || err != nil {
		t.Fatalf("started again: %q, %v, was %q", c.Owner, err, id)
	}
	again, err := elastic.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(again.Close(), lock.Unlock()); err != nil {
		t.Error(err)
	}
}

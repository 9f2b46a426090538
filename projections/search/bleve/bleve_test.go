package bleve_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/bleve"
	"github.com/tidemark-desk/tidemark/projections/search/indexes"
	"github.com/tidemark-desk/tidemark/projections/search/searchtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/blevesearch/bleve_index_api.AnalysisWorker"))
}

// engine is the indexes of a directory.
type engine struct {
	*indexes.Set
	store *bleve.Store
}

func open(tb testing.TB, dir string, history search.History) engine {
	tb.Helper()
	store, err := bleve.Open(config(dir))
	if err != nil {
		tb.Fatalf("open the index: %v", err)
	}
	return engine{searchtest.Open(tb, store, history), store}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, func(tb testing.TB, place string, log search.History) search.Engine {
		tb.Helper()
		return open(tb, place, log).Set
	})
}

package bleve_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/bleve"
	"github.com/tidemark-desk/tidemark/projections/search/searchtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/blevesearch/bleve_index_api.AnalysisWorker"))
}

func open(tb testing.TB, dir string, history search.History) *bleve.Engine {
	tb.Helper()
	e, err := bleve.Open(tb.Context(), bleve.Config{
		Dir: dir, Incarnation: searchtest.Incarnation, Partitions: searchtest.Partitions, History: history,
	})
	if err != nil {
		tb.Fatalf("open the index: %v", err)
	}
	return e
}

func TestConformance(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, func(tb testing.TB, place string, log search.History) search.Engine {
		tb.Helper()
		return open(tb, place, log)
	})
}

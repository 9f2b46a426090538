package elastic_test

import (
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/internal/testkit/searchengine"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/elastic"
	"github.com/tidemark-desk/tidemark/projections/search/searchtest"
)

func TestMain(m *testing.M) {
	// Each try of the engine-independent properties makes indexes, which takes these engines a while; the embedded one has
	// the usual number of them. Who says -rapid.checks gets what they say.
	if err := flag.Set("rapid.checks", "20"); err != nil {
		panic(err)
	}
	testkit.Main(m)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: needs Java")
	}
	for _, kind := range []string{searchengine.Elasticsearch, searchengine.OpenSearch} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := searchengine.Shared(t, kind).URL
			searchtest.Run(t, func(tb testing.TB, where string, log search.History) search.Engine {
				tb.Helper()
				store, err := elastic.Open(tb.Context(), elastic.Config{
					URL: url, Name: name(where), Incarnation: searchtest.Incarnation, Partitions: searchtest.Partitions,
					Lease: 200 * time.Millisecond,
				})
				if err != nil {
					tb.Fatalf("open the index: %v", err)
				}
				return searchtest.Open(tb, store, log)
			})
		})
	}
}

// name is an index for a directory that outlives engines.
func name(where string) string {
	return "t" + strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(where))
}

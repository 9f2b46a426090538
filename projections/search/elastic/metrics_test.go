package elastic

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// The table of an engine's metrics has every one, and no other.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	NewMetrics(r)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var there []string
	for _, f := range families {
		there = append(there, f.GetName())
	}
	raw, err := os.ReadFile("../../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(tidemark_search_(?:bulk|documents|retries|engine)_\\w+)` \\|").FindAllStringSubmatch(string(raw), -1) {
		documented = append(documented, m[1])
	}
	slices.Sort(there)
	slices.Sort(documented)
	if !slices.Equal(there, documented) {
		t.Errorf("the documents have %v, and there are %v", documented, there)
	}
}

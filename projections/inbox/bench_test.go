package inbox

import (
	"testing"

	"github.com/tidemark-desk/tidemark/projections/internal/modeltest"
)

// BenchmarkList is 16 callers at 100,000 conversations, half of them of the org that asks. Flat means that a filter
// that matches much costs what one costs that matches little.
func BenchmarkList(b *testing.B) {
	pool := modeltest.Pool(b, Projection{})
	desk(b, pool, 100_000)
	if _, err := pool.Exec(b.Context(), "VACUUM ANALYZE inbox_conversations"); err != nil {
		b.Fatal(err)
	}
	reader := NewReader(pool)
	for name, q := range map[string]Query{
		"open":              {},
		"any":               {Status: Any},
		"queue":             {Queue: "q1"},
		"queue-no-match":    {Queue: "nobody's"},
		"unassigned":        {Assignee: None},
		"tag":               {Tag: "vip"},
		"tag-no-match":      {Tag: "nothing"},
		"customer":          {Customer: "u3"},
		"queue-and-channel": {Queue: "q1", Channel: "sms"},
		"longest-waiting":   {Sort: "waiting_since"},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetParallelism(8) // of two processors: 16 callers
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if _, err := reader.List(b.Context(), "acme", q); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lists/s")
		})
	}
}

package bench_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/bench"
)

// Programs find the same ten fields in every line. What was not measured, and what has no goal, is null: neither 0 nor
// a miss.
func TestEveryLineHasTheSameFields(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		line bench.Result
		want map[string]any
	}{
		"everything": {
			bench.Result{Bench: "accept", What: "w", Value: 2, Unit: "messages/s", Raw: 1, Ratio: 2, P50: 0.5, P99: 9, Goal: "≥ 1.4 ×", Met: true},
			map[string]any{"bench": "accept", "what": "w", "value": 2.0, "unit": "messages/s", "raw": 1.0, "ratio": 2.0, "p50_ms": 0.5, "p99_ms": 9.0, "goal": "≥ 1.4 ×", "met": true},
		},
		"a miss beside nothing": {
			bench.Result{Bench: "startup", What: "w", Value: 3, Unit: "s", Goal: "≤ 2 s"},
			map[string]any{"bench": "startup", "what": "w", "value": 3.0, "unit": "s", "raw": nil, "ratio": nil, "p50_ms": nil, "p99_ms": nil, "goal": "≤ 2 s", "met": false},
		},
		"no goal": {
			bench.Result{Bench: "accept", What: "w", Value: 2, Unit: "messages/s", Raw: 1, Ratio: 2, P50: 0.5, P99: 9, Goal: bench.NoGoal},
			map[string]any{"bench": "accept", "what": "w", "value": 2.0, "unit": "messages/s", "raw": 1.0, "ratio": 2.0, "p50_ms": 0.5, "p99_ms": 9.0, "goal": bench.NoGoal, "met": nil},
		},
	} {
		raw, err := json.Marshal(c.line)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %s, want %v", name, raw, c.want)
		}
	}
}

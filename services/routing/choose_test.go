package routing

import (
	"testing"
	"time"
)

func TestChoose(t *testing.T) {
	t.Parallel()
	early := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
	late := early.Add(time.Hour)
	for _, tc := range []struct {
		Name  string
		Given []candidate
		Then  string
		Held  bool
	}{
		{Name: "nobody is online"},
		{Name: "the only one", Given: []candidate{{AgentID: "ann", Capacity: 1}}, Then: "ann"},
		{Name: "full", Given: []candidate{{AgentID: "ann", Capacity: 2, Open: 2}}},
		{Name: "over capacity after it was lowered", Given: []candidate{{AgentID: "ann", Capacity: 1, Open: 4}}},
		{Name: "takes no work at all", Given: []candidate{{AgentID: "ann"}}},
		{
			Name:  "most spare capacity wins over idle time",
			Given: []candidate{{AgentID: "ann", Capacity: 5, Open: 3}, {AgentID: "bob", Capacity: 4, Open: 1, LastAssigned: late}},
			Then:  "bob",
		},
		{
			Name:  "spare capacity is absolute, not a share",
			Given: []candidate{{AgentID: "ann", Capacity: 10, Open: 7}, {AgentID: "bob", Capacity: 2}},
			Then:  "ann",
		},
		{
			Name:  "equally free: the longest idle",
			Given: []candidate{{AgentID: "ann", Capacity: 2, LastAssigned: late}, {AgentID: "bob", Capacity: 2, LastAssigned: early}},
			Then:  "bob",
		},
		{
			Name:  "never had work is idle for longest",
			Given: []candidate{{AgentID: "ann", Capacity: 2, LastAssigned: early}, {AgentID: "bob", Capacity: 2}},
			Then:  "bob",
		},
		{
			Name:  "equal in everything: always the same one",
			Given: []candidate{{AgentID: "bob", Capacity: 2}, {AgentID: "ann", Capacity: 2}},
			Then:  "ann",
		},
		{
			Name:  "the burst cap passes over the freest",
			Given: []candidate{{AgentID: "ann", Capacity: 50, Recent: 3}, {AgentID: "bob", Capacity: 2, Open: 1}},
			Then:  "bob",
		},
		{Name: "only the burst cap holds it", Given: []candidate{{AgentID: "ann", Capacity: 50, Recent: 3}}, Held: true},
		{
			Name:  "full and over the burst cap: asking later is no use",
			Given: []candidate{{AgentID: "ann", Capacity: 3, Open: 3, Recent: 3}},
		},
	} {
		t.Run(tc.Name, func(t *testing.T) {
			t.Parallel()
			got, held := choose(tc.Given, 3)
			if got != tc.Then || held != tc.Held {
				t.Fatalf("choose = %q, held %v; want %q, held %v", got, held, tc.Then, tc.Held)
			}
		})
	}
}

package presence

import (
	"slices"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/internal/directory"
)

// moment is one thing that happens to a roll, and then who is seen to have come and to have left.
type moment struct {
	at         time.Duration
	do         func(r *roll, now time.Time)
	came, left bool
}

func TestRoll(t *testing.T) {
	t.Parallel()
	const grace, every = 60 * time.Second, 10 * time.Second
	ann := name{"acme", "ann"}
	opens := func(r *roll, _ time.Time) { r.open(ann) }
	closes := func(r *roll, now time.Time) { r.close(ann, now) }
	hears := func(r *roll, now time.Time) { r.hear([]name{ann}, now) }
	nothing := func(*roll, time.Time) {}
	for what, c := range map[string]struct {
		connected bool // as the directory has it at first
		deaf      [2]time.Duration
		moments   []moment
	}{
		"a stream opens, and closes for longer than the grace": {moments: []moment{
			{at: 0, do: opens, came: true},
			{at: 100 * time.Second, do: closes},
			{at: 159 * time.Second, do: nothing},
			{at: 160 * time.Second, do: nothing, left: true},
			{at: 161 * time.Second, do: opens, came: true},
		}},
		"one of two closes": {moments: []moment{
			{at: 0, do: opens, came: true},
			{at: 0, do: opens},
			{at: 1 * time.Second, do: closes},
			{at: 200 * time.Second, do: nothing},
			{at: 201 * time.Second, do: closes},
			{at: 261 * time.Second, do: nothing, left: true},
		}},
		"flaps": {moments: []moment{
			{at: 0, do: opens, came: true},
			{at: 10 * time.Second, do: closes},
			{at: 60 * time.Second, do: opens},
			{at: 61 * time.Second, do: closes},
			{at: 120 * time.Second, do: opens},
			{at: 500 * time.Second, do: nothing},
		}},
		"goes on in another process, which falls silent": {moments: []moment{
			{at: 0, do: opens, came: true},
			{at: 10 * time.Second, do: closes},
			{at: 50 * time.Second, do: hears},
			{at: 109 * time.Second, do: nothing},
			{at: 110 * time.Second, do: nothing, left: true},
		}},
		"a restart: who was connected has the grace to come back": {connected: true, moments: []moment{
			{at: 0, do: nothing},
			{at: 59 * time.Second, do: nothing},
			{at: 60 * time.Second, do: nothing, left: true},
		}},
		"a restart, and they come back": {connected: true, moments: []moment{
			{at: 20 * time.Second, do: opens},
			{at: 200 * time.Second, do: nothing},
		}},
		"nobody is taken for gone while nothing is heard, nor right afterwards": {
			connected: true, deaf: [2]time.Duration{30 * time.Second, 300 * time.Second}, moments: []moment{
				{at: 200 * time.Second, do: nothing},
				{at: 301 * time.Second, do: nothing},
				{at: 359 * time.Second, do: nothing},
				{at: 370 * time.Second, do: nothing, left: true},
			},
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r := newRoll(grace, every)
			start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			agents := []directory.Agent{
				{OrgID: ann.Org, ID: ann.ID, Connected: c.connected},
				{OrgID: "acme", ID: "gone", Connected: true, Deactivated: true},
			}
			var beat time.Duration
			for _, m := range c.moments {
				for ; beat <= m.at; beat += every {
					if beat < c.deaf[0] || beat >= c.deaf[1] {
						r.beaten(start.Add(beat))
						r.forget(start.Add(beat))
					}
				}
				now := start.Add(m.at)
				m.do(r, now)
				came, left := r.changes(agents, now)
				if slices.Contains(came, ann) != m.came || slices.Contains(left, ann) != m.left || len(came)+len(left) > 1 {
					t.Fatalf("at %s: came %v, left %v", m.at, came, left)
				}
				if m.came || m.left {
					agents[0].Connected = m.came
				}
			}
		})
	}
}

// TestNobodyLeavesBeforeAnythingWasHeard: a process that has just started knows nothing of the others.
func TestNobodyLeavesBeforeAnythingWasHeard(t *testing.T) {
	t.Parallel()
	r := newRoll(time.Minute, 10*time.Second)
	if _, left := r.changes([]directory.Agent{{OrgID: "acme", ID: "ann", Connected: true}}, time.Now()); len(left) > 0 {
		t.Error(left)
	}
}

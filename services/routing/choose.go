package routing

import (
	"cmp"
	"slices"
	"time"
)

// candidate is an online member of a queue, as seen at the moment of assigning.
type candidate struct {
	AgentID      string
	Capacity     int       // open conversations that the agent may hold
	Open         int       // that the agent holds
	Recent       int       // that the agent was given within the burst window
	LastAssigned time.Time // zero: never
}

func (c candidate) spare() int { return c.Capacity - c.Open }

// choose names the candidate with the most spare capacity, then the one who was idle for longest, then the lowest
// id, so that the same question always has the same answer. Who was given burst conversations within the window
// is passed over; held tells that nobody was chosen only for that reason, so that asking again later is worth it.
func choose(candidates []candidate, burst int) (agentID string, held bool) {
	free := make([]candidate, 0, len(candidates))
	for _, c := range candidates {
		switch {
		case c.spare() <= 0:
		case c.Recent >= burst:
			held = true
		default:
			free = append(free, c)
		}
	}
	if len(free) == 0 {
		return "", held
	}
	best := slices.MinFunc(free, func(a, b candidate) int {
		return cmp.Or(
			cmp.Compare(b.spare(), a.spare()),
			a.LastAssigned.Compare(b.LastAssigned),
			cmp.Compare(a.AgentID, b.AgentID),
		)
	})
	return best.AgentID, false
}

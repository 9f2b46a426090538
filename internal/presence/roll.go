package presence

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/tidemark-desk/tidemark/internal/directory"
)

// name is an agent.
type name struct {
	Org string `json:"org"`
	ID  string `json:"id"`
}

func byName(a, b name) int { return cmp.Or(cmp.Compare(a.Org, b.Org), cmp.Compare(a.ID, b.ID)) }

// roll is who is at their desk, as far as this process has heard. It keeps no time of its own.
type roll struct {
	grace time.Duration
	pause time.Duration // between two beats of ours without which we do not hear what others say

	here  map[name]int       // open streams of this process
	heard map[name]time.Time // when a process last said that the agent has a stream
	fed   time.Time          // since when what others say is heard without a pause; zero: it is not
	beat  time.Time          // when our own was heard last
}

func newRoll(grace, every time.Duration) *roll {
	return &roll{grace: grace, pause: 3 * every, here: map[name]int{}, heard: map[name]time.Time{}}
}

// open notes a stream and tells whether it is the agent's first here.
func (r *roll) open(n name) bool {
	r.here[n]++
	return r.here[n] == 1
}

// close notes the end of a stream. The grace of the last one begins now.
func (r *roll) close(n name, now time.Time) {
	if r.here[n]--; r.here[n] <= 0 {
		delete(r.here, n)
		r.heard[n] = now
	}
}

// present lists whose streams are open here.
func (r *roll) present() []name { return slices.SortedFunc(maps.Keys(r.here), byName) }

// hear notes what a process says.
func (r *roll) hear(all []name, now time.Time) {
	for _, n := range all {
		r.heard[n] = now
	}
}

// beaten notes that our own beat was heard, and so what others say. After a pause everybody's silence begins anew.
func (r *roll) beaten(now time.Time) {
	if r.fed.IsZero() || now.Sub(r.beat) > r.pause {
		r.fed = now
	}
	r.beat = now
}

// changes compares the directory with what was heard: who came, and who has been silent for the grace. Nobody has while
// nothing is heard.
func (r *roll) changes(agents []directory.Agent, now time.Time) (came, left []name) {
	for _, a := range agents {
		n := name{a.OrgID, a.ID}
		switch {
		case a.Deactivated:
		case r.here[n] > 0:
			if !a.Connected {
				came = append(came, n)
			}
		case a.Connected && r.hears(now) && r.silence(n, now) >= r.grace:
			left = append(left, n)
		}
	}
	return came, left
}

// hears tells whether what others say would be heard.
func (r *roll) hears(now time.Time) bool { return !r.fed.IsZero() && now.Sub(r.beat) <= r.pause }

// silence is for how long nobody has said that the agent has a stream, and would have been heard.
func (r *roll) silence(n name, now time.Time) time.Duration {
	since := r.fed
	if at := r.heard[n]; at.After(since) {
		since = at
	}
	return now.Sub(since)
}

// forget drops what makes no difference any more.
func (r *roll) forget(now time.Time) {
	maps.DeleteFunc(r.heard, func(_ name, at time.Time) bool { return now.Sub(at) > r.grace })
}

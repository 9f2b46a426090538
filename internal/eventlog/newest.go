package eventlog

import (
	"github.com/tidemark-desk/tidemark/events"
)

// heard is how many aggregates the hub remembers the newest event of, at least; at most twice as many.
const heard = 1 << 14

// newest remembers what the live feed has said last of each kind, and of the aggregates that it spoke of recently.
type newest struct {
	kinds  map[events.Kind]uint64
	recent map[events.Aggregate]uint64
	older  map[events.Aggregate]uint64
}

func newNewest() newest {
	return newest{kinds: map[events.Kind]uint64{}, recent: map[events.Aggregate]uint64{}}
}

func (n *newest) note(e *events.Recorded) {
	n.kinds[e.Kind] = e.Sequence
	if len(n.recent) >= heard {
		n.older, n.recent = n.recent, make(map[events.Aggregate]uint64, heard)
	}
	n.recent[e.Aggregate] = e.Sequence
}

// NewestOf is the sequence of the newest event of these kinds that happened since the log was opened here, 0 when there
// was none. It knows of every event up to Head. Who has read the history of some kinds and follows them live learns with
// it how far they have to be followed to know everything of them up to Head.
func (l *Log) NewestOf(kinds ...events.Kind) uint64 {
	l.hub.mu.Lock()
	defer l.hub.mu.Unlock()
	var last uint64
	for _, k := range kinds {
		last = max(last, l.hub.newest.kinds[k])
	}
	return last
}

// LastHeard is the sequence of the newest event of the aggregate that this process has heard of live, 0 when that is long
// ago or never was. Who keeps a fold learns with it, for nothing, that somebody else has written.
func (l *Log) LastHeard(a events.Aggregate) uint64 {
	l.hub.mu.Lock()
	defer l.hub.mu.Unlock()
	if sequence, ok := l.hub.newest.recent[a]; ok {
		return sequence
	}
	return l.hub.newest.older[a]
}

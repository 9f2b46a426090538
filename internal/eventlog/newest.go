package eventlog

import "github.com/tidemark-desk/tidemark/events"

// NewestOf is the sequence of the newest event of these kinds that happened since the log was opened here, 0 when there
// was none. It knows of every event up to Head. Who has read the history of some kinds and follows them live learns with
// it how far they have to be followed to know everything of them up to Head.
func (l *Log) NewestOf(kinds ...events.Kind) uint64 {
	l.hub.mu.Lock()
	defer l.hub.mu.Unlock()
	var newest uint64
	for _, k := range kinds {
		newest = max(newest, l.hub.newest[k])
	}
	return newest
}

package searchindexer

import (
	"sync"
	"time"
)

const (
	measureEvery = time.Second
	measured     = 30 // so many of these times tell how fast the index catches up
)

// meter tells when the index will have caught up, by how its lag has shrunk of late.
type meter struct {
	mu     sync.Mutex
	points []point
}

type point struct {
	at  time.Time
	lag uint64
}

// add notes the lag at a moment. One that grows begins a new measurement: what was before says nothing of it.
func (m *meter) add(at time.Time, lag uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.points); n > 0 && (m.points[n-1].lag == 0 || lag > m.points[0].lag) {
		m.points = m.points[:0]
	}
	m.points = append(m.points, point{at, lag})
	if len(m.points) > measured {
		m.points = m.points[1:]
	}
}

// finish is the time until the index is current; zero when it is. Not known: when the lag does not shrink.
func (m *meter) finish() (left time.Duration, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.points) == 0 {
		return 0, false
	}
	first, last := m.points[0], m.points[len(m.points)-1]
	if last.lag == 0 {
		return 0, true
	}
	took := last.at.Sub(first.at)
	if took <= 0 || last.lag >= first.lag {
		return 0, false
	}
	return time.Duration(float64(took) * float64(last.lag) / float64(first.lag-last.lag)), true
}

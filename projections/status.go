package projections

import (
	"sync"
	"time"
)

// stalledAfter is how long a partition with work may make no progress before it is unhealthy.
const stalledAfter = 30 * time.Second

// Phase is what a partition's runner does.
type Phase string

// The phases.
const (
	PhaseStarting Phase = "starting"
	PhaseStandby  Phase = "standby" // another process holds the partition
	PhaseRunning  Phase = "running"
	PhaseStopped  Phase = "stopped" // too many parked keys
	PhaseFailing  Phase = "failing" // the store or the log is away; it tries again
)

// Status of one partition of a projection in this process. A partition on standby is another process' concern: it is
// healthy and tells no lag.
type Status struct {
	Projection  string   `json:"projection"`
	Partition   int      `json:"partition"`
	Phase       Phase    `json:"phase"`
	Healthy     bool     `json:"healthy"`
	Reason      string   `json:"reason,omitempty"` // why it is not healthy, or what it suffers from
	Progress    Progress `json:"progress"`
	LagEvents   uint64   `json:"lag_events"`  // sequences of the log that wait; an upper bound of the partition's own events
	LagSeconds  float64  `json:"lag_seconds"` // age of the oldest event that waits
	LiveOpen    bool     `json:"live_open"`
	LiveEvents  uint64   `json:"live_events"` // the lag of the live lane
	LiveSeconds float64  `json:"live_seconds"`
	Parked      int      `json:"parked"`
	Commits     uint64   `json:"commits"`
	Events      uint64   `json:"events"` // applied by this process
	Batch       int      `json:"batch"`  // events that the next commit may hold
}

// snapshot is what a partition says of itself.
type snapshot struct {
	phase      Phase
	progress   Progress
	parked     int
	budget     int
	at         time.Time // of the newest event that is done; zero: none was
	oldest     time.Time // of the oldest event that waits, when one was read
	liveOldest time.Time
}

// gauge is what the outside sees of a partition.
type gauge struct {
	mu      sync.Mutex
	phase   Phase
	err     error
	last    snapshot
	ncommit uint64
	nevents uint64

	moved    time.Time // when progress, or nothing to do, was seen last
	lookedAt Progress
	looked   uint64 // commits then

	restLine, restAt uint64 // the hold that it rests at, and where
}

func (g *gauge) set(s snapshot) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.at.IsZero() {
		s.at = g.last.at
	}
	g.phase, g.err, g.last = s.phase, nil, s
}

func (g *gauge) pass(phase Phase, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.phase, g.err = phase, err
}

// rest says that a hold has come true: nothing before it waits.
func (g *gauge) rest(line, at uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.restLine, g.restAt = line, at
}

func (g *gauge) count(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ncommit++
	g.nevents += uint64(n) //nolint:gosec // a length
}

func (g *gauge) commits() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ncommit
}

// look is called every second: with work and no progress since, moved stays where it was.
func (g *gauge) look(head uint64, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	idle := g.phase == PhaseStandby || g.phase != PhaseStarting && g.last.progress.Checkpoint >= head
	if idle || g.moved.IsZero() || g.lookedAt != g.last.progress || g.looked != g.ncommit {
		g.moved, g.lookedAt, g.looked = now, g.last.progress, g.ncommit
	}
}

func (g *gauge) status(head uint64, now time.Time) Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := Status{
		Phase: g.phase, Healthy: true, Progress: g.last.progress, Parked: g.last.parked,
		Commits: g.ncommit, Events: g.nevents, Batch: g.last.budget,
	}
	if g.err != nil {
		s.Reason = g.err.Error()
	}
	if g.phase == PhaseStandby {
		return s
	}
	s.LagEvents, s.LagSeconds = lag(g.last.progress.Checkpoint, head, g.last.oldest, g.last.at, now)
	if g.last.progress.LiveFrom != 0 {
		s.LiveOpen = true
		s.LiveEvents, s.LiveSeconds = lag(g.last.progress.LiveThrough, head, g.last.liveOldest, time.Time{}, now)
	}
	switch {
	case g.phase == PhaseStopped:
		s.Healthy, s.Reason = false, "stopped: too many parked keys; see tidemark parked list, then retry or drop them"
	case s.LagEvents > 0 && !g.moved.IsZero() && now.Sub(g.moved) >= stalledAfter:
		s.Healthy = false
		reason := "stalled: events wait and there was no progress for " + now.Sub(g.moved).Truncate(time.Second).String()
		if s.Reason != "" {
			reason += ": " + s.Reason
		}
		s.Reason = reason
	}
	return s
}

// lag in sequences, and the age of the oldest event that waits or, when that was not read yet, of the last one done.
func lag(done, head uint64, oldest, last, now time.Time) (uint64, float64) {
	if done >= head {
		return 0, 0
	}
	if oldest.IsZero() {
		oldest = last
	}
	if oldest.IsZero() {
		return head - done, 0
	}
	return head - done, max(0, now.Sub(oldest).Seconds())
}

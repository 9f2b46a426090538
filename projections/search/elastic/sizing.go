package elastic

import (
	"sync"
	"time"
)

const (
	firstSize = 1 << 20 // bytes of a request
	leastSize = 64 << 10
	mostSize  = 16 << 20

	quick = 300 * time.Millisecond // an engine that answers a full request sooner may have a larger one
	slow  = 2 * time.Second        // one that needs longer, or is busy, gets smaller ones
)

// sizing finds how large a request may be: it doubles while the engine is quick, and is halved when that is slow or busy.
type sizing struct {
	mu      sync.Mutex
	bytes   int
	ceiling int // that the engine has told of; zero: none
}

func (s *sizing) now() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// learn notes how long the engine needed for a request. A small one says nothing of larger ones, unless it was slow.
func (s *sizing) learn(size int, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case took > slow:
		s.set(min(s.bytes, size) / 2)
	case took < quick && size > s.bytes/2:
		s.set(2 * s.bytes)
	}
}

// halve is for an engine that is busy.
func (s *sizing) halve() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(s.bytes / 2)
}

// tooMuch is for one that says so, once for all.
func (s *sizing) tooMuch(size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if half := max(leastSize, size/2); s.ceiling == 0 || half < s.ceiling {
		s.ceiling = half
	}
	s.set(s.bytes)
}

func (s *sizing) set(size int) {
	s.bytes = min(max(size, leastSize), mostSize)
	if s.ceiling > 0 {
		s.bytes = min(s.bytes, s.ceiling)
	}
}

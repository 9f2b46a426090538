package eventlog

import (
	"fmt"

	"github.com/tidemark-desk/tidemark/internal/run"
)

// Measured tells what the appender has learnt; only when it is at rest.
func Measured(l *Log) string {
	c := &l.appender.cross
	return fmt.Sprintf("plain %.2f ms, batch %.2f ms, line %.1f, load %.1f", c.plain*1e3, c.batch*1e3, c.line(), l.appender.load)
}

// Refusal is what a caller is told when the server refuses with this number.
func Refusal(code int) error { return (&apiError{ErrCode: code}).refusal() }

// HoldTrails lets nobody read along a trail until release is called, so that whoever missed something waits for others.
func HoldTrails(l *Log) (release func()) {
	add := func(n int) {
		l.sweeps.mu.Lock()
		defer l.sweeps.mu.Unlock()
		l.sweeps.trails += n
		run.Signal(l.sweeps.came)
	}
	add(trailReaders)
	return func() { add(-trailReaders) }
}

// Swept is how many readers have shared a walk.
func Swept(l *Log) uint64 {
	l.sweeps.mu.Lock()
	defer l.sweeps.mu.Unlock()
	return l.sweeps.swept
}

// Waiting is how many readers wait for a trail or a walk.
func Waiting(l *Log) int {
	l.sweeps.mu.Lock()
	defer l.sweeps.mu.Unlock()
	return len(l.sweeps.queue)
}

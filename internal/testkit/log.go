package testkit

import (
	"context"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/eventlog"
)

// Log is an embedded event log in a directory of its own, closed when the test ends.
func Log(tb testing.TB) *eventlog.Log {
	tb.Helper()
	l, err := eventlog.Open(tb.Context(), eventlog.Config{Dir: tb.TempDir()})
	if err != nil {
		tb.Fatalf("open a log: %v", err)
	}
	tb.Cleanup(func() {
		if err := l.Close(); err != nil {
			tb.Errorf("close the log: %v", err)
		}
	})
	return l
}

// Head is where the log ends, with everything that was acknowledged before the call: a log's own Head is what it has heard.
func Head(tb testing.TB, l *eventlog.Log) uint64 {
	tb.Helper()
	if err := l.Sync(context.WithoutCancel(tb.Context())); err != nil { // also for what looks when the test has ended
		tb.Fatalf("find the end of the log: %v", err)
	}
	return l.Head()
}

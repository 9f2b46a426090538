package testkit

import (
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

package eventlog

import (
	"testing"
	"time"
)

// feed gives the crossover a server whose plain publishes and batches take fixed times.
func feed(c *crossover, now time.Time, n int, took time.Duration, batch bool, load float64) time.Time {
	for range n {
		sent := now
		now = now.Add(took)
		if batch {
			c.batchDone(sent, now, load)
		} else {
			c.plainDone(sent, now, load)
		}
	}
	return now
}

func TestCrossoverFollowsTheDisk(t *testing.T) {
	t.Parallel()
	var c crossover
	now := time.Unix(0, 0)
	if c.line() != maxLine {
		t.Errorf("a batch before a plain publish was measured: line %.1f", c.line())
	}
	now = feed(&c, now, warm, 250*time.Microsecond, false, 20)
	if c.line() != defaultLine {
		t.Errorf("before a batch was measured: line %.1f", c.line())
	}
	now = feed(&c, now, 60, 3500*time.Microsecond, true, 64)
	if l := c.line(); l < 13 || l > 15 {
		t.Errorf("line %.1f, want 14", l)
	}
	// What follows a batch directly is not a plain publish's own time.
	now = feed(&c, now, settled, 5*time.Millisecond, false, 20)
	if l := c.line(); l < 13 || l > 15 {
		t.Errorf("after the batch's aftermath: line %.1f, want 14", l)
	}
	// Batches become slow: the line moves up. Then nothing is batched for long, and they are tried again.
	now = feed(&c, now, 80, 30*time.Millisecond, true, 64)
	if l := c.line(); l < 90 {
		t.Errorf("slow batches: line %.1f, want 120", l)
	}
	now = feed(&c, now, 20000, 250*time.Microsecond, false, 64)
	if l := c.line(); l > 64 {
		t.Errorf("after a long time without a batch: line %.1f, want it to be tried again at 64 callers", l)
	}
	feed(&c, now, 4, 3500*time.Microsecond, true, 64)
	if l := c.line(); l > 40 {
		t.Errorf("the try was good: line %.1f", l)
	}
}

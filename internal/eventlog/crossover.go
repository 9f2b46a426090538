package eventlog

import "time"

const (
	defaultLine = 16.0 // callers at once from which a batch is tried, before one was measured
	minLine     = 4.0
	maxLine     = 256.0
	margin      = 1.25
	settled     = 8   // plain answers after a batch that are not measured: the batch's files still cost them
	warm        = 32  // plain answers that are measured before any batch is tried
	samples     = 256 // …and over how many they are averaged: one slow fsync among them must not decide
	stale       = 256 // answers of one way after which the other way's figure is old
)

// crossover knows from measured times when a batch is cheaper than plain publishes. A plain publish costs about one fsync; a
// batch has a high fixed cost and then hardly grows. The line is how many callers at once make a batch pay.
//
// Each way is only measured while it is in use, so the figure of the other one is forgotten slowly: near the line each is tried
// again now and then, and one slow moment of the disk decides nothing for ever.
type crossover struct {
	plain    float64 // seconds that one more plain publish takes, away from batches
	batch    float64 // seconds that a batch takes
	last     time.Time
	known    int // plain answers that were measured, up to samples
	plains   int // plain answers since the last batch
	batching bool
	batches  int // batch answers since the last plain publish that was measured
}

func (c *crossover) line() float64 {
	switch {
	case c.known < warm:
		return maxLine
	case c.batch == 0:
		return defaultLine
	}
	return min(maxLine, max(minLine, c.batch/c.plain))
}

// pays tells whether to batch at this load. Changing costs something, so it is done for more than a hair.
func (c *crossover) pays(load float64) bool {
	line := c.line()
	if !c.batching {
		line *= margin
	}
	c.batching = load >= line
	return c.batching
}

// busy is how long the server worked on what was sent at the given time and answered now: it works on one thing at a time.
func (c *crossover) busy(sent, now time.Time) float64 {
	from := sent
	if c.last.After(from) {
		from = c.last
	}
	c.last = now
	return now.Sub(from).Seconds()
}

func (c *crossover) plainDone(sent, now time.Time, load float64) {
	took := c.busy(sent, now)
	if c.plains++; c.plains <= settled && c.batch > 0 {
		return
	}
	c.known = min(samples, c.known+1)
	if c.batches > stale {
		c.known = warm // what was known is old: let the new count
	}
	weight := 1 / float64(c.known)
	c.plain = average(c.plain, took, weight)
	c.batches = 0
	if load > c.line()/2 {
		c.batch *= 0.9999
	}
}

func (c *crossover) batchDone(sent, now time.Time, load float64) {
	weight := 1.0 / 16
	if c.plains > stale {
		weight = 1.0 / 2
	}
	c.batch = average(c.batch, c.busy(sent, now), weight)
	c.plains = 0
	c.batches++
	if load < 2*c.line() {
		c.plain *= 0.999
	}
}

// gather is how long a batch may wait for the callers of the last round to come back.
func (c *crossover) gather() time.Duration {
	return min(3*time.Millisecond, max(500*time.Microsecond, time.Duration(c.batch/6*float64(time.Second))))
}

func average(old, sample, weight float64) float64 {
	if old == 0 {
		return sample
	}
	return old + (sample-old)*weight
}

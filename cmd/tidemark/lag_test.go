package main

import (
	"strings"
	"testing"
	"time"
)

func TestLagCells(t *testing.T) {
	t.Parallel()
	left := 90.0
	behind := func(events uint64) lagRow { return lagRow{Name: "search", Freshness: &Freshness{LagEvents: events}} }
	measured := behind(50)
	measured.FinishSeconds = &left
	away := behind(50)
	away.Reason = "it is away"
	for name, test := range map[string]struct {
		before, now lagRow
		state       string
		unknown     bool
	}{
		"unknown":        {lagRow{}, lagRow{Name: "search", Reason: "why"}, "unknown: why", true},
		"current":        {lagRow{}, behind(0), "current", false},
		"one look":       {lagRow{}, behind(50), "behind", false},
		"it measures":    {lagRow{}, measured, "catching up, done in 1m30s", false},
		"two looks":      {behind(70), measured, "catching up at 10/s, done in 5s", false},
		"it does not":    {behind(40), behind(50), "behind", false},
		"behind and why": {lagRow{}, away, "behind: it is away", false},
	} {
		cells, known := test.now.cells(test.before, 2*time.Second)
		if known == test.unknown || cells[len(cells)-1] != test.state {
			t.Errorf("%s: %s, known %v", name, strings.Join(cells, " | "), known)
		}
	}
}

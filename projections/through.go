package projections

import (
	"context"
	"time"
)

// Covers tells whether all events up to a sequence have been applied. Applied asks of one event alone: while a live lane
// is open, that one may be applied and thousands before it not.
func (p Progress) Covers(sequence uint64) bool {
	return sequence <= p.Checkpoint || p.LiveFrom != 0 && p.LiveFrom <= p.Checkpoint+1 && sequence <= p.LiveThrough
}

// AwaitThrough returns when the projection has applied (or parked) all events of each partition up to through of that
// partition. It fails with ErrNotYet when that takes longer than longest.
func (f *Freshness) AwaitThrough(ctx context.Context, name string, through []uint64, longest time.Duration) error {
	limit := time.NewTimer(longest)
	defer limit.Stop()
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		parts, _, err := f.progress(ctx, name, pollEvery)
		if err != nil {
			return err
		}
		if f.covers(parts, through) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			return ErrNotYet
		case <-poll.C:
		}
	}
}

func (f *Freshness) covers(parts []PartitionProgress, through []uint64) bool {
	for i, sequence := range through {
		if sequence == 0 {
			continue // nothing to apply
		}
		if i >= len(parts) || parts[i].Incarnation != f.log.Incarnation() || !parts[i].Progress.Covers(sequence) {
			return false
		}
	}
	return true
}

package projections

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark-desk/tidemark/events"
)

const (
	recallers  = 8    // keys whose past is read at a time
	eventBytes = 1024 // what an event in a window takes besides its body, about
)

func (p *partition) wants(r *events.Recorded) bool { return r.Partition == p.id && p.kinds[r.Kind] }

// gather sorts events that were taken by key, those of the live lane before those of the backlog. taken counts them, with
// those that turned out to be covered already and those that live ones rest on.
func (p *partition) gather(ctx context.Context, live, low []*item) (units []*unit, taken int, err error) {
	taken = len(live) + len(low)
	pasts, err := p.pasts(ctx, live)
	if err != nil {
		return nil, taken, err
	}
	byKey := map[string]*unit{}
	for n, i := range slices.Concat(live, low) {
		if p.covered(byKey, i) {
			continue
		}
		u := byKey[i.key]
		if u == nil {
			u = &unit{aggregate: i.event.Aggregate, through: p.appliedOf(i.key)}
			byKey[i.key] = u
			units = append(units, u)
		}
		u.items = append(u.items, i)
		if past, ok := pasts[i.key]; ok && n < len(live) && u.park == nil {
			taken += u.recall(past, i.event)
			continue
		}
		u.add(i.event)
	}
	return units, taken, nil
}

// appliedOf tells up to where a key was applied, as far as one number can.
func (p *partition) appliedOf(key string) uint64 { return max(p.committed.Checkpoint, p.ahead[key]) }

// covered marks an item that needs no work: applied ahead, applied by this batch's live work, or of a parked key.
func (p *partition) covered(batch map[string]*unit, i *item) bool {
	if _, parked := p.parked[i.key]; parked || i.event.Sequence <= p.ahead[i.key] {
		i.done = true
		return true
	}
	u := batch[i.key]
	if u == nil || i.event.Sequence > u.through {
		return false
	}
	u.items = append(u.items, i) // done when the unit is, and not before
	return true
}

// pasts reads what live events rest on that was not applied yet: for each key its own events, beyond what was. Several
// keys at a time, for each waits for the log and not for a processor.
func (p *partition) pasts(ctx context.Context, live []*item) (map[string][]events.Recorded, error) {
	reach := make(map[string]uint64, len(live)) // of the key, with the items before
	last := map[string]*events.Recorded{}       // live event of a key whose past is to be read
	for _, i := range live {
		through := max(p.appliedOf(i.key), reach[i.key])
		if _, parked := p.parked[i.key]; parked || i.event.Sequence <= through {
			continue
		}
		reach[i.key] = i.event.Sequence
		if last[i.key] != nil || !follows(i.event, through) {
			last[i.key] = i.event
		}
	}
	out := make(map[string][]events.Recorded, len(last))
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(recallers)
	for key, r := range last {
		group.Go(func() error {
			past, err := p.cfg.Log.Past(ctx, *r, p.appliedOf(key))
			if err != nil {
				return fmt.Errorf("read %s: %w", r.Aggregate, err)
			}
			mu.Lock()
			defer mu.Unlock()
			out[key] = append(past, *r)
			return nil
		})
	}
	return out, group.Wait()
}

// promoted tells whether the live lane has events that are not urgent and rest on nothing that was not applied. Others
// wait for the backlog, which comes to what they rest on: to look for it in the log would cost more, and delay all else.
func (p *partition) promoted() bool {
	if p.live == nil {
		return false
	}
	reach := map[string]uint64{} // of the key, with the items before
	p.live.promote(func(i *item) bool {
		through := max(p.appliedOf(i.key), reach[i.key])
		_, parked := p.parked[i.key]
		if !parked && i.event.Sequence > through && !follows(i.event, through) {
			return false
		}
		reach[i.key] = i.event.Sequence
		return true
	})
	return p.live.rest.waiting > 0
}

// follows tells whether no event of the key stands between what was applied and this one.
func follows(r *events.Recorded, through uint64) bool {
	return r.Revision == 1 || r.Before[0] > 0 && r.Before[0] <= through
}

// recall adds what a key's live event rests on, through that event.
func (u *unit) recall(past []events.Recorded, live *events.Recorded) int {
	n := 0
	for i := range past {
		if past[i].Sequence > live.Sequence {
			break
		}
		if past[i].Sequence > u.through {
			u.add(&past[i])
			n++
		}
	}
	if u.park == nil {
		u.through = live.Sequence // also when it was purged in between
	}
	return n
}

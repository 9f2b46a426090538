package projections

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tidemark-desk/tidemark/events"
)

// unit is the work of one commit on one key: the smallest thing that can fail alone.
type unit struct {
	aggregate events.Aggregate
	events    []events.Recorded
	through   uint64  // the key's progress once the unit is applied
	items     []*item // of the lanes, done with it
	park      *Parked // where the key stops, after the events
	unpark    bool    // the key was parked before
}

func (u *unit) key() string { return u.aggregate.String() }

// add appends an event. At one that nobody can read the key stops.
func (u *unit) add(r *events.Recorded) {
	if u.park != nil {
		return
	}
	if unknown, ok := r.Event.(events.Unknown); ok {
		u.park = parkedAt(r, fmt.Errorf("unknown event: %s", unknown.Reason), 1)
		return
	}
	u.events = append(u.events, *r)
	u.through = r.Sequence
}

func parkedAt(r *events.Recorded, err error, attempts int) *Parked {
	return &Parked{
		Partition: r.Partition, Aggregate: r.Aggregate, Sequence: r.Sequence, Type: r.Event.EventType(),
		Error: err.Error(), Attempts: attempts, Since: time.Now(),
	}
}

// split cuts the unit into one unit for each event, in order. What happens at its end stays with the last. A key that
// was parked stays so between the parts, at the next event: the checkpoint has passed it long ago, and nothing else
// would remember what is still to be applied.
func (u *unit) split() []*unit {
	parts := make([]*unit, len(u.events))
	items := slices.SortedFunc(slices.Values(u.items), func(a, b *item) int { return cmp.Compare(a.event.Sequence, b.event.Sequence) })
	for i := range u.events {
		part := &unit{aggregate: u.aggregate, events: u.events[i : i+1], through: u.events[i].Sequence}
		n := 0
		for n < len(items) && items[n].event.Sequence <= part.through {
			n++
		}
		part.items, items = items[:n:n], items[n:]
		if u.unpark && i+1 < len(u.events) {
			part.park = parkedAt(&u.events[i+1], errInterrupted, 0)
		}
		part.unpark = u.unpark
		parts[i] = part
	}
	last := parts[len(parts)-1]
	last.items = append(last.items, items...)
	last.park, last.through = u.park, max(last.through, u.through)
	return parts
}

var errInterrupted = errors.New("a retry was interrupted here")

// stopAt is the unit that parks the key at the first event of rest, which failed.
func stopAt(rest []*unit, err error, attempts int) *unit {
	first := rest[0]
	u := &unit{aggregate: first.aggregate, unpark: first.unpark, park: parkedAt(&first.events[0], err, attempts)}
	u.through = first.events[0].Sequence - 1
	for _, r := range rest {
		u.items = append(u.items, r.items...)
	}
	return u
}

package search

import (
	"cmp"
	"slices"
	"time"
)

// Tally counts documents by channel and window.
type Tally struct {
	request CountRequest
	counts  map[tallyKey]*Count
}

type tallyKey struct {
	channel string
	from    int64
}

// NewTally counts nothing yet.
func NewTally(c CountRequest) *Tally { return &Tally{request: c, counts: map[tallyKey]*Count{}} }

// Add counts a document.
func (t *Tally) Add(d *Document) {
	t.at(d.Channel, d.Created).Conversations++
	for _, m := range d.Messages {
		t.at(d.Channel, m.At).Messages++
	}
}

func (t *Tally) at(channel string, when time.Time) *Count {
	if when.Before(t.request.From) || !t.request.To.IsZero() && !when.Before(t.request.To) {
		return &Count{} // outside; counted for nobody
	}
	from := t.request.From
	if t.request.Window > 0 {
		from = when.Truncate(t.request.Window).UTC()
	}
	k := tallyKey{channel: channel, from: from.UnixNano()}
	if t.counts[k] == nil {
		t.counts[k] = &Count{Channel: channel, From: from}
	}
	return t.counts[k]
}

// Counts are in the order of their windows, and then of their channels.
func (t *Tally) Counts() []Count {
	out := make([]Count, 0, len(t.counts))
	for _, n := range t.counts {
		out = append(out, *n)
	}
	slices.SortFunc(out, func(a, b Count) int { return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Channel, b.Channel)) })
	return out
}

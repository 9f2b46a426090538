package events_test

import (
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
)

// Where the events before stand comes back, and what is no such place is taken for not told.
func TestTrail(t *testing.T) {
	t.Parallel()
	a := events.Aggregate{Org: "o", Kind: events.KindCustomer, ID: "c"}
	written := func(t events.Trail, n int) events.Header {
		h := events.Header{}
		t.SetTrail(h, n)
		return h
	}
	long := events.Trail{41, 37, 22, 20}
	for name, c := range map[string]struct {
		header events.Header
		want   events.Trail
	}{
		"the first":                {written(events.Trail{}, 0), events.Trail{}},
		"the second":               {written(events.Trail{41}, 0), events.Trail{41}},
		"after many":               {written(long, 0), long},
		"second of a first write":  {written(events.Trail{}, 1), events.Trail{76}},
		"second of a write":        {written(events.Trail{41}, 1), events.Trail{76, 41}},
		"third of a write":         {written(long, 2), events.Trail{76, 75, 41, 37}},
		"ninth of a write":         {written(long, 8), events.Trail{76, 75, 74, 73}},
		"not told":                 {events.Header{}, events.Trail{}},
		"no number":                {events.Header{"ce-before": {"x"}}, events.Trail{}},
		"itself":                   {events.Header{"ce-before": {"77"}}, events.Trail{}},
		"not falling":              {events.Header{"ce-before": {"41 42"}}, events.Trail{}},
		"together with nobody":     {events.Header{"ce-before": {"+0 41"}}, events.Trail{}},
		"together with too many":   {events.Header{"ce-before": {"+77"}}, events.Trail{}},
		"one of those together":    {events.Header{"ce-before": {"+2 75"}}, events.Trail{}},
		"more than there is space": {events.Header{"ce-before": {"9 8 7 6 5 4"}}, events.Trail{9, 8, 7, 6}},
	} {
		got, err := events.Decode(a.Subject(4), 77, time.Now(), c.header, []byte("{}"))
		if err != nil || got.Before != c.want {
			t.Errorf("%s: got %v, %v, want %v", name, got.Before, err, c.want)
		}
	}
	if got := long.Push(50); got != (events.Trail{50, 41, 37, 22}) {
		t.Errorf("pushed: %v", got)
	}
}

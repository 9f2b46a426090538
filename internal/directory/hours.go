package directory

import (
	"time"
	_ "time/tzdata" // a time zone means the same on every machine, also on one that has no zones

	"github.com/tidemark-desk/tidemark/events"
)

// Hours are office hours that can be asked. The zero value is always open.
type Hours struct {
	events.OfficeHours
	zone  *time.Location
	spans []span // in the order of the week
}

// span is an interval, from the beginning of Monday by the clock of the place.
type span struct{ from, to time.Duration }

const week = 7 * 24 * time.Hour

// hoursOf prepares office hours. Those of a zone that this version does not know are always open: nobody is turned away
// because of it.
func hoursOf(o events.OfficeHours) Hours {
	h := Hours{OfficeHours: o}
	zone, err := time.LoadLocation(o.Timezone)
	if err != nil {
		return h
	}
	h.zone = zone
	for _, i := range o.Weekly {
		if from, to, ok := i.Minutes(); ok {
			h.spans = append(h.spans, span{time.Duration(from) * time.Minute, time.Duration(to) * time.Minute})
		}
	}
	return h
}

// OpenAt tells whether somebody is there at this moment. What counts is what a clock on the wall of the place shows: an
// hour that the clock skips is nobody's, and one that it repeats is worked twice.
func (h Hours) OpenAt(t time.Time) bool {
	if len(h.spans) == 0 {
		return true
	}
	now := h.clock(t)
	for _, s := range h.spans {
		if s.from <= now && now < s.to {
			return true
		}
	}
	return false
}

// OpensAt is the first moment from t on at which it is open, in UTC; t itself when it is open then.
func (h Hours) OpensAt(t time.Time) time.Time {
	for !h.OpenAt(t) {
		next := t.Add(h.untilSpan(t))
		// The clock may be set before that. Up to there it ran evenly; from there on it is asked again.
		if _, end := t.In(h.zone).ZoneBounds(); !end.IsZero() && !next.Before(end) {
			next = end
		}
		t = next
	}
	return t.UTC()
}

// untilSpan is how long until the next interval begins, if nobody sets the clock. It is more than nothing for a moment
// that is not open.
func (h Hours) untilSpan(t time.Time) time.Duration {
	now, least := h.clock(t), week
	for _, s := range h.spans {
		wait := s.from - now
		if wait <= 0 {
			wait += week
		}
		least = min(least, wait)
	}
	return least
}

// clock is how far the week is, as the clock of the place shows it.
func (h Hours) clock(t time.Time) time.Duration {
	local := t.In(h.zone)
	day := (int(local.Weekday()) + 6) % 7 // from Monday
	return time.Duration(day)*24*time.Hour + time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute +
		time.Duration(local.Second())*time.Second + time.Duration(local.Nanosecond())
}

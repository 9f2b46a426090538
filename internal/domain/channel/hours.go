package channel

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/fault"
)

// MaxIntervals is how many intervals the week of a channel may have.
const MaxIntervals = 50

// SetOfficeHours replaces the week. Intervals that meet become one; none: always open. An empty time zone stays as it
// is; of another only the form is checked here: whoever makes the command has looked it up.
type SetOfficeHours struct{ events.OfficeHours }

func (SetOfficeHours) channelCommand() {}

func (c SetOfficeHours) change(have Chat) ([]events.Event, error) {
	next := events.OfficeHours{Timezone: cmp.Or(c.Timezone, have.Hours.Timezone)}
	var err error
	if next.Weekly, err = week(c.Weekly); err != nil {
		return nil, err
	}
	switch {
	case len(next.Timezone) > 64 || strings.ContainsFunc(next.Timezone, notZone):
		return nil, refusal.ErrTimezoneInvalid.WithFields(fault.Field{Location: "office_hours", Message: refusal.ErrTimezoneInvalid.Message})
	case next.Timezone == "" && len(next.Weekly) > 0:
		return nil, hoursInvalid("need a time zone")
	case next.Timezone == have.Hours.Timezone && slices.Equal(next.Weekly, have.Hours.Weekly):
		return nil, nil
	}
	return one(events.ChannelOfficeHoursSet{OfficeHours: next})
}

// week sorts the intervals and joins those of a day that meet.
func week(all []events.OfficeInterval) ([]events.OfficeInterval, error) {
	if len(all) > MaxIntervals {
		return nil, hoursInvalid(fmt.Sprintf("have %d intervals, at most %d are allowed", len(all), MaxIntervals))
	}
	for _, i := range all {
		if _, _, ok := i.Minutes(); !ok {
			return nil, hoursInvalid(fmt.Sprintf("%q from %q to %q is no interval: a day such as monday, from 09:00 to a later time up to 24:00", i.Day, i.From, i.To))
		}
	}
	sorted := slices.SortedFunc(slices.Values(all), func(a, b events.OfficeInterval) int {
		fromA, _, _ := a.Minutes()
		fromB, _, _ := b.Minutes()
		return cmp.Compare(fromA, fromB)
	})
	joined := make([]events.OfficeInterval, 0, len(sorted))
	for _, i := range sorted {
		if n := len(joined) - 1; n >= 0 && joined[n].Day == i.Day && joined[n].To >= i.From {
			joined[n].To = max(joined[n].To, i.To) // HH:MM is in the order of its letters
			continue
		}
		joined = append(joined, i)
	}
	return joined, nil
}

func notZone(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("/_+-", r)
}

func hoursInvalid(message string) error {
	return refusal.ErrHoursInvalid.WithFields(fault.Field{Location: "office_hours", Message: message})
}

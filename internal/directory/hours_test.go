package directory

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tidemark-desk/tidemark/events"
)

func at(day, from, to string) events.OfficeInterval {
	return events.OfficeInterval{Day: day, From: from, To: to}
}

func hours(zone string, all ...events.OfficeInterval) Hours {
	return hoursOf(events.OfficeHours{Timezone: zone, Weekly: all})
}

func utc(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04:05", s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// In 2026 the clocks of Berlin go from 02:00 to 03:00 on 29 March, and from 03:00 back to 02:00 on 25 October, both Sundays.
func TestOfficeHours(t *testing.T) {
	t.Parallel()
	office := hours("Europe/Berlin", at("monday", "09:00", "12:00"), at("monday", "13:00", "17:00"), at("friday", "09:00", "24:00"), at("saturday", "00:00", "02:00"))
	skipped := hours("Europe/Berlin", at("sunday", "02:15", "02:45"))
	across := hours("Europe/Berlin", at("sunday", "02:30", "04:00"))
	for name, tc := range map[string]struct {
		hours     Hours
		now, next string // UTC; next empty: open now
	}{
		"no hours":                         {Hours{}, "2026-01-01 00:00:00", ""},
		"a zone that nobody knows":         {hours("Europe/Atlantis", at("monday", "09:00", "10:00")), "2026-01-01 00:00:00", ""},
		"before the day in winter":         {office, "2026-01-12 07:59:59", "2026-01-12 08:00:00"},
		"the first moment":                 {office, "2026-01-12 08:00:00", ""},
		"the last moment":                  {office, "2026-01-12 10:59:59", ""},
		"the end is closed":                {office, "2026-01-12 11:00:00", "2026-01-12 12:00:00"},
		"in summer an hour earlier":        {office, "2026-07-13 07:00:00", ""},
		"through midnight":                 {office, "2026-01-16 23:30:00", ""},
		"over the end of the week":         {office, "2026-01-17 01:00:00", "2026-01-19 08:00:00"},
		"over the clock going forward":     {office, "2026-03-28 12:00:00", "2026-03-30 07:00:00"},
		"over the clock going back":        {office, "2026-10-24 12:00:00", "2026-10-26 08:00:00"},
		"an hour that there is not":        {skipped, "2026-03-29 00:59:59", "2026-04-05 00:15:00"},
		"an hour that begins late":         {across, "2026-03-29 00:59:59", "2026-03-29 01:00:00"},
		"an hour that there is twice":      {skipped, "2026-10-25 00:20:00", ""},
		"closed between the two":           {skipped, "2026-10-25 00:50:00", "2026-10-25 01:15:00"},
		"and open again":                   {skipped, "2026-10-25 01:20:00", ""},
		"east of the day":                  {hours("Pacific/Auckland", at("monday", "09:00", "10:00")), "2026-07-05 20:59:00", "2026-07-05 21:00:00"},
		"half hours":                       {hours("Asia/Kolkata", at("monday", "09:00", "10:00")), "2026-07-06 03:29:00", "2026-07-06 03:30:00"},
		"a day that the place left out":    {hours("Pacific/Apia", at("friday", "09:00", "10:00")), "2011-12-30 09:00:00", "2012-01-05 19:00:00"},
		"one interval, that has just gone": {hours("UTC", at("monday", "09:00", "10:00")), "2026-01-12 10:00:00", "2026-01-19 09:00:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := utc(t, tc.now)
			want := now
			if tc.next != "" {
				want = utc(t, tc.next)
			}
			if open := tc.hours.OpenAt(now); open != (tc.next == "") {
				t.Errorf("open is %v", open)
			}
			if got := tc.hours.OpensAt(now); !got.Equal(want) {
				t.Errorf("opens at %v, want %v", got, want)
			}
		})
	}
}

// Whatever the week and the zone: when it opens it is open, and it was closed in every minute before.
func TestOpensAtTheFirstOpenMoment(t *testing.T) {
	t.Parallel()
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu"}
	clocks := []string{"00:00", "01:30", "02:00", "02:15", "02:45", "03:00", "09:00", "24:00"}
	rapid.Check(t, func(t *rapid.T) {
		o := events.OfficeHours{Timezone: rapid.SampledFrom(zones).Draw(t, "zone")}
		for range rapid.IntRange(1, 3).Draw(t, "intervals") {
			from := rapid.IntRange(0, len(clocks)-2).Draw(t, "from")
			to := rapid.IntRange(from+1, len(clocks)-1).Draw(t, "to")
			o.Weekly = append(o.Weekly, at(rapid.SampledFrom(events.Weekdays).Draw(t, "day"), clocks[from], clocks[to]))
		}
		h := hoursOf(o)
		now := time.Date(2026, 1, 1, 0, rapid.IntRange(0, 365*24*60).Draw(t, "minute"), 0, 0, time.UTC)
		opens := h.OpensAt(now)
		if !h.OpenAt(opens) || opens.Before(now) {
			t.Fatalf("%v is not when it opens", opens)
		}
		for m := now; m.Before(opens); m = m.Add(15 * time.Minute) {
			if h.OpenAt(m) {
				t.Fatalf("it is open at %v already, and said to open at %v", m, opens)
			}
		}
		if opens.After(now) && h.OpenAt(opens.Add(-time.Nanosecond)) {
			t.Fatalf("it is open before %v", opens)
		}
	})
}

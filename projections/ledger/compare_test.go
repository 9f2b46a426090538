package ledger

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
)

// TestCompare has one conversation: opened at 1, a message at 2, 3 and 5, a note at 4, a tag at 6.
func TestCompare(t *testing.T) {
	t.Parallel()
	early, middle := Question{To: minute(3)}, Question{From: minute(3), To: minute(6)} // 1–2 and 3–5
	for _, c := range []struct {
		name    string
		q       Question
		shown   *Shown
		parked  map[string]projections.Parked
		later   int // events after the head
		erased  bool
		missing Tally
		problem string // "": no hole
	}{
		{name: "all of it", shown: &Shown{Messages: 3, Notes: 1, Sequence: 6}},
		{name: "not there", missing: Tally{1, 3, 1}, problem: "is not there"},
		{name: "not there, in a window", q: middle, missing: Tally{0, 2, 1}, problem: "is not there"},
		{name: "not there, because it is parked", parked: parkedAt("a", 1), missing: Tally{1, 3, 1}, problem: "is not there; conversation a is parked at event 1"},
		{name: "it stopped", shown: &Shown{Messages: 2, Sequence: 3}, missing: Tally{0, 1, 1}, problem: "lacks 1 of 3 messages; lacks 1 of 1 notes; stopped at event 3, the log goes on to 6"},
		{name: "it stopped and lacks nothing that is counted", shown: &Shown{Messages: 3, Notes: 1, Sequence: 5}, problem: "stopped at event 5"},
		{name: "it stopped after the window", q: early, shown: &Shown{Messages: 2, Sequence: 3}},
		{name: "it stopped in the window", q: middle, shown: &Shown{Messages: 2, Sequence: 3}, missing: Tally{0, 1, 1}, problem: "lacks 1 of 2 messages"},
		{name: "it stopped before the window", q: middle, shown: &Shown{Sequence: 1}, missing: Tally{0, 2, 1}, problem: "lacks 2 of 2 messages"},
		{name: "a message is gone, nobody knows which: every window says so", q: early, shown: &Shown{Messages: 2, Notes: 1, Sequence: 6}, missing: Tally{0, 1, 0}, problem: "lacks 1 of 1 messages"},
		{name: "a note is gone", shown: &Shown{Messages: 3, Sequence: 6}, missing: Tally{0, 0, 1}, problem: "lacks 1 of 1 notes"},
		{name: "a message too many", shown: &Shown{Messages: 4, Notes: 1, Sequence: 6}, problem: "shows 4 messages, 3 were accepted"},
		{name: "it is further than the head", later: 2, shown: &Shown{Messages: 3, Notes: 1, Sequence: 6}},
		{name: "it is further than the head and lacks something", later: 2, shown: &Shown{Messages: 1, Notes: 1, Sequence: 6}, missing: Tally{0, 1, 0}, problem: "lacks 1 of 2 messages"},
		{name: "entries of the window", q: middle, shown: &Shown{Messages: 2, Notes: 1, Sequence: 6, Ranged: true}},
		{name: "an entry of the window is gone", q: middle, shown: &Shown{Messages: 1, Notes: 1, Sequence: 6, Ranged: true}, missing: Tally{0, 1, 0}, problem: "lacks 1 of 2 messages"},
		{name: "an entry too many", q: middle, shown: &Shown{Messages: 3, Notes: 1, Sequence: 6, Ranged: true}, problem: "shows 3 messages, 2 were accepted"},
		{name: "parked, and nothing that is counted is missing", shown: &Shown{Messages: 3, Notes: 1, Sequence: 6, Ranged: true}, parked: parkedAt("a", 6), problem: "is parked at event 6"},
		{name: "parked after the window", q: middle, shown: &Shown{Messages: 2, Notes: 1, Sequence: 6, Ranged: true}, parked: parkedAt("a", 6)},
		{name: "erased and gone", erased: true},
		{name: "erased and still shown", erased: true, shown: &Shown{Messages: 3, Notes: 1, Sequence: 6}, problem: "is still shown"},
		{name: "erased after the head, and still shown", erased: true, later: 1, shown: &Shown{Messages: 3, Notes: 1, Sequence: 6}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := (&history{}).conversation("a", opened("u"), received, wrote, noted, received, tagged)
			if c.erased {
				h.customer("u", events.CustomerErased{})
			}
			s := side{model: "m", shown: map[string]Shown{}, parked: c.parked}
			if c.shown != nil {
				s.shown["a"] = *c.shown
			}
			report := compare(h.fold(c.q, c.later), []side{s})
			if len(report.Rows) != 1 {
				t.Fatalf("%+v", report)
			}
			row := report.Rows[0]
			got := row.Sides["m"]
			if got.Missing != c.missing {
				t.Errorf("missing %+v, want %+v", got.Missing, c.missing)
			}
			sum := got.Shown
			sum.add(got.Missing)
			sum.add(row.Excused)
			if sum != row.Accepted {
				t.Errorf("accepted %+v is not shown + missing + excused %+v", row.Accepted, sum)
			}
			switch {
			case c.problem == "" && report.Total == 0:
			case c.problem == "" || report.Total != 1 || !strings.Contains(report.Holes[0].Problem, c.problem):
				t.Errorf("holes %+v, want %q", report.Holes, c.problem)
			case report.Holes[0].Model != "m" || report.Holes[0].ConversationID != "a":
				t.Errorf("%+v", report.Holes[0])
			}
		})
	}
}

func TestStrangersAreNamed(t *testing.T) {
	t.Parallel()
	shown := func(sequence uint64) []side {
		return []side{{model: "m", shown: map[string]Shown{"x": {ID: "x", Messages: 1, Sequence: sequence}}}}
	}
	h := (&history{}).customer("u", events.CustomerRenamed{}, events.CustomerRenamed{})
	if r := compare(h.fold(Question{}, 0), shown(2)); r.Total != 1 || !strings.Contains(r.Holes[0].Problem, "the log does not have it") {
		t.Errorf("%+v", r)
	}
	if r := compare(h.fold(Question{}, 0), shown(3)); r.Total != 0 {
		t.Errorf("what was opened after the head is a stranger: %+v", r)
	}
	h.customer("u", events.CustomerErased{})
	if r := compare(h.fold(Question{}, 1), shown(2)); r.Total != 0 {
		t.Errorf("it may have been purged meanwhile: %+v", r)
	}
}

func TestAtMostAHundredHolesAreNamed(t *testing.T) {
	t.Parallel()
	h := &history{}
	for i := range MaxHoles + 7 {
		h.conversation(fmt.Sprintf("c%03d", i), opened("u"))
	}
	sides := []side{{model: "first"}, {model: "second"}}
	report := compare(h.fold(Question{}, 0), sides)
	if report.Total != 2*(MaxHoles+7) || len(report.Holes) != MaxHoles {
		t.Fatalf("%d of %d", len(report.Holes), report.Total)
	}
	if first := (Hole{Model: "first", ConversationID: "c000", Problem: "is not there"}); !reflect.DeepEqual(report.Holes[0], first) {
		t.Errorf("%+v", report.Holes[0])
	}
}

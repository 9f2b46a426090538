package ledger

import (
	"reflect"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
)

// TestCustomers has one customer: made known at 1, with an address at 2 and another name at 3.
func TestCustomers(t *testing.T) {
	t.Parallel()
	early, late := Question{To: minute(2)}, Question{From: minute(3)} // 1 and 3
	parked := func(sequence uint64) map[string]projections.Parked {
		a := events.Aggregate{Org: "acme", Kind: events.KindCustomer, ID: "u"}
		return map[string]projections.Parked{a.String(): {Aggregate: a, Sequence: sequence, Type: "customer.renamed.v1"}}
	}
	for _, c := range []struct {
		name    string
		q       Question
		shown   uint64 // sequence; 0: not at all
		parked  map[string]projections.Parked
		erased  bool
		later   int // events after the head
		purged  bool
		want    People // but for Compared
		problem string // "": no hole
	}{
		{name: "all of them", shown: 3, want: People{Accepted: 1, Shown: 1}},
		{name: "further than the head", later: 1, shown: 3, want: People{Accepted: 1, Shown: 1}},
		{name: "not there", want: People{Accepted: 1, Missing: 1}, problem: "is not there"},
		{name: "not there, because they are parked", parked: parked(1), want: People{Accepted: 1, Missing: 1}, problem: "is not there; customer u is parked at event 1"},
		{name: "stopped", shown: 2, want: People{Accepted: 1, Shown: 1}, problem: "stopped at event 2, the log goes on to 3"},
		{name: "stopped after the window", q: early, shown: 2, want: People{Accepted: 1, Shown: 1}},
		{name: "stopped in the window, known before", q: late, shown: 2, problem: "stopped at event 2"},
		{name: "not there, known before the window", q: late, problem: "is not there"},
		{name: "parked, and it shows no other way", shown: 3, parked: parked(3), want: People{Accepted: 1, Shown: 1}, problem: "waits for an operator; customer u is parked at event 3"},
		{name: "parked after the window", q: early, shown: 3, parked: parked(3), want: People{Accepted: 1, Shown: 1}},
		{name: "erased and gone", erased: true, want: People{Accepted: 1, Excused: 1}},
		{name: "erased and still shown", erased: true, shown: 3, want: People{Accepted: 1, Excused: 1}, problem: "is still shown, although erased"},
		{name: "erased after the head, and still shown", erased: true, later: 1, shown: 3, want: People{Accepted: 1, Excused: 1}},
		{name: "their beginning was purged", purged: true, want: People{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := (&history{}).customer("u", events.CustomerCreated{}, events.CustomerIdentified{}, events.CustomerRenamed{})
			if c.erased {
				h.customer("u", events.CustomerErased{})
			}
			if c.purged {
				h.list = h.list[1:]
			}
			s := side{model: "customers", of: events.KindCustomer, shown: map[string]Shown{}, parked: c.parked}
			if c.shown > 0 {
				s.shown["u"] = Shown{ID: "u", Sequence: c.shown}
			}
			report := compare(h.fold(c.q, c.later), []side{s})
			c.want.Compared = true
			if report.Customers == nil || *report.Customers != c.want || len(report.Rows) != 0 {
				t.Errorf("%+v %+v, want %+v", report, report.Customers, c.want)
			}
			switch {
			case c.problem == "" && report.Total == 0:
			case c.problem == "" || report.Total != 1 || !strings.HasPrefix(report.Holes[0].Problem, c.problem):
				t.Errorf("holes %+v, want %q", report.Holes, c.problem)
			case report.Holes[0].Model != "customers" || report.Holes[0].CustomerID != "u" || report.Holes[0].ConversationID != "":
				t.Errorf("%+v", report.Holes[0])
			}
		})
	}
}

func TestCustomersBesideConversations(t *testing.T) {
	t.Parallel()
	h := (&history{}).customer("u", events.CustomerCreated{}).conversation("a", opened("u"), received).
		add("other", events.KindCustomer, "v", events.CustomerCreated{})
	sides := []side{
		{model: "m", shown: map[string]Shown{"a": {ID: "a", Messages: 1, Sequence: 3}}},
		{model: "customers", of: events.KindCustomer, shown: map[string]Shown{"u": {ID: "u", Sequence: 1}, "x": {ID: "x", Sequence: 1}}},
	}
	r := compare(h.fold(Question{}, 0), sides)
	if want := (People{Accepted: 1, Compared: true, Shown: 1}); *r.Customers != want {
		t.Errorf("%+v", *r.Customers)
	}
	if _, there := r.Rows[0].Sides["customers"]; there || len(r.Rows) != 1 {
		t.Errorf("customers have no channel: %+v", r.Rows)
	}
	if want := []Hole{{Model: "customers", CustomerID: "x", Problem: "is shown, although the log does not have it"}}; !reflect.DeepEqual(r.Holes, want) {
		t.Errorf("%+v", r.Holes)
	}
	if r = compare(h.fold(Question{Channel: events.ChannelChat}, 0), sides[:1]); r.Customers != nil || r.Total != 0 {
		t.Errorf("%+v", r)
	}
	if r = compare(h.fold(Question{}, 0), sides[:1]); *r.Customers != (People{Accepted: 1}) {
		t.Errorf("who could not be asked shows nothing: %+v", *r.Customers)
	}
}

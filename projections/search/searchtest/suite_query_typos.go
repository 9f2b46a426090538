package searchtest

import (
	"slices"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// find asks as the service does.
func (b *bundle) find(t *testing.T, r search.Request) search.Answer {
	t.Helper()
	if r.Org == "" {
		r.Org = "org"
	}
	q, err := r.Parse()
	if err != nil {
		t.Fatalf("parse %q: %v", r.Q, err)
	}
	a, err := r.Find(t.Context(), b, q)
	if err != nil {
		t.Fatalf("find %q: %v", r.Q, err)
	}
	return a
}

func idsOf(list []search.Hit) []string {
	ids := make([]string, len(list))
	for i, h := range list {
		ids[i] = h.ConversationID
	}
	return ids
}

func typos(t *testing.T, start Start) {
	t.Helper()
	b := setup(t, start)
	b.log.Append(Conversation("org", "refund"), events.ConversationOpened{Subject: "Refund please"}, said("1", "my package never arrived"))
	b.log.Append(Conversation("org", "refunds"), events.ConversationOpened{Subject: "About refunds"}, said("1", "refund the café subscription"), events.ConversationClosed{})
	b.log.Append(Conversation("org", "note"), events.ConversationOpened{Subject: "Hello"}, events.ConversationNoteAdded{NoteID: "n", Text: "troublemaker"})
	b.log.Append(Conversation("org", "number"), events.ConversationOpened{Subject: "Order 47111"}, said("1", "cats are here"))
	b.log.Append(Conversation("other", "x"), events.ConversationOpened{Subject: "Zebracrossing"})
	b.log.Drive(t.Context(), t, b, 100)
	for _, test := range []struct {
		q       string
		instead string
		want    []string
	}{
		{"refund", "", []string{"refund", "refunds"}},
		{"refudn", "refund", []string{"refund", "refunds"}}, // neighbours changed places
		{"Refnud!", "refund", []string{"refund", "refunds"}},
		{"refun", "refund", []string{"refund", "refunds"}},
		{"reefund", "refund", []string{"refund", "refunds"}},
		{"rifund", "refund", []string{"refund", "refunds"}},
		{"pakcage", "package", []string{"refund"}},
		{"subscirpton", "subscription", []string{"refunds"}}, // two in a long word
		{"CAFFÉ", "cafe", []string{"refunds"}},
		{"please refudn status:open", "please refund status:open", []string{"refund"}},
		{"refudn status:closed", "refund status:closed", []string{"refunds"}},
		{"(refudn OR nothingatall) -closed", "(refund OR nothingatall) -closed", []string{"refund", "refunds"}},
		{"refudn pakcage", "refund package", []string{"refund"}},
		{"refund arrived subscription", "", nil}, // each is there, together they are not
		{"efund", "", nil},                       // the first letter is right
		{"rofend", "", nil},                      // two in a short word
		{"cta", "", nil},
		{"47112", "", nil}, // numbers are what they are
		{`"refudn"`, "", nil},
		{"refudn*", "", nil},
		{"trobulemaker", "", nil},
		{"zebracrosing", "", nil}, // another org's word
		{"-refudn", "", []string{"note", "number", "refund", "refunds"}},
	} {
		a := b.find(t, search.Request{Q: test.q, Facets: []string{"status"}})
		got := idsOf(a.Items)
		slices.Sort(got)
		if !slices.Equal(got, test.want) && len(got)+len(test.want) > 0 || a.Total != uint64(len(test.want)) {
			t.Errorf("%q found %v, want %v", test.q, got, test.want)
		}
		instead := ""
		if a.Instead != nil {
			instead = a.Instead.Q
		}
		if instead != test.instead {
			t.Errorf("%q was searched as %q, want %q", test.q, instead, test.instead)
		}
	}
	a := b.find(t, search.Request{Q: "please refudn"})
	if want := (search.Correction{Word: "refudn", With: "refund", At: 8}); a.Instead == nil || !slices.Equal(a.Instead.Words, []search.Correction{want}) {
		t.Errorf("what differs: %+v, want %+v", a.Instead, want)
	}
	if len(a.Items) != 1 || len(a.Items[0].Highlights) == 0 || !strings.Contains(a.Items[0].Highlights[0].Fragment, "Refund") {
		t.Errorf("it is not highlighted: %+v", a.Items)
	}
	if a := b.find(t, search.Request{Q: "trobulemaker", Notes: true}); len(a.Items) != 1 || a.Instead == nil || a.Instead.Q != "troublemaker" {
		t.Errorf("an agent's typo: %+v", a)
	}
	// The pages after the first ask the same.
	first := b.find(t, search.Request{Q: "refudn", Limit: 1})
	second := b.find(t, search.Request{Q: "refudn", Limit: 1, Cursor: first.Next})
	if len(second.Items) != 1 || second.Items[0].ConversationID == first.Items[0].ConversationID || second.Instead == nil || second.Instead.Q != "refund" {
		t.Errorf("the second page: %+v", second)
	}
}

func facets(t *testing.T, start Start) {
	t.Helper()
	b := desk(t, start)
	b.log.Append(Conversation("other", "z"), events.ConversationOpened{Channel: events.ChannelSMS}, events.ConversationTagged{Tag: "theirs"})
	b.log.Drive(t.Context(), t, b, 100)
	value := func(v string, n uint64) search.FacetValue { return search.FacetValue{Value: v, Count: n} }
	for q, want := range map[string]map[string]search.Facet{
		"": {
			"status":   {Values: []search.FacetValue{value("open", 2), value("closed", 1), value("snoozed", 1)}},
			"channel":  {Values: []search.FacetValue{value("chat", 2), value("email", 1), value("x", 1)}},
			"queue":    {Values: []search.FacetValue{value("billing", 1)}, None: 3},
			"assignee": {Values: []search.FacetValue{value("eve", 1)}, None: 3},
			"tag":      {Values: []search.FacetValue{value("vip", 1)}, None: 3},
			"priority": {Values: []search.FacetValue{value("normal", 3), value("high", 1)}},
		},
		"router":         {"status": {Values: []search.FacetValue{value("closed", 1), value("open", 1)}}, "queue": {None: 2}},
		"nothingatall99": {"status": {}},
		"&&&":            {"status": {}},
	} {
		var names []string
		for name := range want {
			names = append(names, name)
		}
		// Of all matches, however many are on the page.
		a := b.find(t, search.Request{Q: q, Facets: names, Limit: 1})
		if len(a.Facets) != len(want) {
			t.Errorf("%q: facets %v", q, a.Facets)
		}
		for name, f := range want {
			if got := a.Facets[name]; !slices.Equal(got.Values, f.Values) || got.None != f.None {
				t.Errorf("%q by %s: %+v, want %+v", q, name, got, f)
			}
		}
	}
	if a := b.find(t, search.Request{}); a.Facets != nil {
		t.Errorf("facets that nobody asked for: %v", a.Facets)
	}
}

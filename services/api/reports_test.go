package api_test

import (
	"context"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/projections/surveys"
	"github.com/tidemark-desk/tidemark/services/api"
)

// visitors answer with a report or a page, and remember what they were asked.
type visitors struct {
	report surveys.Report
	org    string
	asked  surveys.Query
	page   surveys.Page
	listed surveys.ListQuery
}

func (v *visitors) Satisfaction(_ context.Context, org string, q surveys.Query) (surveys.Report, error) {
	v.org, v.asked = org, q
	return v.report, nil
}

func (v *visitors) List(_ context.Context, org string, q surveys.ListQuery) (surveys.Page, error) {
	v.org, v.listed = org, q
	return v.page, nil
}

func TestSatisfactionReport(t *testing.T) {
	t.Parallel()
	v := &visitors{report: surveys.Report{
		Groups: []surveys.Group{{Excused: 1}, {Name: "ann", Asked: 5, Waiting: 1, Answered: 4, Excused: 2, Satisfied: 3, Points: 17}},
		Total:  surveys.Group{Asked: 5, Waiting: 1, Answered: 4, Excused: 3, Satisfied: 3, Points: 17},
	}}
	b := setup(t, func(_ *bundle, d *api.Deps) { d.Reads.Surveys = v })
	const path = "/v1/reports/satisfaction"
	got := b.ok(200, "GET", path+"?group_by=agent&from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00%2B01:00", b.acme.userKey, nil)
	from, to := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 3, 1, 23, 0, 0, 0, time.UTC)
	if v.org != "acme" || v.asked.GroupBy != surveys.ByAgent || v.asked.Timezone != "UTC" || !v.asked.From.Equal(from) || !v.asked.To.Equal(to) {
		t.Errorf("%s asked %+v", v.org, v.asked)
	}
	for field, want := range map[string]any{
		"group_by": "agent", "items.0.group": nil, "items.0.csat": nil, "items.0.average": nil, "items.0.excused": 1.0,
		"items.1.group": "ann", "items.1.asked": 5.0, "items.1.waiting": 1.0, "items.1.answered": 4.0, "items.1.expired": 0.0,
		"items.1.csat": 75.0, "items.1.average": 4.25, "total.excused": 3.0, "total.csat": 75.0,
	} {
		if v := got.get(field); v != want {
			t.Errorf("%s is %v, want %v: %s", field, v, want, got.raw)
		}
	}
	if got.str("as_of.position") == "" {
		t.Errorf("nothing tells how fresh it is: %s", got.raw)
	}
	if b.ok(200, "GET", path, b.other.userKey, nil); v.org != "other" || v.asked.GroupBy != surveys.ByDay || !v.asked.From.IsZero() || !v.asked.To.IsZero() {
		t.Errorf("%s asked %+v", v.org, v.asked)
	}
	b.refused(422, "validation_failed", "GET", path+"?group_by=mood", b.acme.userKey, nil)
	b.refused(422, "validation_failed", "GET", path+"?to=2026-03-01T00:00:00Z&from=2026-03-01T00:00:00Z", b.acme.userKey, nil)
}

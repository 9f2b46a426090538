package api_test

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections/ledger"
	"github.com/tidemark-desk/tidemark/services/api"
)

// accountant is a ledger that remembers what it was asked.
type accountant struct {
	mu     sync.Mutex
	asked  ledger.Question
	report ledger.Report
	err    error
}

func (a *accountant) Account(_ context.Context, q ledger.Question) (ledger.Report, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = q
	return a.report, a.err
}

func TestLedger(t *testing.T) {
	t.Parallel()
	books := &accountant{report: ledger.Report{
		Position: events.Position{Incarnation: "log1", Sequence: 9},
		Rows: []ledger.Row{{
			Channel: "sms", Accepted: ledger.Tally{Conversations: 3, Messages: 5, Notes: 1}, Received: 4, Written: 1,
			Excused: ledger.Tally{Conversations: 1},
			Sides: map[string]ledger.Side{"timeline": {
				Shown: ledger.Tally{Conversations: 2, Messages: 3, Notes: 1}, Missing: ledger.Tally{Messages: 2},
			}},
		}},
		Customers: &ledger.People{Accepted: 4, Excused: 1, Compared: true, Shown: 2, Missing: 1},
		Holes: []ledger.Hole{
			{Model: "timeline", ConversationID: "c", Problem: "lacks 2 of 5 messages"},
			{Model: "customers", CustomerID: "u", Problem: "is not there"},
		},
		Total:  101,
		Behind: []ledger.Behind{{Model: "search", Problem: "it cannot be asked now", LagEvents: 4, LagSeconds: 1.5, Err: errors.New("dial tcp 10.0.0.7")}},
	}}
	b := setup(t, func(_ *bundle, d *api.Deps) { d.Ledger = books })
	const path = "/v1/admin/ledger"
	got := b.ok(200, "GET", path+"?from=2019-05-15T08:19:00-04:00&to=2019-05-15T16:28:00Z&channel=sms&models=timeline,search", b.acme.adminKey, nil)
	want := ledger.Question{Org: "acme", Channel: events.ChannelSMS, Models: []string{"timeline", "search"}}
	asked := books.asked
	if !asked.From.Equal(time.Date(2019, 5, 15, 12, 19, 0, 0, time.UTC)) || !asked.To.Equal(time.Date(2019, 5, 15, 16, 28, 0, 0, time.UTC)) {
		t.Errorf("from %s to %s", asked.From, asked.To)
	}
	asked.From, asked.To = time.Time{}, time.Time{}
	if !reflect.DeepEqual(asked, want) {
		t.Errorf("asked %+v, want %+v", asked, want)
	}
	for field, want := range map[string]any{
		"position":                         books.report.Position.String(),
		"rows.0.channel":                   "sms",
		"rows.0.accepted.conversations":    3.0,
		"rows.0.accepted.messages":         5.0,
		"rows.0.accepted.messages_written": 1.0,
		"rows.0.excused.conversations":     1.0,
		"rows.0.timeline.messages":         3.0,
		"rows.0.timeline.missing.messages": 2.0,
		"rows.0.inbox":                     nil,
		"holes.0.conversation_id":          "c",
		"holes.0.problem":                  "lacks 2 of 5 messages",
		"holes.0.customer_id":              nil,
		"holes.1.customer_id":              "u",
		"holes.1.conversation_id":          nil,
		"customers.accepted":               4.0,
		"customers.excused":                1.0,
		"customers.shown":                  2.0,
		"customers.missing":                1.0,
		"holes_total":                      101.0,
		"behind.0.model":                   "search",
		"behind.0.problem":                 "it cannot be asked now",
		"behind.0.lag_events":              4.0,
	} {
		if v := got.get(field); v != want {
			t.Errorf("%s is %v, want %v: %s", field, v, want, got.raw)
		}
	}
	books.report = ledger.Report{Customers: &ledger.People{Accepted: 4}}
	if got = b.ok(200, "GET", path+"?models=customers", b.acme.adminKey, nil); got.get("customers.accepted") != 4.0 || got.get("customers.shown") != nil {
		t.Errorf("nobody could be asked: %s", got.raw)
	}
	books.report = ledger.Report{}
	empty := b.ok(200, "GET", path, b.other.adminKey, nil)
	if books.asked.Org != "other" || !reflect.DeepEqual(empty.get("holes"), []any{}) || !reflect.DeepEqual(empty.get("rows"), []any{}) || empty.get("from") != nil {
		t.Errorf("%+v: %s", books.asked, empty.raw)
	}

	b.refused(403, "forbidden", "GET", path, b.acme.userKey, nil)
	b.refused(422, "validation_failed", "GET", path+"?to=2019-05-15T08:00:00Z&from=2019-05-15T08:00:00Z", b.acme.adminKey, nil)
	b.refused(422, "validation_failed", "GET", path+"?from=yesterday", b.acme.adminKey, nil)
	b.refused(422, "validation_failed", "GET", path+"?channel=fax", b.acme.adminKey, nil)
	b.refused(422, "validation_failed", "GET", path+"?models=routing", b.acme.adminKey, nil)
	b.refused(422, "validation_failed", "GET", path+"?models=inbox,customers&channel=sms", b.acme.adminKey, nil)
	books.err = fault.New(fault.Unavailable, "log_unavailable", "the log cannot be read now")
	b.refused(503, "log_unavailable", "GET", path, b.acme.adminKey, nil)
}

func TestNoLedgerWithoutADatabase(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.refused(503, "admin_unavailable", "GET", "/v1/admin/ledger", b.acme.adminKey, nil)
}

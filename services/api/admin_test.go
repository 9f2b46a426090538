package api_test

import (
	"context"
	"slices"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/services/api"
)

func TestImport(t *testing.T) {
	t.Parallel()
	b := setup(t)
	lines := map[string]any{"lines": []string{"{", `{"nonsense":true}`, ""}}
	a := b.ok(200, "POST", "/v1/admin/import", b.acme.adminKey, lines)
	fields(t, a.raw, "created", "extended", "unchanged", "messages", "customers", "rejected", "position")
	if a.get("rejected.0.line") != 1.0 || a.str("rejected.0.code") == "" || a.get("rejected.1.line") != 2.0 {
		t.Errorf("%s", a.raw)
	}
	b.refused(403, "forbidden", "POST", "/v1/admin/import", b.acme.userKey, lines)
}

func TestAdmin(t *testing.T) {
	t.Parallel()
	o := &operator{parked: []projections.Parked{{
		Projection: "inbox", Aggregate: events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: "c"}, Error: "boom", Sequence: 3,
	}}}
	b := setup(t, func(_ *bundle, d *api.Deps) { d.Admin = o })
	admin := b.acme.adminKey
	list := b.ok(200, "GET", "/v1/admin/projections", admin, nil)
	if list.str("items.0.name") != "inbox" || list.str("items.0.rebuild.state") != "ready" || list.get("items.0.as_of.lag_events") != 0.0 {
		t.Errorf("%s", list.raw)
	}
	if lag := b.ok(200, "GET", "/v1/admin/lag", admin, nil); lag.str("items.0.name") != "inbox" || lag.str("items.0.position") == "" || lag.str("items.1.name") != "search" || lag.str("items.1.position") == "" {
		t.Errorf("%s", lag.raw)
	}
	for _, step := range []string{"rebuild", "compare", "switch", "drop", "cancel"} {
		b.ok(202, "POST", "/v1/admin/projections/inbox/"+step, admin, nil)
		b.refused(404, "not_found", "POST", "/v1/admin/projections/none/"+step, admin, nil)
		b.refused(422, "rebuild_unsupported", "POST", "/v1/admin/projections/search/"+step, admin, nil)
	}
	const parked = "/v1/admin/parked/inbox/conversation.c"
	seen := b.ok(200, "GET", parked, admin, nil).get("sequence")
	b.ok(202, "POST", parked+"/retry", admin, nil)
	o.parked[0].Sequence++ // it was retried, and the next event failed
	b.refused(409, "parked_elsewhere", "POST", parked+"/drop", admin, map[string]any{"sequence": seen})
	b.refused(422, "validation_failed", "POST", parked+"/drop", admin, map[string]any{"sequence": -1})
	b.ok(202, "POST", parked+"/drop", admin, map[string]any{"sequence": 4})
	b.ok(202, "POST", parked+"/drop", admin, nil)
	b.refused(404, "not_found", "POST", "/v1/admin/parked/inbox/conversation.d/drop", admin, nil)
	want := []string{"rebuild inbox", "compare inbox", "switch inbox", "drop inbox", "cancel inbox", "retry acme.conversation.c at 3 inbox", "drop acme.conversation.c at 4 inbox", "drop acme.conversation.c at 4 inbox"}
	if !slices.Equal(o.asked, want) {
		t.Errorf("asked %q", o.asked)
	}
	none := setup(t, func(_ *bundle, d *api.Deps) { d.Admin = nil })
	none.refused(503, "admin_unavailable", "GET", "/v1/admin/parked", none.acme.adminKey, nil)
}

// closedIndex is an index that cannot be opened, for a reason that is the operator's alone.
type closedIndex struct{ *memory }

func (closedIndex) Status(context.Context) (search.Status, error) {
	return search.Status{State: "failing", Reason: "open /srv/secret/search: no space left on device"}, nil
}

func TestWhyTheIndexIsAwayStaysInside(t *testing.T) {
	t.Parallel()
	b := setup(t, func(b *bundle, d *api.Deps) { d.Reads.Search = closedIndex{&memory{log: b.log}} })
	for _, path := range []string{"/v1/admin/lag", "/v1/admin/projections"} {
		if a := b.ok(200, "GET", path, b.acme.adminKey, nil); a.str("items.1.reason") != "failing" {
			t.Errorf("%s: %s", path, a.raw)
		}
	}
}

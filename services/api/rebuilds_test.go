package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/services/api"
)

// builder is the search indexes, of which one is built.
type builder struct {
	mu    sync.Mutex
	asked []search.RebuildRequest
	away  bool
}

func (b *builder) Rebuild(_ context.Context, r search.RebuildRequest) (search.RebuildStatus, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, r)
	switch {
	case b.away:
		return search.RebuildStatus{}, search.ErrUnavailable
	case r.Ask == search.AskSwitch:
		return search.RebuildStatus{}, fault.New(fault.Conflict, "rebuild_state", "it cannot switch now")
	}
	return search.RebuildStatus{Engine: "bleve", Rebuild: &search.RebuildProgress{State: search.RebuildBuilding, Documents: uint64(len(b.asked))}}, nil
}

func TestRebuildsOverHTTP(t *testing.T) {
	t.Parallel()
	indexes := &builder{}
	b := setup(t, func(_ *bundle, d *api.Deps) { d.Rebuilds = indexes })
	const path = "/v1/admin/rebuilds"
	admin := b.acme.adminKey
	if a := b.ok(200, "GET", path, admin, nil); a.str("engine") != "bleve" || a.str("rebuild.state") != "building" {
		t.Errorf("%s", a.raw)
	}
	b.ok(202, "POST", path, admin, map[string]any{"rate": 20, "switch": true})
	b.ok(202, "POST", path+"/throttle", admin, map[string]any{"rate": 3})
	b.ok(202, "POST", path+"/verify", admin, map[string]any{"sample": 9})
	b.refused(409, "rebuild_state", "POST", path+"/switch", admin, map[string]any{})
	b.refused(422, "validation_failed", "POST", path+"/dance", admin, map[string]any{})
	b.refused(422, "validation_failed", "POST", path, admin, map[string]any{"rate": -1})
	for _, key := range []string{b.acme.userKey, b.other.adminKey} { // an agent, and an admin of another org than the operator's
		b.refused(403, "forbidden", "GET", path, key, nil)
		b.refused(403, "forbidden", "POST", path, key, map[string]any{})
		b.refused(403, "forbidden", "POST", path+"/cancel", key, map[string]any{})
		b.refused(403, "forbidden", "GET", path+"/stream", key, nil)
	}
	want := []search.RebuildRequest{
		{Ask: search.AskStatus},
		{Ask: search.AskRebuild, Rate: 20, Switch: true},
		{Ask: search.AskThrottle, Rate: 3},
		{Ask: search.AskVerify, Sample: 9},
		{Ask: search.AskSwitch},
	}
	if got, expected := encoded(t, indexes.asked), encoded(t, want); got != expected {
		t.Errorf("asked %s, want %s", got, expected)
	}
}

func encoded(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestFollowARebuild: progress comes by itself, also over a time in which nobody can tell it.
func TestFollowARebuild(t *testing.T) {
	t.Parallel()
	indexes := &builder{}
	b := setup(t, func(_ *bundle, d *api.Deps) { d.Rebuilds = indexes })
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+"/v1/admin/rebuilds/stream", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+b.acme.adminKey)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if got := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || got != "text/event-stream" {
		t.Fatalf("%s, %s", res.Status, got)
	}
	lines := bufio.NewScanner(res.Body)
	hears := func(event, data string) {
		t.Helper()
		for lines.Scan() {
			if lines.Text() != "event: "+event {
				continue
			}
			if lines.Scan(); strings.Contains(lines.Text(), data) {
				return
			}
		}
		t.Fatalf("the stream ended before %s with %s: %v", event, data, lines.Err())
	}
	hears("rebuild", `"documents":2`)
	hears("rebuild", `"documents":3`)
	indexes.mu.Lock()
	indexes.away = true
	indexes.mu.Unlock()
	hears("away", `"code":"search_unavailable"`)
	indexes.mu.Lock()
	indexes.away = false
	indexes.mu.Unlock()
	hears("rebuild", `"state":"building"`)
}

package elastic_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/testkit/searchengine"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/elastic"
	"github.com/tidemark-desk/tidemark/projections/search/indexes"
	"github.com/tidemark-desk/tidemark/projections/search/searchtest"
)

// TestAnotherVersionsIndex: an index whose mapping knows less goes on serving and being written; it says what made it, so
// that a rebuild is known to be due, and the new one is this version's.
func TestAnotherVersionsIndex(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: needs Java")
	}
	url, log := searchengine.Shared(t, searchengine.Elasticsearch).URL, &searchtest.Log{}
	c := elastic.Config{
		URL: url, Name: name(t.TempDir()), Incarnation: searchtest.Incarnation, Partitions: searchtest.Partitions, Lease: 200 * time.Millisecond,
	}
	open := func() *indexes.Set {
		t.Helper()
		set, err := elastic.OpenIndexes(t.Context(), c, log, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	if err := open().Close(); err != nil {
		t.Fatal(err)
	}
	older(t, url, c.Name)

	set := open()
	log.Append(searchtest.Conversation("org", "one"), events.ConversationOpened{CustomerID: "ann", Subject: "Hello"},
		events.ConversationQueued{QueueID: "support"}, events.ConversationMessageReceived{MessageID: "m", Text: "the router blinks"})
	log.Drive(t.Context(), t, set, 10)
	res, err := set.Search(t.Context(), search.Query{Org: "org", Limit: 10, Sort: search.SortRelevance, Clauses: []search.Clause{{Kind: search.Word, Text: "router"}}})
	if err != nil || res.Total != 1 {
		t.Errorf("%+v, %v", res, err)
	}
	made := func(role search.Role) string {
		t.Helper()
		list, err := set.Indexes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range list {
			if i.Role == role {
				return i.Fingerprint
			}
		}
		return "no such index"
	}
	if f := made(search.RoleServing); f != "older" {
		t.Errorf("the index says %q", f)
	}
	if err := set.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f := made(search.RoleBuilding); f != elastic.Fingerprint() {
		t.Errorf("the new one says %q", f)
	}
	if err := set.Close(); err != nil {
		t.Error(err)
	}
}

// older puts an index in the place of the first, which was made with another mapping: without queues.
func older(t *testing.T, url, alias string) {
	t.Helper()
	first := alias + "-v1"
	var all map[string]struct {
		Aliases  map[string]any `json:"aliases"`
		Mappings map[string]any `json:"mappings"`
		Settings struct {
			Index map[string]any `json:"index"`
		} `json:"settings"`
	}
	call(t, http.MethodGet, url+"/"+first, nil, &all)
	made := all[first]
	meta, _ := made.Mappings["_meta"].(map[string]any)
	meta["fingerprint"] = "older"
	properties, _ := made.Mappings["properties"].(map[string]any)
	delete(properties, "queue")
	call(t, http.MethodDelete, url+"/"+first, nil, nil)
	call(t, http.MethodPut, url+"/"+first, map[string]any{
		"aliases": made.Aliases, "mappings": made.Mappings,
		"settings": map[string]any{"index": map[string]any{"analysis": made.Settings.Index["analysis"], "number_of_replicas": 0}},
	}, nil)
}

func call(t *testing.T, method, url string, in, out any) {
	t.Helper()
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, &body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var raw json.RawMessage
	err = json.NewDecoder(res.Body).Decode(&raw)
	if err == nil && res.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s", res.Status, raw)
	}
	if err == nil && out != nil {
		err = json.Unmarshal(raw, out)
	}
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
}

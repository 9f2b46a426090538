package elastic_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/testkit/searchengine"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/elastic"
	"github.com/tidemark-desk/tidemark/projections/search/searchtest"
)

// tamper changes what a real engine answers to searches.
type tamper struct{ old, replaced atomic.Value }

func (tm *tamper) say(old, replaced string) {
	tm.old.Store(old)
	tm.replaced.Store(replaced)
}

func (tm *tamper) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(req)
	old, _ := tm.old.Load().(string)
	if err != nil || old == "" || !strings.HasSuffix(req.URL.Path, "/_search") {
		return res, err
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	replaced, _ := tm.replaced.Load().(string)
	body = bytes.Replace(body, []byte(old), []byte(replaced), 1)
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	res.Header.Del("Content-Length")
	return res, err
}

// TestPartOfAnAnswerIsNone: whatever an engine leaves out and says so, the search fails, and may be asked again.
func TestPartOfAnAnswerIsNone(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: needs Java")
	}
	tampering := &tamper{}
	store, err := elastic.Open(t.Context(), elastic.Config{
		URL: searchengine.Shared(t, searchengine.OpenSearch).URL, Name: name(t.TempDir()), Incarnation: searchtest.Incarnation,
		Partitions: searchtest.Partitions, Lease: 200 * time.Millisecond, Client: &http.Client{Transport: tampering},
	})
	if err != nil {
		t.Fatal(err)
	}
	log := &searchtest.Log{}
	engine := searchtest.Open(t, store, log)
	t.Cleanup(func() { _ = engine.Close() })
	log.Append(searchtest.Conversation("org", "one"), events.ConversationOpened{Subject: "ticket"})
	log.Drive(t.Context(), t, engine, 10)
	for _, sort := range []search.Sort{search.SortRelevance, search.SortNewest} {
		q, err := search.Request{Org: "org", Q: "ticket", Sort: sort, Facets: []string{"status"}}.Parse()
		if err != nil {
			t.Fatal(err)
		}
		for _, said := range [][2]string{
			{`"timed_out":false`, `"timed_out":true`},
			{`"failed":0`, `"failed":1`},
			{`"successful":1`, `"successful":0`},
		} {
			tampering.say("", "")
			if res, err := engine.Search(t.Context(), q); err != nil || res.Total != 1 {
				t.Fatalf("as the engine answers: %+v, %v", res, err)
			}
			tampering.say(said[0], said[1])
			if res, err := engine.Search(t.Context(), q); !errors.Is(err, projections.ErrTransient) {
				t.Errorf("%s: %+v, %v", said[1], res, err)
			}
		}
	}
}

package elastic_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/elastic"
	"github.com/tidemark-desk/tidemark/projections/search/searchtest"
)

// bare is a search engine without its module analysis-common, as far as making an index goes: what it answers is what
// Elasticsearch 7.17.28 does. It knows what it was told to make.
type bare struct {
	made map[string]json.RawMessage
	plea string // what it answers to who wants an index made
}

func (b *bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	body, _ := io.ReadAll(r.Body)
	name := strings.Trim(r.URL.Path, "/")
	switch {
	case r.Method == http.MethodPut && strings.Contains(name, "-v"):
		if b.plea != "" && (bytes.Contains(body, []byte("porter_stem")) || !strings.Contains(b.plea, "filter")) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"status": 400, "error": {"type": "illegal_argument_exception", "reason": "`+b.plea+`"}}`)
			return
		}
		b.made[name] = body
		_, _ = io.WriteString(w, `{"acknowledged": true}`)
	case r.Method == http.MethodGet && strings.HasSuffix(name, "-v*"):
		_ = json.NewEncoder(w).Encode(b.made)
	case r.Method == http.MethodGet && strings.HasSuffix(name, "_stats/store"):
		_, _ = io.WriteString(w, `{"indices": {}}`)
	case strings.HasSuffix(name, "_count"):
		_, _ = io.WriteString(w, `{"count": 0}`)
	default: // the lease
		_, _ = io.WriteString(w, `{"acknowledged": true, "docs": [{"found": false}], "items": [{"index": {"status": 201, "_seq_no": 1, "_primary_term": 1}}]}`)
	}
}

// An engine that lacks a part of the analysis gets an index without it, which says so; any other refusal is told.
func TestEngineWithoutAnalysis(t *testing.T) {
	t.Parallel()
	open := func(b *bare) (*elastic.Store, *bytes.Buffer, error) {
		server := httptest.NewServer(b)
		t.Cleanup(server.Close)
		var log bytes.Buffer
		s, err := elastic.Open(t.Context(), elastic.Config{
			URL: server.URL, Name: "desk", Incarnation: searchtest.Incarnation, Partitions: searchtest.Partitions,
			Client: server.Client(), Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		_, err = s.Create(t.Context(), 1, search.RoleServing)
		return s, &log, err
	}

	const plea = "Unknown filter type [cjk_bigram] for [characters]"
	b := &bare{made: map[string]json.RawMessage{}, plea: plea}
	s, log, err := open(b)
	if err != nil {
		t.Fatalf("make an index without analysis: %v", err)
	}
	if all, err := s.Indexes(t.Context()); err != nil || len(all) != 1 || all[0].Lacks != plea {
		t.Errorf("the index says %+v, %v", all, err)
	}
	if !strings.Contains(log.String(), "cjk_bigram") {
		t.Errorf("the log says %q", log)
	}
	made := string(b.made["desk-v1"])
	for _, unknown := range []string{"cjk_bigram", "stemmer", "asciifolding", "cjk_width", "length"} {
		if strings.Contains(strings.ReplaceAll(made, plea, ""), unknown) {
			t.Errorf("%s is asked for: %s", unknown, made)
		}
	}
	for _, kept := range []string{`"strict"`, `"exact"`, `"words"`, `"lower"`, `"desk":{}`} {
		if !strings.Contains(made, kept) {
			t.Errorf("%s is missing: %s", kept, made)
		}
	}

	whole := &bare{made: map[string]json.RawMessage{}}
	s, log, err = open(whole)
	if err != nil {
		t.Fatal(err)
	}
	if all, err := s.Indexes(t.Context()); err != nil || len(all) != 1 || all[0].Lacks != "" || log.Len() > 0 {
		t.Errorf("an index with all: %+v, %v, %s", all, err, log)
	}

	if _, _, err = open(&bare{made: map[string]json.RawMessage{}, plea: "number_of_shards must be positive"}); err == nil || !strings.Contains(err.Error(), "number_of_shards") {
		t.Errorf("another refusal: %v", err)
	}
}

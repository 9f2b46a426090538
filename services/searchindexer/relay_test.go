package searchindexer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"
)

// relay stands between an indexer and its engine: faults of connections are the first half's, answers of an engine that has
// too much to do the second's. It also counts what is written.
type relay struct {
	tb    testing.TB
	proxy *toxiproxy.Proxy
	web   *httptest.Server

	mu     sync.Mutex
	answer func(req *http.Request) int // instead of the engine's; 0: the engine answers
	begun  int                         // requests to write, also those that were cut half way
	bulks  int                         // requests to write
	of     map[string]int              // documents in them, by place
}

func newRelay(tb testing.TB, upstream string) *relay {
	tb.Helper()
	r := &relay{tb: tb, of: map[string]int{}}
	to, err := url.Parse(upstream)
	if err != nil {
		tb.Fatal(err)
	}
	through := httputil.NewSingleHostReverseProxy(to)
	through.Transport = &http.Transport{DisableKeepAlives: true}
	through.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { // as if there were nobody between
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = c.Close()
		}
	}
	r.web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "/_bulk") {
			r.begin()
			body, err := io.ReadAll(req.Body)
			if err != nil {
				return // it was cut
			}
			req.Body = io.NopCloser(bytes.NewReader(body))
			r.count(body)
		}
		r.mu.Lock()
		answer := r.answer
		r.mu.Unlock()
		if answer != nil {
			if code := answer(req); code != 0 {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(code)
				_, _ = io.WriteString(w, `{"error":{"type":"es_rejected_execution_exception","reason":"queue is full"},"status":429}`)
				return
			}
		}
		through.ServeHTTP(w, req)
	}))
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	for range 100 {
		r.proxy = toxiproxy.NewProxy(server, "engine", quietPort(), strings.TrimPrefix(r.web.URL, "http://"))
		if err = r.proxy.Start(); err == nil {
			break
		}
	}
	if err != nil {
		tb.Fatalf("start the relay: %v", err)
	}
	tb.Cleanup(func() {
		r.proxy.Stop()
		r.web.CloseClientConnections()
		r.web.Close()
	})
	return r
}

// quietPort is none that the system gives to outgoing connections: a relay that was cut has to find its own free again.
func quietPort() string { return fmt.Sprintf("127.0.0.1:%d", 12_000+rand.IntN(18_000)) }

func (r *relay) url() string { return "http://" + r.proxy.Listen }

func (r *relay) start() {
	if err := r.proxy.Start(); err != nil {
		r.tb.Errorf("start the relay: %v", err)
	}
}

// cut breaks every connection, and takes new ones.
func (r *relay) cut() {
	r.proxy.Stop()
	r.start()
}

func (r *relay) add(toxic toxics.ToxicWrapper) {
	raw, err := json.Marshal(toxic)
	if err == nil {
		_, err = r.proxy.Toxics.AddToxicJson(bytes.NewReader(raw))
	}
	if err != nil {
		r.tb.Errorf("make the relay faulty: %v", err)
	}
}

// slow lets little through, late.
func (r *relay) slow() {
	r.add(toxics.ToxicWrapper{Type: "latency", Name: "late", Stream: "downstream", Toxicity: 1, Toxic: &toxics.LatencyToxic{Latency: 60, Jitter: 40}})
	r.add(toxics.ToxicWrapper{Type: "bandwidth", Name: "little", Stream: "upstream", Toxicity: 1, Toxic: &toxics.BandwidthToxic{Rate: 100}})
}

// tear breaks each connection after so many bytes to the engine, or from it.
func (r *relay) tear(bytes int64) {
	r.add(toxics.ToxicWrapper{Type: "limit_data", Name: "up", Stream: "upstream", Toxicity: 1, Toxic: &toxics.LimitDataToxic{Bytes: bytes}})
	r.add(toxics.ToxicWrapper{Type: "limit_data", Name: "down", Stream: "downstream", Toxicity: 0.5, Toxic: &toxics.LimitDataToxic{Bytes: bytes / 20}})
}

// mute loses every answer, and leaves the connections open.
func (r *relay) mute() {
	r.add(toxics.ToxicWrapper{Type: "timeout", Name: "mute", Stream: "downstream", Toxicity: 1, Toxic: &toxics.TimeoutToxic{}})
}

// heal ends all faults of connections; what was under way is lost.
func (r *relay) heal() {
	r.proxy.Stop()
	r.proxy.Toxics.ResetToxics(context.WithoutCancel(r.tb.Context()))
	r.start()
}

// instead has some requests answered for the engine.
func (r *relay) instead(answer func(req *http.Request) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func (r *relay) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun++
}

// tried is how many requests to write were begun.
func (r *relay) tried() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.begun
}

func (r *relay) count(body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bulks++
	for line := range bytes.Lines(body) {
		var action struct {
			Index *struct {
				ID string `json:"_id"`
			} `json:"index"`
		}
		if json.Unmarshal(line, &action) == nil && action.Index != nil {
			r.of[action.Index.ID]++
		}
	}
}

// written is how often a document was in a body, and how many bodies there were.
func (r *relay) written(at string) (times, bodies int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.of[at], r.bulks
}

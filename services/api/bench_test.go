package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/web"
	"github.com/tidemark-desk/tidemark/services/api"
)

// instant takes every append at once and remembers nothing: what is measured is the server.
type instant struct {
	*eventlog.Log
	mu   sync.Mutex
	last uint64
}

func (l *instant) Append(_ context.Context, writes ...eventlog.Write) ([]uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]uint64, len(writes))
	for i, w := range writes {
		l.last += uint64(len(w.Drafts))
		out[i] = l.last
	}
	return out, nil
}

type benched struct {
	http.Handler
	path, key string
}

func benchHandler(b *testing.B) benched {
	b.Helper()
	var fast *api.Service
	warm := setup(b, func(_ *bundle, d *api.Deps) { d.Limit = web.Limit{PerSecond: 1e9, Burst: 1e9} })
	id := warm.open(warm.acme, "hello")
	var err error
	fast, err = api.New(api.Deps{
		Log: warm.log, Directory: warm.dir, Limit: web.Limit{PerSecond: 1e9, Burst: 1e9},
		Loop: command.NewLoop(&instant{Log: warm.log, last: warm.log.Head()}, command.Options{}),
	})
	if err != nil {
		b.Fatal(err)
	}
	return benched{Handler: fast.Handler(), path: "/v1/conversations/" + id + "/messages", key: warm.acme.userKey}
}

// cpu is what this process has used, in nanoseconds.
func cpu(b *testing.B) int64 {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

// BenchmarkPostMessage is the way of a message through the server, without the network and without the log.
func BenchmarkPostMessage(b *testing.B) {
	h := benchHandler(b)
	const body = `{"text":"Hello, my bike is still broken. Could you please have a look at it today?","author":{"type":"customer"}}`
	b.ReportAllocs()
	before := cpu(b)
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, h.path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+h.key)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusCreated {
			b.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op") // of the process, whoever else uses the machine
}

var _ command.Log = (*instant)(nil)

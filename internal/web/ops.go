package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

// What a check is answered with besides the codes of faults.
const (
	wordWell    = "ok"
	wordFailing = "failing"
)

// Check tells why a part of this process is not well; Err is nil when it is. Anybody may ask /readyz, so a fault is
// shown there by its code and any other error as "failing"; the text goes to the log.
type Check struct {
	Name string
	Err  func() error
}

// Ops answers the operator's questions about this process: /healthz, /readyz and /metrics.
type Ops struct {
	mux      *http.ServeMux
	checks   []Check
	logger   *slog.Logger
	draining atomic.Bool

	mu   sync.Mutex
	said map[string]string // by check: the word that the log was told of
}

// NewOps makes the operator's endpoints. gatherer may be nil: there are no metrics then.
func NewOps(logger *slog.Logger, gatherer prometheus.Gatherer, checks ...Check) *Ops {
	o := &Ops{mux: http.NewServeMux(), checks: checks, logger: logger, said: map[string]string{}}
	o.mux.HandleFunc("GET /healthz", o.health)
	o.mux.HandleFunc("GET /readyz", o.ready)
	if gatherer != nil {
		o.mux.Handle("GET /metrics", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{}))
	}
	return o
}

// Drain makes /readyz answer 503 from now on, so that a balancer stops sending requests before the stop begins.
func (o *Ops) Drain() { o.draining.Store(true) }

// ServeHTTP answers.
func (o *Ops) ServeHTTP(w http.ResponseWriter, r *http.Request) { o.mux.ServeHTTP(w, r) }

// health says that the process answers; nothing that a restart would not mend makes it fail.
func (o *Ops) health(w http.ResponseWriter, _ *http.Request) {
	_ = WriteJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// ready says whether requests should be sent here: not while stopping, and not while a local part is stalled.
func (o *Ops) ready(w http.ResponseWriter, r *http.Request) {
	answer := struct {
		Ready  bool              `json:"ready"`
		Checks map[string]string `json:"checks"`
	}{Ready: true, Checks: map[string]string{}}
	for _, c := range o.checks {
		err := c.Err()
		word := wordOf(err)
		o.note(r.Context(), c.Name, word, err)
		answer.Ready, answer.Checks[c.Name] = answer.Ready && err == nil, word
	}
	if o.draining.Load() {
		answer.Ready, answer.Checks["process"] = false, "stopping"
	}
	status := http.StatusOK
	if !answer.Ready {
		status = http.StatusServiceUnavailable
	}
	_ = WriteJSON(w, status, answer)
}

// wordOf is all that anybody may know of why a part is not well.
func wordOf(err error) string {
	if err == nil {
		return wordWell
	}
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Kind != fault.Internal {
		return f.Code
	}
	return wordFailing
}

// note tells the operator the whole reason, once for each change: probes come every few seconds.
func (o *Ops) note(ctx context.Context, check, word string, err error) {
	o.mu.Lock()
	before, told := o.said[check]
	o.said[check] = word
	o.mu.Unlock()
	switch {
	case word == before, !told && err == nil:
	case err == nil:
		o.logger.InfoContext(ctx, "a part is well again", "check", check)
	default:
		o.logger.WarnContext(ctx, "a part is not well", "check", check, "reason", word, "error", err)
	}
}

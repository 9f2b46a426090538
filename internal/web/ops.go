package web

import (
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Check says why a part of this process is not well; nil when it is.
type Check struct {
	Name string
	Err  func() error
}

// Ops answers the operator's questions about this process: /healthz, /readyz and /metrics.
type Ops struct {
	mux      *http.ServeMux
	checks   []Check
	draining atomic.Bool
}

// NewOps makes the operator's endpoints. gatherer may be nil: there are no metrics then.
func NewOps(gatherer prometheus.Gatherer, checks ...Check) *Ops {
	o := &Ops{mux: http.NewServeMux(), checks: checks}
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
func (o *Ops) ready(w http.ResponseWriter, _ *http.Request) {
	answer := struct {
		Ready  bool              `json:"ready"`
		Checks map[string]string `json:"checks"`
	}{Ready: true, Checks: map[string]string{}}
	for _, c := range o.checks {
		answer.Checks[c.Name] = "ok"
		if err := c.Err(); err != nil {
			answer.Ready, answer.Checks[c.Name] = false, err.Error()
		}
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

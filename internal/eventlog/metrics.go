package eventlog

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics is what an operator sees of the log.
type metrics struct {
	latency     prometheus.Histogram
	batchEvents prometheus.Histogram
	plains      prometheus.Counter
	batches     prometheus.Counter
	refused     *prometheus.CounterVec
	failed      *prometheus.CounterVec
	fetched     prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	sent := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tidemark_log_publishes_total", Help: "Plain publishes and atomic batches sent to the log.",
	}, []string{"how"})
	m := &metrics{
		latency: register(r, prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tidemark_log_append_seconds", Help: "Time from an append to its durable acknowledgement.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 16),
		})),
		batchEvents: register(r, prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tidemark_log_batch_events", Help: "Events in an atomic batch.",
			Buckets: prometheus.ExponentialBuckets(2, 2, 10),
		})),
		refused: register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_log_refused_total", Help: "Publishes and batches that the log refused, by its error number.",
		}, []string{"code"})),
		failed: register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_log_append_failures_total", Help: "Appends that did not succeed, by the code that their caller was told.",
		}, []string{"code"})),
	}
	m.fetched = register(r, prometheus.NewCounter(prometheus.CounterOpts{
		Name: "tidemark_log_fetched_events_total", Help: "Events that consumers of this process had to ask the server for, all others being in memory.",
	}))
	sent = register(r, sent)
	m.plains, m.batches = sent.WithLabelValues("plain"), sent.WithLabelValues("batch")
	return m
}

// register returns the collector that is registered under the same name already, if there is one: two logs of one process
// count together.
func register[C prometheus.Collector](r prometheus.Registerer, c C) C {
	if r == nil {
		return c
	}
	if err := r.Register(c); err != nil {
		if there, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
			if old, ok := there.ExistingCollector.(C); ok {
				return old
			}
		}
	}
	return c
}

package elastic

import "github.com/prometheus/client_golang/prometheus"

// Metrics of an engine, whichever index is open. A nil one measures nothing.
type Metrics struct {
	bytes     prometheus.Histogram
	seconds   prometheus.Histogram
	size      prometheus.Gauge
	documents *prometheus.CounterVec
	retries   *prometheus.CounterVec
	isAway    prometheus.Gauge
	probes    prometheus.Counter
}

// What became of documents, and why some were sent again: the labels of counters.
const (
	resultWritten = "written"
	resultStale   = "stale"
	resultRefused = "refused"

	reasonBusy  = "busy"  // 429
	reasonAway  = "away"  // no answer, or one of 502 to 504
	reasonBlock = "block" // the index takes no writes
	reasonLarge = "large" // more than the engine takes at a time
	reasonOther = "other"
)

// NewMetrics makes the metrics and registers them.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		bytes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tidemark_search_bulk_bytes", Help: "Size of a bulk request.", Buckets: prometheus.ExponentialBuckets(16<<10, 4, 6),
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tidemark_search_bulk_seconds", Help: "From a bulk request to its answer.", Buckets: prometheus.ExponentialBuckets(0.005, 2.5, 9),
		}),
		size: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tidemark_search_bulk_limit_bytes", Help: "Size that the next bulk request may have.",
		}),
		documents: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_search_documents_total", Help: "Documents that were sent, by what became of them.",
		}, []string{"result"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_search_retries_total", Help: "Bulk requests of which something was sent again, by why.",
		}, []string{"reason"}),
		isAway: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tidemark_search_engine_away", Help: "1 while the search engine does not answer and is only probed.",
		}),
		probes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_search_engine_probes_total", Help: "Probes of a search engine that did not answer.",
		}),
	}
	for _, result := range []string{resultWritten, resultStale, resultRefused} {
		m.documents.WithLabelValues(result)
	}
	for _, reason := range []string{reasonBusy, reasonAway, reasonBlock, reasonLarge, reasonOther} {
		m.retries.WithLabelValues(reason)
	}
	r.MustRegister(m.bytes, m.seconds, m.size, m.documents, m.retries, m.isAway, m.probes)
	return m
}

func (m *Metrics) sent(bytes int, seconds float64) {
	if m != nil {
		m.bytes.Observe(float64(bytes))
		m.seconds.Observe(seconds)
	}
}

func (m *Metrics) limit(bytes int) {
	if m != nil {
		m.size.Set(float64(bytes))
	}
}

func (m *Metrics) became(result string, documents int) {
	if m != nil {
		m.documents.WithLabelValues(result).Add(float64(documents))
	}
}

func (m *Metrics) again(reason string) {
	if m != nil {
		m.retries.WithLabelValues(reason).Inc()
	}
}

func (m *Metrics) away(is bool) {
	if m == nil {
		return
	}
	if is {
		m.isAway.Set(1)
	} else {
		m.isAway.Set(0)
	}
}

func (m *Metrics) probed() {
	if m != nil {
		m.probes.Inc()
	}
}

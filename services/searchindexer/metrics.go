package searchindexer

import "github.com/prometheus/client_golang/prometheus"

// collector shows what the metrics of the projection cannot: they are there only while the index is open.
type collector struct{ service *Service }

var (
	descFailing = prometheus.NewDesc("tidemark_search_failing", "1 while the search index cannot be opened or written.", nil, nil)
	descFinish  = prometheus.NewDesc("tidemark_search_finish_seconds", "Time until the search index is current, while it catches up.", nil, nil)
	descHidden  = prometheus.NewDesc("tidemark_search_hidden_seconds", "For how long something has been indexed that searches do not find.", nil, nil)
)

// Describe names what Collect sends.
func (collector) Describe(ch chan<- *prometheus.Desc) {
	ch <- descFailing
	ch <- descFinish
	ch <- descHidden
}

// Collect sends what is known. A process on standby has nothing to tell but that it is well.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	status := c.service.Status()
	failing := 0.0
	if !status.Healthy {
		failing = 1
	}
	ch <- prometheus.MustNewConstMetric(descFailing, prometheus.GaugeValue, failing)
	if left := c.service.finish(); left != nil && status.State != StateStandby {
		ch <- prometheus.MustNewConstMetric(descFinish, prometheus.GaugeValue, *left)
	}
	if a := c.service.last(); a != nil && status.State != StateStandby {
		ch <- prometheus.MustNewConstMetric(descHidden, prometheus.GaugeValue, a.tracker.hidden().Seconds())
	}
}

package projections

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// collector shows a runner's status to Prometheus.
type collector struct{ runner *Runner }

func (c collector) desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("tidemark_projection_"+name, help, append([]string{"partition"}, labels...),
		prometheus.Labels{"projection": c.runner.cfg.Name})
}

// Describe names what Collect sends.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.desc("lag_events", "Sequences of the log that wait.", "lane")
	ch <- c.desc("lag_seconds", "Age of the oldest event that waits.", "lane")
	ch <- c.desc("parked_keys", "Keys that wait for an operator.")
	ch <- c.desc("healthy", "0 when the partition is stalled or stopped.")
	ch <- c.desc("commits_total", "Commits by this process.")
	ch <- c.desc("events_total", "Events applied by this process.")
	ch <- c.desc("batch_size", "Events that the next commit may hold.")
}

// Collect sends the status of the partitions that this process holds or should.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.runner.Status() {
		partition := strconv.Itoa(s.Partition)
		send := func(name, help string, kind prometheus.ValueType, v float64) {
			ch <- prometheus.MustNewConstMetric(c.desc(name, help), kind, v, partition)
		}
		send("parked_keys", "Keys that wait for an operator.", prometheus.GaugeValue, float64(s.Parked))
		healthy := 0.0
		if s.Healthy {
			healthy = 1
		}
		send("healthy", "0 when the partition is stalled or stopped.", prometheus.GaugeValue, healthy)
		send("commits_total", "Commits by this process.", prometheus.CounterValue, float64(s.Commits))
		send("events_total", "Events applied by this process.", prometheus.CounterValue, float64(s.Events))
		send("batch_size", "Events that the next commit may hold.", prometheus.GaugeValue, float64(s.Batch))
		if s.Phase == PhaseStandby {
			continue
		}
		lane := func(name string, events uint64, seconds float64) {
			ch <- prometheus.MustNewConstMetric(c.desc("lag_events", "Sequences of the log that wait.", "lane"),
				prometheus.GaugeValue, float64(events), partition, name)
			ch <- prometheus.MustNewConstMetric(c.desc("lag_seconds", "Age of the oldest event that waits.", "lane"),
				prometheus.GaugeValue, seconds, partition, name)
		}
		lane("backlog", s.LagEvents, s.LagSeconds)
		if s.LiveOpen {
			lane("live", s.LiveEvents, s.LiveSeconds)
		} else {
			lane("live", s.LagEvents, s.LagSeconds) // one lane is both
		}
	}
}

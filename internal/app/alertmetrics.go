package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"ferry/internal/event"
)

// alertCollector reads the pipeline when it is asked.
type alertCollector struct{ a *alerts }

func alertDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("ferry_"+name, help, labels, nil)
}

// Describe implements prometheus.Collector.
func (c alertCollector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect implements prometheus.Collector.
func (c alertCollector) Collect(ch chan<- prometheus.Metric) {
	number := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	taken := alertDesc("events_total", "Events taken of sources, filtered ones included.", "source")
	for name, t := range c.a.sources {
		number(taken, prometheus.CounterValue, float64(t.taken.Load()), name)
	}
	states := map[event.State]int{event.Firing: 0, event.Resolved: 0, event.Expired: 0}
	for _, i := range c.a.pipeline.Incidents() {
		states[i.State]++
	}
	incidents := alertDesc("incidents", "Incidents that are open, and those of the last days that are over.", "state")
	for s, n := range states {
		number(incidents, prometheus.GaugeValue, float64(n), string(s))
	}
	delivered := alertDesc("deliveries_total", "Deliveries that arrived.", "sink")
	retried := alertDesc("delivery_retries_total", "Deliveries that failed and were to be tried again.", "sink")
	dead := alertDesc("dead_letters_total", "Deliveries that were given up.", "sink")
	waiting := alertDesc("deliveries_waiting", "Messages that wait to be delivered.", "sink")
	for _, s := range c.a.pipeline.Sinks() {
		number(delivered, prometheus.CounterValue, float64(s.Delivered), s.Sink)
		number(retried, prometheus.CounterValue, float64(s.Retried), s.Sink)
		number(dead, prometheus.CounterValue, float64(s.Dead), s.Sink)
		number(waiting, prometheus.GaugeValue, float64(s.Waiting), s.Sink)
	}
}

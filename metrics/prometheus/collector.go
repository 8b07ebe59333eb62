// Package ringoprom provides a prometheus.Collector for the counters of Ringo's loops and listeners: the metrics of
// package ringo/metrics. docs/metrics.md explains each of them.
//
//	prometheus.MustRegister(ringoprom.NewCollector())
package ringoprom

import (
	"github.com/prometheus/client_golang/prometheus"

	"ringo/metrics"
)

// NewCollector makes a collector of the metrics of all loops of the process; a registry takes only one. Collecting asks
// the loops, and waits some 100 ms for one that is held, so only an ordinary goroutine may do it, as promhttp does in
// an http.Server of package net/http: a task that gathers would hold its own loop.
func NewCollector() prometheus.Collector {
	c := &collector{descs: map[*metrics.Metric]*prometheus.Desc{}}
	for _, m := range metrics.All() {
		c.all = append(c.all, m)
		c.descs[m] = prometheus.NewDesc(m.Name, m.Help, m.Labels, nil)
	}
	return c
}

type collector struct {
	all   []*metrics.Metric
	descs map[*metrics.Metric]*prometheus.Desc
}

// Describe sends all descriptions, so that registries check the collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, m := range c.all {
		to <- c.descs[m]
	}
}

// Collect reads all metrics.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	metrics.Each(func(s metrics.Sample) { to <- c.metric(&s) })
}

func (c *collector) metric(s *metrics.Sample) prometheus.Metric {
	desc, kind := c.descs[s.Metric], prometheus.GaugeValue
	switch s.Metric.Kind {
	case metrics.Histogram:
		buckets := make(map[float64]uint64, len(s.Buckets))
		for i, n := range s.Buckets {
			buckets[s.Metric.Bounds[i]] = n
		}
		return prometheus.MustNewConstHistogram(desc, s.Count, s.Sum, buckets, s.Labels...)
	case metrics.Counter:
		kind = prometheus.CounterValue
	}
	return prometheus.MustNewConstMetric(desc, kind, s.Value, s.Labels...)
}

package metrics

import (
	"slices"
	"strings"
	"time"
)

// Kind is the kind of a metric.
type Kind uint8

// The kinds. A counter never decreases while the process runs, except for a listener's: that restarts when a new
// listener is made at the address of a closed one.
const (
	Counter Kind = iota
	Gauge
	Histogram
)

// String returns the kind's name in Prometheus' text format.
func (k Kind) String() string { return [...]string{"counter", "gauge", "histogram"}[k] }

// A Metric describes one metric. Callers must not modify it.
type Metric struct {
	Name   string // "ringo_op_submitted_total"
	Help   string // one sentence
	Unit   string // "seconds", "bytes", or empty for a count
	Kind   Kind
	Labels []string
	Bounds []float64 // of a histogram, in seconds; only Sample.Count has values above the last
}

// Dotted returns the name by OpenTelemetry's conventions, without unit and type, such as "ringo.op.submitted". The name
// of a histogram of times ends in "duration", that of a metric in bytes in "size".
func (m *Metric) Dotted() string {
	name := strings.TrimSuffix(m.Name, "_total")
	name = strings.TrimSuffix(strings.TrimSuffix(name, "_seconds"), "_bytes")
	name = strings.Replace(name, "_", ".", 2)
	switch {
	case m.Kind == Histogram:
		name += ".duration"
	case m.Unit == "bytes":
		name += ".size"
	}
	return name
}

// A Sample is the value of one metric with one set of labels.
type Sample struct {
	Metric *Metric
	Labels []string // values, in the order of Metric.Labels; valid until f returns
	Value  float64  // of counters and gauges

	// Begun is about when this counter or histogram began to count: what the function Begun returns or, for a
	// listener's, since when there is a listener at the address.
	Begun time.Time

	// For histograms: the number of values, their sum in seconds, and for each of Metric.Bounds how many values are
	// below it.
	Count   uint64
	Sum     float64
	Buckets []uint64 // valid until f returns
}

// All returns all metrics, in the order of Each.
func All() []*Metric {
	var all []*Metric
	for i := range ofLoops {
		all = append(all, &ofLoops[i].Metric)
	}
	for i := range ofLanes {
		all = append(all, &ofLanes[i].Metric)
	}
	for i := range ofListeners {
		all = append(all, &ofListeners[i].Metric)
	}
	return all
}

// doublings are bounds from 1 µs to 8.6 s, for what loops do; quadruplings are from 4 µs to 69 s, for metrics with more
// labels. All are powers of two of nanoseconds, like the bounds by which loops count.
var (
	doublings    = bounds(10, 33, 1)
	quadruplings = bounds(12, 36, 2)
)

func bounds(first, last, step int) (all []float64) {
	for bit := first; bit <= last; bit += step {
		all = append(all, float64(int64(1)<<bit)/1e9)
	}
	return all
}

// labelled returns the labels first, followed by more.
func labelled(first []string, more ...string) []string { return append(slices.Clip(first), more...) }

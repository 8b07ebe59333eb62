package metrics

import (
	"slices"
	"strings"
)

// Kind says how a metric behaves.
type Kind uint8

// The kinds. A counter never goes down while the process runs, but for those of listeners, which begin anew where a
// listener is made at the address of one that was closed.
const (
	Counter Kind = iota
	Gauge
	Histogram
)

// String is the kind as Prometheus' text format has it.
func (k Kind) String() string { return [...]string{"counter", "gauge", "histogram"}[k] }

// Metric describes one metric. It is not to be modified.
type Metric struct {
	Name   string // "ringo_op_submitted_total"
	Help   string // one sentence
	Unit   string // "seconds", "bytes", or empty: a number of things
	Kind   Kind
	Labels []string
	Bounds []float64 // of a histogram, in seconds; what is more than the last is in no bucket but in the count
}

// Dotted is the name by OpenTelemetry's conventions, without unit and type: "ringo.op.submitted". A histogram of times
// ends in duration.
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

// Sample is the value of one metric with one set of labels.
type Sample struct {
	Metric *Metric
	Labels []string // values, in the order of Metric.Labels; not to be kept
	Value  float64  // of counters and gauges

	// Of histograms: how many there are, their sum in seconds, and how many are at most each of Metric.Bounds. Times
	// are whole nanoseconds, and one of exactly a bound is in the next bucket.
	Count   uint64
	Sum     float64
	Buckets []uint64 // not to be kept
}

// All are the metrics, in the order of Each.
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

// doublings are bounds from 1 µs to 8.6 s, for what loops do; quadruplings from 4 µs to 69 s, for what has more labels.
// They are powers of two of nanoseconds, as the bounds are by which loops count.
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

// labelled puts labels behind others.
func labelled(first []string, more ...string) []string { return append(slices.Clip(first), more...) }

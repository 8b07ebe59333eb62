// Package ringotel exports the counters of Ringo's loops and listeners to OpenTelemetry: the metrics of package
// ringo/metrics, under their dotted names. docs/metrics.md explains each of them.
//
//	reader := metric.NewPeriodicReader(exporter, metric.WithProducer(ringotel.NewProducer()))
//	provider := metric.NewMeterProvider(metric.WithReader(reader))
//
// It is a Producer of the SDK rather than a set of instruments, because the API has no instrument for a histogram that
// was counted elsewhere.
package ringotel

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"ringo/metrics"
)

// NewProducer makes a producer of the metrics of all loops of the process, for readers of the SDK. The metrics are
// cumulative, whatever temporality the exporter asks of instruments. Producing asks the loops, and waits some 100 ms
// for one that is held, so only an ordinary goroutine may do it, as the SDK's readers do.
func NewProducer() metric.Producer { return producer{} }

type producer struct{}

// scope is the instrumentation scope of all metrics.
var scope = instrumentation.Scope{Name: "ringo/metrics"}

// Produce reads all metrics.
func (producer) Produce(ctx context.Context) ([]metricdata.ScopeMetrics, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var all []metricdata.Metrics
	var last *metrics.Metric
	now := time.Now()
	metrics.Each(func(s metrics.Sample) {
		if s.Metric != last {
			last = s.Metric
			all = append(all, metricdata.Metrics{
				Name: last.Dotted(), Description: last.Help, Unit: unitOf(last.Unit), Data: empty(last.Kind),
			})
		}
		m := &all[len(all)-1]
		m.Data = with(m.Data, &s, now)
	})
	return []metricdata.ScopeMetrics{{Scope: scope, Metrics: all}}, nil
}

// unitOf returns a unit in UCUM, in which a count has the unit 1.
func unitOf(unit string) string {
	switch unit {
	case "seconds":
		return "s"
	case "bytes":
		return "By"
	}
	return "1"
}

func empty(k metrics.Kind) metricdata.Aggregation {
	switch k {
	case metrics.Histogram:
		return metricdata.Histogram[float64]{Temporality: metricdata.CumulativeTemporality}
	case metrics.Counter:
		return metricdata.Sum[float64]{Temporality: metricdata.CumulativeTemporality, IsMonotonic: true}
	}
	return metricdata.Gauge[float64]{}
}

// with adds a sample to the data of its metric.
func with(to metricdata.Aggregation, s *metrics.Sample, now time.Time) metricdata.Aggregation {
	point := metricdata.DataPoint[float64]{Attributes: attributes(s), Time: now, Value: s.Value}
	switch to := to.(type) {
	case metricdata.Histogram[float64]:
		to.DataPoints = append(to.DataPoints, metricdata.HistogramDataPoint[float64]{
			Attributes: point.Attributes, StartTime: s.Begun, Time: now,
			Count: s.Count, Sum: s.Sum, Bounds: s.Metric.Bounds, BucketCounts: each(s),
		})
		return to
	case metricdata.Sum[float64]:
		point.StartTime = s.Begun
		to.DataPoints = append(to.DataPoints, point)
		return to
	case metricdata.Gauge[float64]:
		to.DataPoints = append(to.DataPoints, point)
		return to
	}
	return to
}

// each returns how many values are in each bucket alone, where Sample.Buckets counts all below a bound; the last is for
// the values above all bounds.
func each(s *metrics.Sample) []uint64 {
	counts := make([]uint64, 0, len(s.Buckets)+1)
	below := uint64(0)
	for _, n := range s.Buckets {
		counts = append(counts, n-below)
		below = n
	}
	return append(counts, s.Count-below)
}

func attributes(s *metrics.Sample) attribute.Set {
	list := make([]attribute.KeyValue, len(s.Labels))
	for i, v := range s.Labels {
		list[i] = attribute.String(s.Metric.Labels[i], v)
	}
	return attribute.NewSet(list...)
}

package ringotel_test

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"ringo"
	"ringo/metrics"
	ringotel "ringo/metrics/otel"
	"ringo/sock"
)

// A reader of the SDK gets all metrics, in the shapes of their kinds, with the numbers that Each has.
func TestProducer(t *testing.T) {
	reader := metric.NewManualReader(metric.WithProducer(ringotel.NewProducer()))
	provider := metric.NewMeterProvider(metric.WithReader(reader))
	defer provider.Shutdown(context.Background())
	const calls = 5
	err := ringo.Run(t.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		for range calls {
			if err := l.Offload(func(context.Context) error { return nil }); err != nil {
				return err
			}
		}
		return l.Offload(func(ctx context.Context) error { collect(t, reader, 1); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	collect(t, reader, 0)
}

func collect(t *testing.T, reader *metric.ManualReader, loops int) {
	var got metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]*metrics.Metric{}
	for _, m := range metrics.All() {
		if want[m.Dotted()] != nil {
			t.Errorf("%s and %s are %s", m.Name, want[m.Dotted()].Name, m.Dotted())
		}
		want[m.Dotted()] = m
	}
	if len(got.ScopeMetrics) != 1 {
		t.Fatalf("%d scopes", len(got.ScopeMetrics))
	}
	calls, live := uint64(0), 0
	for _, m := range got.ScopeMetrics[0].Metrics {
		w := want[m.Name]
		if w == nil {
			t.Errorf("%s is no metric", m.Name)
			continue
		}
		switch data := m.Data.(type) {
		case metricdata.Histogram[float64]:
			for _, p := range data.DataPoints {
				n := uint64(0)
				for _, c := range p.BucketCounts {
					n += c
				}
				if len(p.BucketCounts) != len(p.Bounds)+1 || n != p.Count || w.Kind != metrics.Histogram ||
					m.Unit != "s" {
					t.Errorf("%s: %d buckets, %d bounds, %d in buckets of %d, unit %s", m.Name, len(p.BucketCounts),
						len(p.Bounds), n, p.Count, m.Unit)
				}
				if lane, _ := p.Attributes.Value("lane"); lane.AsString() == "offload" {
					calls += p.Count
				}
			}
		case metricdata.Sum[float64]:
			if w.Kind != metrics.Counter || !data.IsMonotonic || data.DataPoints[0].StartTime.IsZero() {
				t.Errorf("%s: %+v", m.Name, data)
			}
		case metricdata.Gauge[float64]:
			if w.Kind != metrics.Gauge {
				t.Errorf("%s is a gauge", m.Name)
			}
			if w.Name == "ringo_loop_info" {
				live = len(data.DataPoints)
			}
		default:
			t.Errorf("%s is a %T", m.Name, data)
		}
	}
	if calls < 5 || live != loops {
		t.Errorf("%d calls of Offload, %d loops; want 5 at least, %d", calls, live, loops)
	}
}

// The counters of a listener that is made later begin later, so that what was counted at its address before does not
// seem to go down.
func TestListenerBeginsLater(t *testing.T) {
	reader := metric.NewManualReader(metric.WithProducer(ringotel.NewProducer()))
	provider := metric.NewMeterProvider(metric.WithReader(reader))
	defer provider.Shutdown(context.Background())
	err := ringo.Run(t.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		var before time.Time
		for _, when := range []string{"the first listener", "another"} {
			ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			var got metricdata.ResourceMetrics
			if err := reader.Collect(t.Context(), &got); err != nil {
				return err
			}
			for _, m := range got.ScopeMetrics[0].Metrics {
				if m.Name != "ringo.listener.accepted" {
					continue
				}
				p := m.Data.(metricdata.Sum[float64]).DataPoints[0]
				if !p.StartTime.After(before) || !p.StartTime.Before(p.Time) {
					t.Errorf("%s begins at %v, at %v; before: %v", when, p.StartTime, p.Time, before)
				}
				before = p.StartTime
			}
			ln.Close()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

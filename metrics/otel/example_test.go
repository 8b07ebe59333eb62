package ringotel_test

import (
	"context"
	"fmt"
	"log"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"ringo"
	ringotel "ringo/metrics/otel"
)

// A reader takes the producer beside the program's own instruments. Here it collects when it is asked; one of
// metric.NewPeriodicReader does so by itself, and exports.
func ExampleNewProducer() {
	ctx := context.Background()
	reader := metric.NewManualReader(metric.WithProducer(ringotel.NewProducer()))
	provider := metric.NewMeterProvider(metric.WithReader(reader))
	defer provider.Shutdown(ctx)
	err := ringo.Run(ctx, &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		return l.Offload(func(ctx context.Context) error {
			var got metricdata.ResourceMetrics
			if err := reader.Collect(ctx, &got); err != nil {
				return err
			}
			for _, m := range got.ScopeMetrics[0].Metrics {
				if m.Name == "ringo.loop.tasks" {
					fmt.Println(m.Name, m.Data.(metricdata.Gauge[float64]).DataPoints[0].Value)
				}
			}
			return nil
		})
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: ringo.loop.tasks 1
}

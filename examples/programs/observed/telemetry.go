package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	ringotel "ringo/metrics/otel"
	ringoprom "ringo/metrics/prometheus"
)

// registry has the metrics for Prometheus. requests is the program's own metric, since Ringo does not count requests.
var (
	registry = prometheus.NewRegistry()
	requests = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests_total", Help: "Requests, by route."},
		[]string{"route"})
)

func init() {
	registry.MustRegister(
		requests,
		ringoprom.NewCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.MetricsScheduler)),
	)
}

// telemetry begins to export spans and metrics, to OTEL_EXPORTER_OTLP_ENDPOINT. end exports the rest.
func telemetry(ctx context.Context) (end func(), err error) {
	spans, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, err
	}
	values, err := otlpmetrichttp.New(ctx)
	if err != nil {
		return nil, err
	}
	tracers := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans)) // never WithSyncer: it exports in the task
	reader := metric.NewPeriodicReader(values, metric.WithProducer(ringotel.NewProducer()))
	meters := metric.NewMeterProvider(metric.WithReader(reader))
	otel.SetLogger(logr.FromSlogHandler(slog.Default().Handler())) // its own logs, which go to stderr otherwise
	otel.SetTracerProvider(tracers)
	otel.SetMeterProvider(meters)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		for _, shutdown := range []func(context.Context) error{tracers.Shutdown, meters.Shutdown} {
			if err := shutdown(ctx); err != nil {
				slog.Error("telemetry", "error", err)
			}
		}
	}, nil
}

// Package metrics tells monitoring systems what the loops and listeners of the process count. There is one list of
// metrics, [All], with names by Prometheus' conventions; docs/metrics.md explains them one by one.
//
//	http.Handle("/metrics", metrics.Handler())   // Prometheus' text format
//	metrics.Publish("ringo")                     // expvar
//
// The module ringo/metrics/prometheus has a prometheus.Collector of the same for registries of client_golang, and
// ringo/metrics/otel a producer for readers of OpenTelemetry. All of them are made of [Each].
//
// Nothing has to be turned on: loops count always. Each loop is asked when somebody reads, by a message, and one that
// is held for longer than 100 ms is told of as it was when it was last asked. Readers should be ordinary
// goroutines, as an http.Server's are: in a task Each parks for one loop after the other.
package metrics

// Package metrics exports the counters of the process's loops and listeners to monitoring systems. There is one list of
// metrics, [All], with names by Prometheus' conventions; docs/metrics.md explains each.
//
//	http.Handle("/metrics", metrics.Handler())   // Prometheus' text format
//	metrics.Publish("ringo")                     // expvar
//
// The module ringo/metrics/prometheus has a prometheus.Collector for registries of client_golang, and
// ringo/metrics/otel a producer for OpenTelemetry readers. All are built on [Each]. Beside the package's files are
// grafana.json, a dashboard of all metrics, and ringo.rules.yml, alerts for Prometheus.
//
// Loops always count; nothing has to be turned on. Reading the metrics sends each loop a message; for a loop that does
// not answer within 100 ms the last known values are reported. Read them from ordinary goroutines, such as an
// http.Server's: in a task Each parks for one loop after the other.
package metrics

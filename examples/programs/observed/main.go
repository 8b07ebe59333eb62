// Observed is a server that can be observed in all ways: metrics for Prometheus, including those of the Go runtime,
// traces and metrics by OpenTelemetry, log/slog, profiles, and Ringo's console. docs/observing.md explains it.
//
//	OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 go run ./observed
//	curl localhost:8080/users/7
//	curl localhost:6060/metrics
package main

import (
	"context"
	"flag"
	"log/slog"
	"net"
	"net/http"
	rpprof "net/http/pprof"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"ringo"
	"ringo/debug"
	"ringo/logs"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "the address to serve on")
	admin := flag.String("admin", "127.0.0.1:6060", "the address of metrics, profiles and the console")
	flag.Parse()
	out := logs.NewJSONHandler(os.Stderr, nil, nil) // its writes do not block a task
	slog.SetDefault(slog.New(traced{out}))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, *listen, *admin)
	if err != nil {
		slog.Error("ends", "error", err)
	}
	out.Close()
	if err != nil {
		os.Exit(1)
	}
}

func run(ctx context.Context, listen, admin string) error {
	end, err := telemetry(ctx)
	if err != nil {
		return err
	}
	defer end()
	set, err := sock.Reserve("tcp", listen)
	if err != nil {
		return err
	}
	defer set.Close()
	operators, err := net.Listen("tcp", admin)
	if err != nil {
		return err
	}
	web := &http.Server{Handler: pages(), ReadHeaderTimeout: 5 * time.Second}
	go web.Serve(operators)
	defer web.Close()
	slog.Info("serves", "address", set.Addr(), "operators", operators.Addr())
	return serve(ctx, set, nil)
}

// serve serves on all loops until ctx ends.
func serve(ctx context.Context, set *sock.ListenerSet, cfg *ringo.Config) error {
	s := &sockhttp.Server{Handler: routes(), ReadHeaderTimeout: 5 * time.Second}
	return s.ServeSets(ctx, cfg, []*sock.ListenerSet{set})
}

// pages are for operators. They are served by package net, on goroutines, so that they answer even while a task holds
// a loop.
func pages() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/debug/pprof/", rpprof.Index)
	mux.HandleFunc("/debug/pprof/profile", rpprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", rpprof.Trace)
	mux.Handle("/debug/ringo/", debug.Handler())
	return mux
}

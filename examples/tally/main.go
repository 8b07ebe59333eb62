// Tally counts: "add NAME" and "get NAME" over TCP, a line each. It is the program of docs/first-hour.md, with what a
// server needs to be deployed: state on each loop, bounds, an orderly end, metrics and the console.
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"ringo"
	"ringo/debug"
	"ringo/logs"
	"ringo/metrics"
	"ringo/service"
	"ringo/sock"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:7000", "the address to serve on")
	admin := flag.String("admin", "127.0.0.1:6060", "the address of metrics, the console and health")
	flag.Parse()
	w := logs.NewWriter(os.Stderr, nil) // its writes do not block a task
	log.SetOutput(w)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, *listen, *admin)
	if err != nil {
		log.Print(err)
	}
	w.Close()
	if err != nil {
		os.Exit(1)
	}
}

// run serves until ctx ends and the requests that came before are answered.
func run(ctx context.Context, listen, admin string) error {
	limits := sock.Limits{Conns: 50_000, ConnsPerPeer: 1_000}
	set, err := (&sock.ListenConfig{Limits: limits}).Reserve("tcp", listen)
	if err != nil {
		return err
	}
	operators, err := net.Listen("tcp", admin)
	if err != nil {
		set.Close()
		return err
	}
	log.Printf("counts on %v, for operators on http://%v/metrics", set.Addr(), operators.Addr())
	return serve(ctx, set, operators)
}

// serve is the rest of run, for sockets that listen already.
func serve(ctx context.Context, set *sock.ListenerSet, operators net.Listener) error {
	m, err := service.New(nil)
	if err != nil {
		return err
	}
	defer m.Close()
	web := &http.Server{Handler: pages(m), ReadHeaderTimeout: 5 * time.Second}
	go web.Serve(operators)
	defer web.Close()

	s := newCounter()
	cfg := &ringo.Config{
		Grace: 20 * time.Second,
		Start: func(l *ringo.Loop) error { // on each loop, before the first connection is accepted
			if err := s.parts.Start(l); err != nil {
				return err
			}
			return m.Started(l) // systemd gets READY=1 once all loops are here
		},
	}
	return sock.ServeSets(ctx, cfg, []*sock.ListenerSet{set}, s.serve)
}

// pages are for operators. They are served by package net/http, on goroutines, so that they answer even while a task
// holds a loop.
func pages(m *service.Manager) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", metrics.Handler())
	mux.Handle("/debug/ringo/", debug.Handler())
	mux.HandleFunc("/live", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		if err := m.Turned(ctx); err != nil { // waits until each loop has run a task
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	return mux
}

//go:build linux

package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/cloudflare/tableflip"

	"ringo"
	"ringo/sock"
	"ringo/sock/sockhttp"
	"ringo/upgrade"
)

// grace is what each server gives requests that are under way when it is replaced.
const grace = 5 * time.Second

// who answers with the number of the process.
var who = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, os.Getpid()) })

func serveAs(name, addr string) error {
	if driver, ok := strings.CutPrefix(name, "ringo-"); ok {
		return serveRingo(driver, addr)
	}
	return serveTableflip(addr)
}

// serveRingo serves as docs/upgrades.md shows.
func serveRingo(driver, addr string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	slog.SetLogLoggerLevel(slog.LevelWarn) // that it is replaced is no news here
	up, err := upgrade.New(ctx, &upgrade.Config{Signals: []os.Signal{syscall.SIGHUP}})
	if err != nil {
		return err
	}
	defer up.Close()
	set, err := up.Reserve(&sock.ListenConfig{Backlog: 4096}, "tcp", addr)
	if err != nil {
		return err
	}
	cfg := &ringo.Config{Driver: driver, Grace: grace, Start: up.Started}
	s := &sockhttp.Server{
		Handler: sockhttp.Task(who),
		Linger:  grace,
		Drain:   func(c *sock.Conn) error { return up.PassConn(c, nil) },
		More: func(l *ringo.Loop) (*sock.Conn, error) {
			c, _, err := up.AcceptConn(ctx, l)
			return c, err
		},
	}
	return s.ServeSets(up.Context(), cfg, []*sock.ListenerSet{set})
}

// serveTableflip serves as tableflip's own example of HTTP does.
func serveTableflip(addr string) error {
	up, err := tableflip.New(tableflip.Options{})
	if err != nil {
		return err
	}
	defer up.Stop()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		for range hangups {
			if err := up.Upgrade(); err != nil {
				fmt.Fprintln(os.Stderr, "tableflip:", err)
			}
		}
	}()
	ln, err := up.Listen("tcp", addr)
	if err != nil {
		return err
	}
	defer ln.Close()
	s := &http.Server{Handler: who}
	go s.Serve(ln)
	if err := up.Ready(); err != nil {
		return err
	}
	<-up.Exit()
	ctx, stop := context.WithTimeout(context.Background(), grace)
	defer stop()
	return s.Shutdown(ctx)
}

package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"ringo/debug"
)

// A console is where -debug serves package debug's: by package net, on goroutines, so that it answers when a loop is
// held. It ends with the server.
type console struct {
	host, port string
}

// loopback is where the console listens unless a host is written out.
const loopback = "127.0.0.1"

// parseConsole reads PORT, :PORT or HOST:PORT.
func parseConsole(text string) (*console, error) {
	host, port := "", text
	if strings.Contains(text, ":") {
		var err error
		if host, port, err = net.SplitHostPort(text); err != nil {
			return nil, fmt.Errorf("-debug %q: want PORT or HOST:PORT", text)
		}
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil || strings.ContainsAny(host, "/@?#") {
		return nil, fmt.Errorf("-debug %q: want PORT or HOST:PORT, with a port of 0 to 65535", text)
	}
	if host == "" {
		host = loopback
	}
	return &console{host, port}, nil
}

// open listens, says where, and serves until stop is called.
func (c *console) open(stderr io.Writer) (stop func(), err error) {
	ln, err := net.Listen("tcp", net.JoinHostPort(c.host, c.port))
	if err != nil {
		return nil, fmt.Errorf("-debug: %w", err)
	}
	fmt.Fprintf(stderr, "console http://%v/\n", ln.Addr())
	if at, ok := ln.Addr().(*net.TCPAddr); ok && !at.IP.IsLoopback() {
		fmt.Fprintln(stderr, "warning: the console can be reached from other machines, and asks for no password")
	}
	s := &http.Server{Handler: c.onlyHere(debug.Handler()), ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 1 << 14}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintf(stderr, "console: %v\n", err)
		}
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if s.Shutdown(ctx) != nil {
			s.Close()
		}
		<-served
	}, nil
}

// onlyHere refuses requests for another host's name: a page of another site can have its name stand for an address of
// this machine, and would be taken for the console's own.
func (c *console) onlyHere(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		_, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if err != nil && !strings.EqualFold(host, "localhost") && !strings.EqualFold(host, c.host) {
			http.Error(w, "the console is not known by this name: use its address", http.StatusMisdirectedRequest)
			return
		}
		if strings.EqualFold(host, c.host) { // which may be a name of a loopback address, as the host's own often is
			r = r.WithContext(r.Context())
			r.Host = "localhost"
		}
		h.ServeHTTP(w, r)
	})
}

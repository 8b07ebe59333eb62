package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// An endpoint is where a page of a flag's is served: by package net, on goroutines, so that it answers when a loop is
// held. It ends with the server.
type endpoint struct {
	flag, host, port string
}

// loopback is where an endpoint listens unless a host is written out.
const loopback = "127.0.0.1"

// parseEndpoint reads a flag's PORT, :PORT or HOST:PORT.
func parseEndpoint(flag, text string) (*endpoint, error) {
	host, port := "", text
	if strings.Contains(text, ":") {
		var err error
		if host, port, err = net.SplitHostPort(text); err != nil {
			return nil, fmt.Errorf("-%s %q: want PORT or HOST:PORT", flag, text)
		}
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil || strings.ContainsAny(host, "/@?#") {
		return nil, fmt.Errorf("-%s %q: want PORT or HOST:PORT, with a port of 0 to 65535", flag, text)
	}
	if host == "" {
		host = loopback
	}
	return &endpoint{flag, host, port}, nil
}

// listen reserves the address.
func (e *endpoint) listen() (net.Listener, error) {
	ln, err := net.Listen("tcp", net.JoinHostPort(e.host, e.port))
	if err != nil {
		return nil, fmt.Errorf("-%s: %w", e.flag, err)
	}
	return ln, nil
}

// serve answers what comes to a listener until stop is called.
func (e *endpoint) serve(ln net.Listener, h http.Handler, stderr io.Writer) (stop func()) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 1 << 14}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintf(stderr, "-%s: %v\n", e.flag, err)
		}
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if s.Shutdown(ctx) != nil {
			s.Close()
		}
		<-served
	}
}

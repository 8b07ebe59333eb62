package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"ringo/upgrade"
)

// An endpoint is where a page of a flag's is served: by package net, on goroutines, so that it answers when a loop is
// held. It ends with the server, or goes on in the one that replaces it.
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

// listen takes the predecessor's socket, or reserves the address.
func (e *endpoint) listen(s *Server) (net.Listener, error) {
	address := net.JoinHostPort(e.host, e.port)
	name := "-" + e.flag + " " + address
	ln, err := s.taken(name)
	if ln == nil && err == nil {
		ln, err = net.Listen("tcp", address)
	}
	if err != nil {
		return nil, fmt.Errorf("-%s: %w", e.flag, err)
	}
	if s.up != nil {
		s.up.Pass(name, ln.(*net.TCPListener).File)
	}
	return ln, nil
}

// taken is a listener that the predecessor had by a name; nil: there is none.
func (s *Server) taken(name string) (net.Listener, error) {
	if s.up == nil {
		return nil, nil
	}
	f := s.up.Take(name)
	if f == nil {
		return nil, nil
	}
	defer f.Close()
	return net.FileListener(f)
}

// serve answers what comes to a listener until stop is called, or the server is replaced.
func (e *endpoint) serve(of *Server, ln net.Listener, h http.Handler) (stop func()) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 1 << 14}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintf(of.Stderr, "-%s: %v\n", e.flag, err)
		}
	}()
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if s.Shutdown(ctx) != nil {
			s.Close()
		}
		<-served
	})
	if of.up != nil {
		context.AfterFunc(of.Context, func() {
			if context.Cause(of.Context) == upgrade.ErrReplaced {
				stop()
			}
		})
	}
	return stop
}

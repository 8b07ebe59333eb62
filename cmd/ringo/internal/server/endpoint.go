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

// An endpoint is the address of a page for operators, from a flag. Package net serves it on goroutines, so that it
// answers while a loop is held. It ends with the server, or when a successor replaces the server and takes over its
// socket.
type endpoint struct {
	flag, host, port string
}

// loopback is the host of an endpoint whose flag has none.
const loopback = "127.0.0.1"

// parseEndpoint parses a flag's PORT, :PORT or HOST:PORT.
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

// listen returns the listener that the predecessor has passed on, or opens one. It passes it on to a successor.
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

// taken returns the listener that the predecessor has passed on under a name; nil: there is none.
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

// serve serves HTTP on a listener until stop is called, or until a successor replaces the server.
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

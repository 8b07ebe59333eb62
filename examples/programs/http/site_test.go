package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"ringo/examples/programs/internal/rig"
	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// What main does.
func TestRun(t *testing.T) {
	rig.Prints(t, run, `HTTP/1.1: 200 OK, hello by HTTP/1.1
HTTP/1.1 with TLS: 200 OK, hello by HTTP/1.1
HTTP/2 with TLS: 200 OK, hello by HTTP/2.0
h2c: 200 OK, hello by HTTP/2.0
`)
}

var drivers = []string{"uring", "epoll"}

// A site is a server of net/http on a listener of Ringo's, and a client that dials
// by a loop of the same Run.
type site struct {
	rig    *rig.Rig
	url    string
	addr   string
	server *http.Server
	client *http.Client
	served chan error
}

// open serves h. configure, if not nil, changes the server before it starts.
func open(t *testing.T, driver string, p protocol, h http.HandlerFunc, configure func(*http.Server)) *site {
	t.Helper()
	r := rig.Loops(t, driver, 2)
	ln := r.Listen()
	certificate, pool := rig.Certificate(t)
	s := &site{
		rig:    r,
		addr:   ln.Addr().String(),
		server: p.server(certificate),
		client: p.client(r.Loops[1], pool),
		served: make(chan error, 1),
	}
	s.url = p.scheme + "://" + s.addr
	s.server.Handler = h
	s.client.Timeout = rig.Patience
	s.server.ReadHeaderTimeout = 0 // which a busy machine takes for itself
	transport := s.client.Transport.(*http.Transport)
	transport.ExpectContinueTimeout = rig.Patience
	transport.MaxIdleConnsPerHost = 16 // or most requests are a handshake
	if configure != nil {
		configure(s.server)
	}
	// As a program does it in Run's function: the task waits, the server has its goroutines.
	l := r.Loop()
	l.Post(func() { s.served <- l.Offload(func(context.Context) error { return p.serve(s.server, ln) }) })
	t.Cleanup(s.close)
	return s
}

// close shuts the site down, in order, and once.
func (s *site) close() {
	s.client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		s.rig.T.Errorf("Shutdown: %v", err)
	}
	if err := <-s.served; err != http.ErrServerClosed {
		s.rig.T.Errorf("Serve: %v", err)
	}
	s.served <- http.ErrServerClosed
}

// dial opens a connection of package net to the site, for what no client does.
func (s *site) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(rig.Patience))
	t.Cleanup(func() { c.Close() })
	return c
}

// get reads a whole answer.
func (s *site) get(t *testing.T, path string) string {
	t.Helper()
	answer, err := s.client.Get(s.url + path)
	if err != nil {
		t.Fatal(err)
	}
	return body(t, answer)
}

func body(t *testing.T, answer *http.Response) string {
	t.Helper()
	defer answer.Body.Close()
	p, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v", answer.Status, err)
	}
	return string(p)
}

// each runs f on the drivers, with each of the protocols.
func each(t *testing.T, protocols []protocol, f func(t *testing.T, driver string, p protocol)) {
	rig.EachDriver(t, drivers, func(t *testing.T, driver string) {
		for _, p := range protocols {
			t.Run(p.name, func(t *testing.T) { f(t, driver, p) })
		}
	})
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

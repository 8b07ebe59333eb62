package http

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"ringo/internal/testmain"
	"ringo/programs/internal/rig"
)

func TestMain(m *testing.M) { testmain.Main(m) }

var drivers = []string{"uring", "epoll"}

// protocols are the ways in which a request travels.
var protocols = []string{"HTTP/1.1", "HTTP/1.1 with TLS", "HTTP/2 with TLS", "h2c"}

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
func open(t *testing.T, driver, protocol string, h http.HandlerFunc, configure func(*http.Server)) *site {
	t.Helper()
	r := rig.Loops(t, driver, 2)
	ln := r.Listen()
	var p http.Protocols
	p.SetHTTP1(protocol == protocols[0] || protocol == protocols[1])
	p.SetHTTP2(protocol == protocols[2])
	p.SetUnencryptedHTTP2(protocol == protocols[3])
	transport := &http.Transport{DialContext: r.DialContext, Protocols: &p, ExpectContinueTimeout: rig.Patience}
	s := &site{
		rig:    r,
		addr:   ln.Addr().String(),
		server: &http.Server{Handler: h, Protocols: &p},
		client: &http.Client{Transport: transport, Timeout: rig.Patience},
		served: make(chan error, 1),
	}
	if configure != nil {
		configure(s.server)
	}
	serve := func() error { return s.server.Serve(ln) }
	s.url = "http://" + s.addr
	if protocol == protocols[1] || protocol == protocols[2] {
		certificate, pool := rig.Certificate(t)
		s.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
		s.url = "https://" + s.addr
		serve = func() error { return s.server.ServeTLS(ln, "", "") }
	}
	// As a program does it in Run's function: the task waits, the server has its goroutines.
	l := r.Loop()
	l.Post(func() { s.served <- l.Offload(func(context.Context) error { return serve() }) })
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
func each(t *testing.T, protocols []string, f func(t *testing.T, driver, protocol string)) {
	rig.EachDriver(t, drivers, func(t *testing.T, driver string) {
		for _, protocol := range protocols {
			t.Run(protocol, func(t *testing.T) { f(t, driver, protocol) })
		}
	})
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

package sockhttp

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"ringo"
	"ringo/internal/handle"
	"ringo/internal/loop"
)

// A client asks for HTTP/2 in the handshake or, in the clear and if Protocols says so, by the first bytes that it
// sends. A connection on a loop then has a task, one on a goroutine stays there.

// preface is what a client of HTTP/2 begins with, as far as it tells.
const preface = "PRI * HTTP/2.0\r\n\r\n"

// protocols are those that the server speaks.
func (s *Server) protocols() (p http.Protocols) {
	if s.Protocols != nil {
		return *s.Protocols
	}
	p.SetHTTP1(true)
	p.SetHTTP2(http2Allowed())
	return p
}

// http2Allowed reports whether net/http speaks HTTP/2, which programs are built, and told, to do without.
var http2Allowed = sync.OnceValue(func() bool {
	probe := new(http.Server)
	probe.Serve(noListener{}) // with which it has decided
	return probe.TLSNextProto["h2"] != nil
})

// noListener is a listener that has no connection.
type noListener struct{}

func (noListener) Accept() (net.Conn, error) { return nil, io.EOF }
func (noListener) Close() error              { return nil }
func (noListener) Addr() net.Addr            { return &net.TCPAddr{} }

// offered adds the protocols to those that a handshake offers by the program's wish.
func (s *Server) offered(protos []string) []string { return offered(protos, s.protocols()) }

func offered(protos []string, p http.Protocols) []string {
	all := slices.DeleteFunc(slices.Clone(protos), func(name string) bool {
		return name == "h2" && !p.HTTP2() || name == "http/1.1" && !p.HTTP1()
	})
	if p.HTTP2() && !slices.Contains(all, "h2") {
		all = append(all, "h2")
	}
	if p.HTTP1() && !slices.Contains(all, "http/1.1") {
		all = append(all, "http/1.1")
	}
	return all
}

// origin is a listener that is served.
type origin struct {
	s    *Server
	base context.Context // of all requests
	loop *ringo.Loop     // on which connections are served; nil: on goroutines
	born time.Time

	tasks ringo.WaitGroup // of connections, unless sock.Serve has them

	stop    func() bool    // it does not hear of the drain any more
	free    []*exchange    // that were given back, of HTTP/1; the loop's
	resting map[*conn]bool // that a task serves for life, and that are to linger in a drain; the loop's
}

func newOrigin(s *Server, base context.Context, l *ringo.Loop) *origin {
	o := &origin{s: s, base: base, loop: l}
	o.born = o.clock()
	return o
}

// clock is the time for callers that need not be on the loop.
func (o *origin) clock() time.Time {
	if o.loop != nil {
		return (*loop.Loop)(o.loop).Clock()
	}
	return time.Now()
}

// wait waits for the tasks, or until it is cancelled.
func (o *origin) wait() { o.tasks.WaitContext(context.Background()) }

// begin has connections that speak HTTP/2, and those that rest in a task, hear of the drain.
func (o *origin) begin() {
	o.stop = (*loop.Loop)(o.loop).OnDrain(func() {
		for c := range o.resting {
			c.linger()
		}
		o.s.each2(func(h *server2) {
			if h.conn.origin == o {
				h.shutdown()
			}
		})
	})
}

// end is for when the listener is served no longer.
func (o *origin) end() {
	if o.s.ending.Load() {
		o.stop()
	}
}

// keep2 notes a connection that speaks HTTP/2; nil: it has ended.
func (s *Server) keep2(c *conn, h *server2) {
	s.mu.Lock()
	if c.two = h; c.own != nil {
		s.keepLocked(c, h != nil)
	}
	s.mu.Unlock()
	if h != nil && s.closed.Load() { // before it was known
		c.net().Close()
	}
}

// each2 calls f for each connection that speaks HTTP/2. It may wait for loops.
func (s *Server) each2(f func(*server2)) {
	var all []*server2
	s.mu.Lock()
	for c := range s.conns {
		if c.two != nil {
			all = append(all, c.two)
		}
	}
	s.mu.Unlock()
	for _, h := range all {
		f(h)
	}
}

// speaks2 reports whether a handshake has agreed on HTTP/2, with a cipher that is good enough for it (RFC 9113, 9.2.2).
func (c *conn) speaks2() bool {
	p := c.s.protocols()
	if c.tls == nil || c.tls.NegotiatedProtocol != "h2" || !p.HTTP2() {
		return false
	}
	name := tls.CipherSuiteName(c.tls.CipherSuite)
	return c.tls.Version > tls.VersionTLS12 ||
		strings.Contains(name, "_ECDHE_") && (strings.Contains(name, "_GCM_") || strings.Contains(name, "_CHACHA20_"))
}

// speakHTTP2 serves the connection from here on until its end.
func (c *conn) speakHTTP2() error {
	if c.own != nil {
		c.tasks.Add(1) // Serve waits for it still
		defer c.tasks.Done()
		if err := handle.Sockets.Leave(c.own); err != nil {
			return err
		}
		defer c.closed()
		defer c.c.Close()
	}
	c.c.SetDeadline(time.Time{})
	c.serve2()
	return errDone
}

// What the first bytes of a connection are.
const (
	ofHTTP1 = iota
	ofHTTP2
	notKnown // too few to say
	ofNobody // HTTP/1, which the server does not speak
)

// begins tells that of p.
func (c *conn) begins(p []byte) int {
	protocols, n := c.s.protocols(), min(len(p), len(preface))
	switch {
	case c.tls == nil && protocols.UnencryptedHTTP2() && string(p[:n]) == preface[:n]:
		if n < len(preface) {
			return notKnown
		}
		return ofHTTP2
	case !protocols.HTTP1():
		return ofNobody
	}
	return ofHTTP1
}

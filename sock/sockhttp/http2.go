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

// A client asks for HTTP/2 in the TLS handshake or, in the clear and if Protocols allows it, by the first bytes that it
// sends. A connection on a loop then gets a task of its own, one on a goroutine stays there.

// preface is the beginning of an HTTP/2 client's first bytes that distinguishes it.
const preface = "PRI * HTTP/2.0\r\n\r\n"

// protocols returns the protocols that the server speaks.
func (s *Server) protocols() (p http.Protocols) {
	if s.Protocols != nil {
		return *s.Protocols
	}
	p.SetHTTP1(true)
	p.SetHTTP2(http2Allowed())
	return p
}

// http2Allowed reports whether net/http speaks HTTP/2: a build tag or GODEBUG can turn that off.
var http2Allowed = sync.OnceValue(func() bool {
	probe := new(http.Server)
	probe.Serve(noListener{}) // by then it has decided
	return probe.TLSNextProto["h2"] != nil
})

// noListener is a listener without connections.
type noListener struct{}

func (noListener) Accept() (net.Conn, error) { return nil, io.EOF }
func (noListener) Close() error              { return nil }
func (noListener) Addr() net.Addr            { return &net.TCPAddr{} }

// offered adds the server's protocols to those that the program's TLS configuration offers.
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

// origin is a listener that is being served.
type origin struct {
	s    *Server
	base context.Context // the base of all requests' contexts
	loop *ringo.Loop     // on which connections are served; nil: on goroutines
	born time.Time

	tasks ringo.WaitGroup // of connections that sock.Serve does not serve

	stop    func() bool    // ends the call at the drain
	free    []*exchange    // HTTP/1 exchanges that were given back; the loop's
	resting map[*conn]bool // connections that a task serves for life and that linger in a drain; the loop's
}

func newOrigin(s *Server, base context.Context, l *ringo.Loop) *origin {
	o := &origin{s: s, base: base, loop: l}
	o.born = o.clock()
	return o
}

// clock returns the time for callers that need not be on the loop.
func (o *origin) clock() time.Time {
	if o.loop != nil {
		return (*loop.Loop)(o.loop).Clock()
	}
	return time.Now()
}

// wait waits for the connections' tasks, or until it is cancelled.
func (o *origin) wait() { o.tasks.WaitContext(context.Background()) }

// begin makes connections of HTTP/2, and those that rest in a task, learn of the drain.
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

// end is called when the listener is no longer served.
func (o *origin) end() {
	if o.s.ending.Load() {
		o.stop()
	}
}

// keep2 notes that a connection speaks HTTP/2; h is nil when it has ended.
func (s *Server) keep2(c *conn, h *server2) {
	s.mu.Lock()
	if c.two = h; c.own != nil {
		s.keepLocked(c, h != nil)
	}
	s.mu.Unlock()
	if h != nil && s.closed.Load() { // before it was noted
		c.net().Close()
	}
}

// each2 calls f for each HTTP/2 connection. It may wait for loops.
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

// speaks2 reports whether the handshake has agreed on HTTP/2, with a cipher suite that HTTP/2 allows (RFC 9113, 9.2.2).
func (c *conn) speaks2() bool {
	p := c.s.protocols()
	if c.tls == nil || c.tls.NegotiatedProtocol != "h2" || !p.HTTP2() {
		return false
	}
	name := tls.CipherSuiteName(c.tls.CipherSuite)
	return c.tls.Version > tls.VersionTLS12 ||
		strings.Contains(name, "_ECDHE_") && (strings.Contains(name, "_GCM_") || strings.Contains(name, "_CHACHA20_"))
}

// speakHTTP2 serves the connection from now on until it ends.
func (c *conn) speakHTTP2() error {
	if c.own != nil {
		c.tasks.Add(1) // Serve still waits for it
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

// Kinds of a connection's first bytes.
const (
	ofHTTP1 = iota
	ofHTTP2
	notKnown // too few to say
	ofNobody // HTTP/1, which the server does not speak
)

// begins returns the kind of p.
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

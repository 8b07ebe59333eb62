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
	"ringo/internal/lane"
	"ringo/internal/loop"
)

// HTTP/2 is net/http's own, over the server's connections: a client asks for it in the handshake or, in the clear and
// if Protocols says so, by the first bytes that it sends. Behind TLS, too, net/http takes it for HTTP/2 in the clear,
// since it knows no TLS but crypto/tls's.

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
	probe.Serve(&single{taken: true}) // with which it has decided
	return probe.TLSNextProto["h2"] != nil
})

// offered adds the protocols to those that a handshake offers by the program's wish.
func (s *Server) offered(protos []string) []string {
	p := s.protocols()
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

	tasks ringo.WaitGroup // of connections, unless sock.Serve has them

	mu    sync.Mutex
	http2 *http.Server // made for the first connection that speaks HTTP/2
	stop  func() bool  // it does not hear of the drain any more
}

// server2 is what serves HTTP/2.
func (o *origin) server2() *http.Server {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.http2 != nil {
		return o.http2
	}
	s := o.s
	h := &http.Server{Handler: http.HandlerFunc(serve2), DisableGeneralOptionsHandler: true, HTTP2: s.HTTP2,
		ReadTimeout: s.ReadTimeout, ReadHeaderTimeout: s.ReadHeaderTimeout, WriteTimeout: s.WriteTimeout,
		IdleTimeout: s.IdleTimeout, MaxHeaderBytes: s.MaxHeaderBytes, ErrorLog: s.standard().ErrorLog,
		ConnContext: func(_ context.Context, nc net.Conn) context.Context {
			c := nc.(*upgraded).of
			return context.WithValue(c.ctx, connKey{}, c)
		},
		Protocols: new(http.Protocols)}
	h.Protocols.SetUnencryptedHTTP2(true)
	if s.ConnState != nil {
		h.ConnState = func(nc net.Conn, state http.ConnState) {
			if state == http.StateActive || state == http.StateIdle {
				nc.(*upgraded).tell(state)
			}
		}
	}
	o.http2 = h
	if o.loop != nil {
		o.stop = (*loop.Loop)(o.loop).OnDrain(func() {
			(*loop.Loop)(o.loop).OffloadIn(lane.Handlers, h.Shutdown) // not in a slot of the program's
		})
	}
	s.keep2(h)
	return h
}

// connKey is of the connection in a request's context.
type connKey struct{}

// serve2 has a request answered by the program's handler.
func serve2(w http.ResponseWriter, r *http.Request) {
	c := r.Context().Value(connKey{}).(*conn)
	r.TLS = c.tls
	c.s.handlerOf(r).ServeHTTP(w, r)
}

// wait waits for the tasks, or until it is cancelled.
func (o *origin) wait() { o.tasks.WaitContext(context.Background()) }

// end is for when the listener is served no longer.
func (o *origin) end() {
	o.mu.Lock()
	stop, h := o.stop, o.http2
	o.mu.Unlock()
	if stop != nil && o.s.ending.Load() {
		stop()
	}
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	o.s.http2 = slices.DeleteFunc(o.s.http2, func(other *http.Server) bool { return other == h })
}

// keep2 has a server of HTTP/2 end with this one.
func (s *Server) keep2(h *http.Server) {
	s.mu.Lock()
	s.http2 = append(s.http2, h)
	ending, closed := s.ending.Load(), s.closed.Load()
	s.mu.Unlock()
	h.SetKeepAlivesEnabled(!s.single.Load())
	switch {
	case closed:
		h.Close()
	case ending:
		go h.Shutdown(context.Background())
	}
}

// each2 calls f for all of them.
func (s *Server) each2(f func(*http.Server)) {
	s.mu.Lock()
	all := slices.Clone(s.http2)
	s.mu.Unlock()
	for _, h := range all {
		f(h)
	}
}

// upgraded is a connection that speaks HTTP/2.
type upgraded struct {
	net.Conn
	of   *conn
	once sync.Once
	gone *ringo.Chan[struct{}]

	mu   sync.Mutex
	over bool // the last state is that of the end
}

// tell calls the server's ConnState for net/http, which may come to it when the connection has ended.
func (u *upgraded) tell(state http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.over {
		u.of.s.ConnState(u.of.net(), state)
	}
}

// untold waits for the one that is told, which is the last.
func (u *upgraded) untold() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.over = true
}

// Close closes it, and lets go who waits for that.
func (u *upgraded) Close() error {
	defer u.once.Do(u.gone.Close)
	return u.Conn.Close()
}

// single is a listener that has one connection.
type single struct {
	net.Conn
	taken bool
}

func (s *single) Accept() (net.Conn, error) {
	if s.taken {
		return nil, io.EOF
	}
	s.taken = true
	return s.Conn, nil
}

func (s *single) Close() error   { return nil }
func (s *single) Addr() net.Addr { return s.LocalAddr() }

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

// speakHTTP2 has the connection served by net/http from here on, and waits for its end.
func (c *conn) speakHTTP2() error {
	if c.own != nil {
		c.from.tasks.Add(1) // Serve waits for it still
		defer c.from.tasks.Done()
		if err := handle.Sockets.Leave(c.own); err != nil {
			return err
		}
		defer c.closed()
	} else {
		c.s.keep(c, false)
	}
	c.c.SetDeadline(time.Time{})
	u := &upgraded{Conn: c.c, of: c, gone: ringo.NewChan[struct{}](0)}
	one := &single{Conn: u}
	elsewhere(func() { c.from.server2().Serve(one) })
	if one.taken {
		u.gone.Recv() // or the task is cancelled
	}
	u.Close()
	if c.s.ConnState != nil {
		elsewhere(u.untold)
	}
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

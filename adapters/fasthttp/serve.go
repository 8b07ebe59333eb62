package ringofasthttp

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/valyala/fasthttp"

	"ringo"
	"ringo/sock"
	"ringo/sock/socktls"
)

// ListenAndServe serves HTTP on a TCP address, on all loops of a Run, until ctx ends and the program has drained. Like
// ringo.Run it returns nil after an orderly end. cfg may be nil. Serve says what is copied of s, and which fields it
// refuses. Any goroutine may call it; a task gets an error.
func ListenAndServe(ctx context.Context, cfg *ringo.Config, addr string, s *fasthttp.Server) error {
	return listenAndServe(ctx, cfg, addr, s, func(ln *sock.Listener) net.Listener { return ln })
}

// ListenAndServeTLS is ListenAndServe for HTTPS. The certificates are those of s.TLSConfig, to which Server.AppendCert
// adds; it returns an error if there are none. Any goroutine may call it; a task gets an error.
func ListenAndServeTLS(ctx context.Context, cfg *ringo.Config, addr string, s *fasthttp.Server) error {
	var config *tls.Config
	if s != nil {
		config = s.TLSConfig
	}
	if config == nil ||
		len(config.Certificates) == 0 && config.GetCertificate == nil && config.GetConfigForClient == nil {
		return errors.New("ringofasthttp: ListenAndServeTLS of a Server without a certificate in its TLSConfig")
	}
	return listenAndServe(ctx, cfg, addr, s, func(ln *sock.Listener) net.Listener {
		return socktls.NewListener(ln, config)
	})
}

func listenAndServe(ctx context.Context, cfg *ringo.Config, addr string, s *fasthttp.Server,
	over func(*sock.Listener) net.Listener) error {
	own, err := forTasks(s)
	if err != nil {
		return err
	}
	set, err := sock.Reserve("tcp", addr)
	if err != nil {
		return err
	}
	defer set.Close()
	return ringo.Run(ctx, cfg, func(l *ringo.Loop) error {
		ln, err := set.Listen(l)
		if err != nil {
			return err
		}
		return own.serve(l, over(ln))
	})
}

// Serve accepts connections and serves each in a task of the loop l. ln is a *sock.Listener of l, or a
// *socktls.Listener over one. Serve returns nil once ln is closed, by the drain or by the program, and the last
// connection has ended. If it can't accept any more it returns that error, while open connections are served on. If
// the program closes ln without a drain, each connection lasts until its peer closes it or Server.IdleTimeout ends it.
// Only a task of l may call Serve; it parks.
//
// Serve copies s, which other callers may serve at the same time. The methods of s, such as Shutdown, do not know of
// these connections. Serve returns an error if MaxConnsPerIP is set (use ConnsPerPeer of sock.Limits instead), or if
// NextProto has added protocols. A connection that a handler hijacks belongs to a goroutine from then on; Serve waits
// for its Close, or until Grace is over.
//
// The connections that handlers and hooks get have a method NetConn, which returns the connection that the listener
// accepted.
func Serve(l *ringo.Loop, ln net.Listener, s *fasthttp.Server) error {
	own, err := forTasks(s)
	if err != nil {
		return err
	}
	return own.serve(l, ln)
}

func (s *server) serve(l *ringo.Loop, ln net.Listener) error {
	now := &serving{server: s, l: l, conns: map[*conn]struct{}{}}
	defer now.drains()()
	var tasks ringo.WaitGroup
	for {
		c, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			tasks.Wait()
			_ = now.open.WaitContext(context.Background()) // an error is the end of Grace
			return nil
		}
		if err != nil {
			return err
		}
		of, ok := c.(idler)
		if !ok {
			return errors.Join(errors.New("ringofasthttp: Serve of a listener that is neither of sock nor of socktls"),
				c.Close())
		}
		nc := now.newConn(of)
		tasks.Go(func() { now.serveConn(nc) })
	}
}

// serveConn serves a connection until its end, or until it is hijacked.
func (s *serving) serveConn(nc served) {
	c := nc.base()
	whole := false
	room := s.serves.Add(1) <= int64(s.Concurrency)
	defer func() {
		if !whole { // a panic, which the Run may survive: this ServeConn closes and forgets the connection
			c.over = true
			s.ServeConn(nc) //ringo:offloaded it reads nothing
		}
		s.serves.Add(-1) // only now, so that there is always room for that
		delete(s.conns, c)
	}()
	s.ConnState(nc, fasthttp.StateNew)
	if !room {
		s.reject(nc)
		whole = true
		return
	}
	c.SetIdle(true)        // it has asked nothing
	err := s.ServeConn(nc) //ringo:offloaded it waits in nc only, but for what the package says of handlers
	whole = true
	if err != nil && (s.LogAllErrors || !isUsual(err)) {
		s.Logger.Printf("error when serving connection %q<->%q: %v", c.LocalAddr(), c.RemoteAddr(), err)
	}
}

// reject ends a connection that exceeds Concurrency, as fasthttp's Serve does. Over TLS it sends no answer, which
// would have to wait for the handshake.
func (s *serving) reject(nc served) {
	if _, ok := nc.(secure); !ok {
		var r fasthttp.Response
		r.SetStatusCode(fasthttp.StatusServiceUnavailable)
		r.SetConnectionClose()
		r.SetBodyString("The connection cannot be served because Server.Concurrency limit exceeded")
		_, _ = r.WriteTo(nc) // the peer may have left
	}
	_ = nc.Close()
	if now, last := s.l.Now().UnixNano(), s.full.Load(); (last == 0 || now-last > int64(time.Minute)) &&
		s.full.CompareAndSwap(last, now) {
		s.Logger.Printf("a connection is rejected, because %d are served: try increasing Server.Concurrency",
			s.Concurrency)
	}
	s.ConnState(nc, fasthttp.StateClosed)
}

package ringofasthttp

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"github.com/valyala/fasthttp"

	"ringo"
	"ringo/sock"
	"ringo/sock/socktls"
)

// ListenAndServe serves HTTP on a TCP address, on all loops of a Run, until ctx ends and the program has drained. It
// returns nil after an orderly end, as ringo.Run does. cfg may be nil. What s is and keeps is as with Serve. Any
// goroutine may call it; a task gets an error.
func ListenAndServe(ctx context.Context, cfg *ringo.Config, addr string, s *fasthttp.Server) error {
	return listenAndServe(ctx, cfg, addr, s, func(ln *sock.Listener) net.Listener { return ln })
}

// ListenAndServeTLS is ListenAndServe for HTTPS. The certificates are those of s.TLSConfig, which Server.AppendCert
// fills, too; without any it returns an error. Any goroutine may call it; a task gets an error.
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
// *socktls.Listener on one. It returns nil once ln is closed, by the drain or by the program, and the last connection
// has ended; or why it can't accept any more, while connections are served on. If the program closes ln without a
// drain, connections last as long as their peers, or Server.IdleTimeout, have them last. Only a task of l may call it;
// it parks.
//
// s is copied as it is, and may be served by others, too: its methods, Shutdown among them, know nothing of these
// connections. Two of its fields, set, are an error: MaxConnsPerIP, for which sock.Limits has ConnsPerPeer, and what
// NextProto has added. A connection that a handler hijacks is a goroutine's from then on, and Serve does not wait for
// it.
func Serve(l *ringo.Loop, ln net.Listener, s *fasthttp.Server) error {
	own, err := forTasks(s)
	if err != nil {
		return err
	}
	return own.serve(l, ln)
}

func (s *server) serve(l *ringo.Loop, ln net.Listener) error {
	now := &serving{server: s, l: l}
	defer now.drains()()
	var conns ringo.WaitGroup
	for {
		c, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			conns.Wait()
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
		conns.Go(func() { now.serveConn(of) })
	}
}

// serveConn serves a connection until its end, or until it is hijacked.
func (s *serving) serveConn(nc idler) {
	whole := false
	c := &conn{idler: nc, of: s}
	s.conns.Store(net.Conn(nc), c)
	defer func() {
		s.conns.Delete(net.Conn(nc))
		if !whole { // a panic, which the Run may outlive
			c.Close()
		}
	}()
	c.rests()
	err := s.ServeConn(nc) //ringo:offloaded it waits in nc only, but for what the package says of handlers
	whole = true
	if err != nil && (s.LogAllErrors || !ofPeer(err)) {
		s.Logger.Printf("error when serving connection %q<->%q: %v", c.LocalAddr(), c.RemoteAddr(), err)
	}
}

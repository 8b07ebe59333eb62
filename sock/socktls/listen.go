package socktls

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"ringo"
	"ringo/sock"
)

// A Listener accepts TLS connections; it is a net.Listener. Any goroutine may use it.
type Listener struct {
	net.Listener
	config *tls.Config
}

// NewListener returns a listener that accepts from inner, a *sock.Listener or another net.Listener, and passes each
// connection to Server. config is as for Server. Any goroutine may call it; it does not wait.
func NewListener(inner net.Listener, config *tls.Config) *Listener {
	return &Listener{Listener: inner, config: config}
}

// Listen is sock.Listen for TLS connections. config must have a certificate, or a way to get one. Only a task of l may
// call it.
func Listen(l *ringo.Loop, network, address string, config *tls.Config) (*Listener, error) {
	if err := check(config); err != nil {
		return nil, err
	}
	ln, err := sock.Listen(l, network, address)
	if err != nil {
		return nil, err
	}
	return NewListener(ln, config), nil
}

// check returns an error for what a server's configuration lacks, in crypto/tls's words.
func check(config *tls.Config) error {
	if config == nil || len(config.Certificates) == 0 &&
		config.GetCertificate == nil && config.GetConfigForClient == nil {
		return errors.New("tls: neither Certificates, GetCertificate, nor GetConfigForClient set in Config")
	}
	return nil
}

// Accept parks until there is a connection, and returns it as a *Conn. It does not wait for the handshake, which the
// first Read or Write does. Any goroutine may call it.
func (ln *Listener) Accept() (net.Conn, error) {
	c, err := ln.AcceptConn()
	if err != nil {
		return nil, err // a nil interface, not a nil *Conn
	}
	return c, nil
}

// AcceptConn is like Accept, but returns a *Conn.
func (ln *Listener) AcceptConn() (*Conn, error) {
	c, err := ln.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return Server(c, ln.config), nil
}

// ListenAndServe is sock.ListenAndServe for TLS connections: it calls serve for each in a task of its own, and closes
// it when serve returns. The first Read, Write or Handshake in serve does the handshake, in which the peer may be slow:
// set a deadline. Any goroutine may call it; a task gets an error.
func ListenAndServe(ctx context.Context, cfg *ringo.Config, network, address string, config *tls.Config,
	serve func(c *Conn)) error {
	if err := check(config); err != nil {
		return err
	}
	if serve == nil {
		return errors.New("socktls: ListenAndServe of a nil function")
	}
	return sock.ListenAndServe(ctx, cfg, network, address, secured(config, serve))
}

// ServeSets is sock.ServeSets for TLS connections: like ListenAndServe, but for several addresses, and for sockets of a
// sock.ListenConfig. Any goroutine may call it; a task gets an error.
func ServeSets(ctx context.Context, cfg *ringo.Config, sets []*sock.ListenerSet, config *tls.Config,
	serve func(c *Conn)) error {
	if err := check(config); err != nil {
		return err
	}
	if serve == nil {
		return errors.New("socktls: ServeSets of a nil function")
	}
	return sock.ServeSets(ctx, cfg, sets, secured(config, serve))
}

// secured returns the function that serves a connection below TLS by serve.
func secured(config *tls.Config, serve func(c *Conn)) func(raw *sock.Conn) {
	return func(raw *sock.Conn) {
		c := Server(raw, config)
		defer c.Close()
		serve(c)
	}
}

package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"ringo/cmd/ringo/internal/cli"
	"ringo/sock/socktls"
)

// secure is how upstreams are asked by TLS.
type secure struct {
	on       bool
	ca, name string
	roots    *x509.CertPool
}

func (s *secure) flags(fs *flag.FlagSet) {
	fs.BoolVar(&s.on, "to-tls", false, "ask the upstreams of -http, and check them, by TLS 1.2 or 1.3; their "+
		"certificates must be of a known authority, and of the host that -to names")
	fs.StringVar(&s.ca, "to-ca", "", "know the authorities in `FILE`, in PEM, in the place of the system's")
	fs.StringVar(&s.name, "to-name", "", "`name` that the certificates of all upstreams must be of, in the place of "+
		"that in -to")
}

// check finds the mistakes of these flags.
func (s *secure) check(fs *flag.FlagSet, m *cli.Mistakes, o *options) {
	m.WantBeside(fs, "to-tls", "-http", o.http)
	for _, name := range []string{"to-ca", "to-name"} {
		m.WantBeside(fs, name, "-to-tls", s.on)
	}
	for _, a := range o.to {
		m.Want(!s.on || s.name != "" || !strings.HasPrefix(a.Network, "unix"),
			"-to-tls: %v has no name that its certificate could be of: want -to-name", a)
	}
}

// load reads the authorities, which no loop may do.
func (s *secure) load() (err error) {
	if !s.on {
		return nil
	}
	if s.ca == "" {
		if s.roots, err = x509.SystemCertPool(); err != nil {
			return fmt.Errorf("-to-tls: the system's authorities: %w", err)
		}
		return nil
	}
	text, err := os.ReadFile(s.ca)
	if err != nil {
		return fmt.Errorf("-to-ca: %w", err)
	}
	s.roots = x509.NewCertPool()
	if !s.roots.AppendCertsFromPEM(text) {
		return fmt.Errorf("-to-ca: %s has no certificate in PEM", s.ca)
	}
	return nil
}

// config is that of an upstream; nil: it is asked in the clear.
func (s *secure) config(u *upstream) *tls.Config {
	if !s.on {
		return nil
	}
	name := s.name
	if name == "" {
		name, _, _ = net.SplitHostPort(u.Name)
	}
	return &tls.Config{RootCAs: s.roots, ServerName: name, NextProtos: []string{"http/1.1"},
		ClientSessionCache: tls.NewLRUClientSessionCache(0)}
}

// handshake begins TLS on a connection to an upstream, which it closes if that fails.
func handshake(ctx context.Context, c net.Conn, u *upstream, until time.Time) (net.Conn, error) {
	c.SetDeadline(until)
	t := socktls.Client(c, u.tls)
	if err := t.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("TLS with %v: %w", u, err)
	}
	return t, c.SetDeadline(time.Time{})
}

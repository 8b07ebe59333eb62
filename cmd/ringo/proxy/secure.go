package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ringo/cmd/ringo/internal/cli"
	"ringo/cmd/ringo/internal/server"
	"ringo/sock/socktls"
)

// secure is how upstreams are asked by TLS.
type secure struct {
	on        bool
	ca, name  string
	cert, key string // of the proxy; "": it has none
	now       atomic.Pointer[identities]
}

// identities are what was read last: who upstreams may be, and who the proxy is.
type identities struct {
	roots *x509.CertPool
	proxy *tls.Certificate // nil: nobody
}

func (s *secure) flags(fs *flag.FlagSet) {
	fs.BoolVar(&s.on, "to-tls", false, "speak TLS 1.2 or 1.3 with upstreams, and check them so; their "+
		"certificates must be of a known authority, and of the host that -to names")
	fs.StringVar(&s.ca, "to-ca", "", "know the authorities in `FILE`, in PEM, in the place of the system's")
	fs.StringVar(&s.name, "to-name", "", "`name` that the certificates of all upstreams must be of, in the place of "+
		"that in -to")
	fs.StringVar(&s.cert, "to-cert", "", "show upstreams that want one the certificate in `FILE`, in PEM, followed by "+
		"those that lead to one that they know")
	fs.StringVar(&s.key, "to-key", "", "`FILE` with the key of -to-cert, in PEM")
}

// check finds the mistakes of these flags.
func (s *secure) check(fs *flag.FlagSet, m *cli.Mistakes, o *options) {
	for _, name := range []string{"to-ca", "to-name", "to-cert", "to-key"} {
		m.WantBeside(fs, name, "-to-tls", s.on)
	}
	m.Want((s.cert == "") == (s.key == ""), "-to-cert and -to-key: want both, or none")
	for _, a := range o.to {
		m.Want(!s.on || s.name != "" || !strings.HasPrefix(a.Network, "unix"),
			"-to-tls: %v has no name that its certificate could be of: want -to-name", a)
		m.Want(!s.on || a.Network != "unixpacket", "-to-tls: not over unixpacket, which is no stream")
	}
}

// open reads the files, which no loop may do; nil: upstreams are asked in the clear.
func (s *secure) open() (*server.Reread, error) {
	if !s.on {
		return nil, nil
	}
	return server.OpenReread("TLS to upstreams", s.read)
}

// read reads all files. After an error all is as before.
func (s *secure) read() (err error) {
	who := new(identities)
	if s.ca != "" {
		who.roots, err = server.ReadAuthorities("to-ca", s.ca)
	} else if who.roots, err = x509.SystemCertPool(); err != nil {
		err = fmt.Errorf("-to-tls: the system's authorities: %w", err)
	}
	if err != nil {
		return err
	}
	if s.cert != "" {
		pair, err := tls.LoadX509KeyPair(s.cert, s.key)
		if err != nil {
			return fmt.Errorf("-to-cert and -to-key: %w", err)
		}
		who.proxy = &pair
	}
	s.now.Store(who)
	return nil
}

// upstreamTLS is TLS with one upstream. Any goroutine may use it, and a task, since nothing waits while mu is held.
type upstreamTLS struct {
	*secure
	server    string   // its name
	protocols []string // of ALPN

	mu   sync.Mutex
	who  *identities // that made was made of
	made *tls.Config
}

// of is TLS with an upstream, which speaks HTTP or anything; nil: there is none.
func (s *secure) of(u *upstream, http bool) *upstreamTLS {
	if !s.on {
		return nil
	}
	name := s.name
	if name == "" {
		name, _, _ = net.SplitHostPort(withoutZone(u.Name))
	}
	t := &upstreamTLS{secure: s, server: name}
	if http {
		t.protocols = []string{"http/1.1"}
	}
	return t
}

// config is for the next connection. Sessions are resumed as long as the files are the same.
func (t *upstreamTLS) config() *tls.Config {
	t.mu.Lock()
	defer t.mu.Unlock()
	if who := t.now.Load(); who != t.who {
		t.who = who
		t.made = &tls.Config{RootCAs: who.roots, ServerName: t.server, NextProtos: t.protocols,
			ClientSessionCache: tls.NewLRUClientSessionCache(0)}
		if who.proxy != nil { // also where the upstream has named other authorities: what it says to it tells more
			t.made.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				return who.proxy, nil
			}
		}
	}
	return t.made
}

// handshake begins TLS on a connection to an upstream, until a time.
func (t *upstreamTLS) handshake(ctx context.Context, c net.Conn, u *upstream, until time.Time) (*socktls.Conn, error) {
	c.SetDeadline(until)
	s := socktls.Client(c, t.config())
	if err := s.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS with %v: %w", u, err)
	}
	return s, c.SetDeadline(time.Time{})
}

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

// secure is the configuration of TLS with upstreams.
type secure struct {
	on        bool
	ca, name  string
	cert, key string // files of the proxy's certificate; "": it has none
	now       atomic.Pointer[identities]
}

// identities are the contents of the files when they were read last: which authorities sign upstreams' certificates,
// and the certificate of the proxy.
type identities struct {
	roots *x509.CertPool
	proxy *tls.Certificate // nil: it has none
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

// check adds to m the mistakes of these flags.
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

// open reads the files, which may block, so no loop may call it. It returns nil if upstreams are spoken to in the
// clear.
func (s *secure) open() (*server.Reread, error) {
	if !s.on {
		return nil, nil
	}
	return server.OpenReread("TLS to upstreams", s.read)
}

// read reads all files. After an error the identities stay as they were.
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

// upstreamTLS makes the TLS sessions with one upstream. Tasks and other goroutines may use it: nothing parks or blocks
// while mu is held.
type upstreamTLS struct {
	*secure
	server    string   // name that the upstream's certificate must have
	protocols []string // of ALPN

	mu   sync.Mutex
	who  *identities // the identities in made
	made *tls.Config
}

// of returns TLS for an upstream, with ALPN if it is for HTTP; nil if upstreams are spoken to in the clear.
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

// config returns the configuration for the next connection. It is the same until the files were read again, so sessions
// are resumed until then.
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

// handshake does the TLS handshake on a new connection to an upstream, before the deadline until.
func (t *upstreamTLS) handshake(ctx context.Context, c net.Conn, u *upstream, until time.Time) (*socktls.Conn, error) {
	c.SetDeadline(until)
	s := socktls.Client(c, t.config())
	if err := s.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS with %v: %w", u, err)
	}
	return s, c.SetDeadline(time.Time{})
}

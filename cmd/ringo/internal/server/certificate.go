package server

import (
	"crypto/tls"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
)

// A Certificate is what a server shows of itself to clients of TLS. At SIGHUP it is read again, for the connections
// that come from then on.
type Certificate struct {
	cert, key string
	now       atomic.Pointer[tls.Certificate]
	again     chan os.Signal
}

// OpenCertificate reads a certificate and its key; nil: the server has none.
func OpenCertificate(cert, key string) (*Certificate, error) {
	if cert == "" {
		return nil, nil
	}
	c := &Certificate{cert: cert, key: key, again: make(chan os.Signal, 1)}
	if err := c.read(); err != nil {
		return nil, err
	}
	signal.Notify(c.again, HangUp)
	return c, nil
}

// read reads both files. After an error all is as before.
func (c *Certificate) read() error {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("-cert and -key: %w", err)
	}
	c.now.Store(&pair)
	return nil
}

// Config has the certificate of each moment.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return c.now.Load(), nil
	}}
}

// Run reads again whenever it is to, until the server ends. A goroutine's.
func (c *Certificate) Run(s *Server) {
	defer signal.Stop(c.again)
	if s.up != nil { // the successor reads them
		return
	}
	for {
		select {
		case <-c.again:
		case <-s.Quit:
			return
		}
		if err := s.Reload(c.read); err != nil {
			fmt.Fprintf(s.Stderr, "the certificate is as before: %v\n", err)
		}
	}
}

// CertificateFlags adds -cert and -key.
func CertificateFlags(fs *flag.FlagSet, cert, key *string) {
	fs.StringVar(cert, "cert", "", "serve over TLS with the certificate in `FILE`, in PEM, followed by those that "+
		"lead to a known one")
	fs.StringVar(key, "key", "", "`FILE` with the certificate's key, in PEM")
}

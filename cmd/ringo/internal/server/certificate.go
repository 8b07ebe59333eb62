package server

import (
	"crypto/tls"
	"flag"
	"fmt"
	"sync/atomic"

	"ringo/cmd/ringo/internal/cli"
)

// CertificateFiles are the values of the flags for a server's TLS.
type CertificateFiles struct {
	Cert, Key string
	ClientCA  string // "": clients need no certificate
}

// Flags adds -cert, -key and -client-ca.
func (f *CertificateFiles) Flags(fs *flag.FlagSet) {
	fs.StringVar(&f.Cert, "cert", "", "serve over TLS with the certificate in `FILE`, in PEM, followed by those that "+
		"lead to a known one")
	fs.StringVar(&f.Key, "key", "", "`FILE` with the certificate's key, in PEM")
	fs.StringVar(&f.ClientCA, "client-ca", "", "want a certificate of each client, by one of the authorities in "+
		"`FILE`, in PEM; others can't connect; \"\": clients need none")
}

// Check adds to m the mistakes of these flags.
func (f *CertificateFiles) Check(fs *flag.FlagSet, m *cli.Mistakes) {
	m.Want((f.Cert == "") == (f.Key == ""), "-cert and -key: want both, or none")
	m.WantBeside(fs, "client-ca", "-cert", f.Cert != "")
}

// A Certificate has a server's certificate and the authorities that must have signed those of its clients. It reads the
// files again at SIGHUP, for later connections.
type Certificate struct {
	*Reread
	files CertificateFiles
	http  bool
	now   atomic.Pointer[tls.Config]
}

// Open reads the files; nil: the server has no TLS. http says that ALPN offers HTTP/2 and HTTP/1.1.
func (f CertificateFiles) Open(http bool) (*Certificate, error) {
	if f.Cert == "" {
		return nil, nil
	}
	c := &Certificate{files: f, http: http}
	var err error
	c.Reread, err = OpenReread("the certificate", c.read)
	return c, err
}

// read reads all files. After an error the configuration stays as it was.
func (c *Certificate) read() error {
	pair, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	if err != nil {
		return fmt.Errorf("-cert and -key: %w", err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	if c.http {
		config.NextProtos = []string{"h2", "http/1.1"}
	}
	if c.files.ClientCA != "" {
		if config.ClientCAs, err = ReadAuthorities("client-ca", c.files.ClientCA); err != nil {
			return err
		}
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	c.now.Store(config)
	return nil
}

// Config returns a configuration that uses, for each handshake, what was read last. Session tickets keep their keys
// when the files are read again.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.now.Load(), nil }}
}

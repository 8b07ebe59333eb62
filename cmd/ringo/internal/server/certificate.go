package server

import (
	"crypto/tls"
	"flag"
	"fmt"
	"sync/atomic"

	"ringo/cmd/ringo/internal/cli"
)

// CertificateFiles are the files of a server's TLS, by their flags.
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

// Check finds the mistakes of these flags.
func (f *CertificateFiles) Check(fs *flag.FlagSet, m *cli.Mistakes) {
	m.Want((f.Cert == "") == (f.Key == ""), "-cert and -key: want both, or none")
	m.WantBeside(fs, "client-ca", "-cert", f.Cert != "")
}

// A Certificate is what a server shows of itself to clients of TLS, and who has to have signed theirs. At SIGHUP it is
// read again, for the connections that come from then on.
type Certificate struct {
	*Reread
	files CertificateFiles
	http  bool
	now   atomic.Pointer[tls.Config]
}

// Open reads the files, for a server that speaks HTTP, or anything; nil: it has no TLS.
func (f CertificateFiles) Open(http bool) (*Certificate, error) {
	if f.Cert == "" {
		return nil, nil
	}
	c := &Certificate{files: f, http: http}
	var err error
	c.Reread, err = OpenReread("the certificate", c.read)
	return c, err
}

// read reads all files. After an error all is as before.
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

// Config has what was read last, at each moment. Its own keys of session tickets are those of all.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.now.Load(), nil }}
}

package server

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/signal"
)

// Reread calls a function that reads files: at first, and again at SIGHUP.
type Reread struct {
	what  string // its name, in the line that says that reading has failed
	read  func() error
	again chan os.Signal
}

// OpenReread calls read for the first time, and fails if that fails.
func OpenReread(what string, read func() error) (*Reread, error) {
	if err := read(); err != nil {
		return nil, err
	}
	r := &Reread{what: what, read: read, again: make(chan os.Signal, 1)}
	signal.Notify(r.again, HangUp)
	return r, nil
}

// Run calls read at each SIGHUP until the server ends. It runs on a goroutine. With -config SIGHUP starts a successor
// instead, which reads the files itself.
func (r *Reread) Run(s *Server) {
	defer signal.Stop(r.again)
	if s.up != nil { // SIGHUP starts a successor, which reads them
		return
	}
	for {
		select {
		case <-r.again:
		case <-s.Quit:
			return
		}
		if err := s.Reload(r.read); err != nil {
			fmt.Fprintf(s.Stderr, "%s is as before: %v\n", r.what, err)
		}
	}
}

// certificateBegins is the first line of a certificate in PEM.
const certificateBegins = "-----BEGIN CERTIFICATE-----"

// ReadAuthorities reads the certificates in the PEM file of a flag. It fails if one of them is damaged.
func ReadAuthorities(flag, file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("-%s: %w", flag, err)
	}
	pool, want, n := x509.NewCertPool(), bytes.Count(text, []byte(certificateBegins)), 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if n++; err != nil {
			return nil, fmt.Errorf("-%s: certificate %d of %s: %w", flag, n, file, err)
		}
		pool.AddCert(c)
	}
	switch {
	case want == 0:
		return nil, fmt.Errorf("-%s: %s has no certificate in PEM", flag, file)
	case n < want:
		return nil, fmt.Errorf("-%s: of %d certificates in %s only %d are whole", flag, want, file, n)
	}
	return pool, nil
}

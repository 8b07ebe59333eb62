package rig

import (
	"crypto/tls"
	"crypto/x509"
	"testing"

	"ringo/examples/programs/internal/selfsigned"
)

// Certificate makes a certificate for 127.0.0.1, and a pool in which it is trusted.
func Certificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	certificate, pool, err := selfsigned.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	return certificate, pool
}

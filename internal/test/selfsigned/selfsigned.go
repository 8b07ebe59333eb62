// Package selfsigned makes certificates for tests and tools that talk to themselves.
package selfsigned

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Loopback describes a certificate for 127.0.0.1 and localhost.
func Loopback() *x509.Certificate {
	return &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}}
}

// New makes the certificate that template describes, with a key of its own. by signs it; if by is nil, it signs itself,
// and may sign others. Defaults are 1 for the serial number, and the day around now for the times.
func New(template *x509.Certificate, by *tls.Certificate) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	it := *template
	if it.SerialNumber == nil {
		it.SerialNumber = big.NewInt(1)
	}
	if it.NotBefore.IsZero() {
		it.NotBefore = time.Now().Add(-24 * time.Hour)
	}
	if it.NotAfter.IsZero() {
		it.NotAfter = time.Now().Add(24 * time.Hour)
	}
	parent, signer := &it, any(key)
	if by != nil {
		parent, signer = by.Leaf, by.PrivateKey
	} else {
		it.IsCA, it.BasicConstraintsValid = true, true
		it.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign
		it.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	der, err := x509.CreateCertificate(rand.Reader, &it, parent, key.Public(), signer)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

// Must returns a self-signed certificate made by New, and a pool that trusts it. It panics on an error.
func Must(template *x509.Certificate) (tls.Certificate, *x509.CertPool) {
	c, err := New(template, nil)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(c.Leaf)
	return c, pool
}

// PEM returns a certificate and its key in the format of files.
func PEM(c tls.Certificate) (cert, key []byte, err error) {
	secret, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), err
}

// Write writes a certificate and its key to the files cert and key of a folder.
func Write(dir string, c tls.Certificate) error {
	cert, key, err := PEM(c)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(dir, "cert"), cert, 0o600),
		os.WriteFile(filepath.Join(dir, "key"), key, 0o600))
}

package sock_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// certificate makes one for 127.0.0.1, and who trusts it.
func certificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}

// TLS is computed on a goroutine where it is dear, in the handshake, and spoken in a
// task from then on; both ends are connections of a loop.
func TestTLS(t *testing.T) {
	cert, roots := certificate(t)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const size = 300_000
		s := serve(t, cfg, perConn(func(raw *sock.Conn) {
			c := tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{cert}})
			if err := raw.Loop().Compute(c.HandshakeContext); err != nil {
				t.Error("the server's handshake:", err)
				return
			}
			io.Copy(c, c)
			c.Close()
		}))
		onLoop(t, cfg, func(l *ringo.Loop) {
			raw, err := sock.Dial(l, "tcp", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			c := tls.Client(raw, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"})
			if err := l.Offload(func(ctx context.Context) error { return c.HandshakeContext(ctx) }); err != nil {
				t.Fatal("the client's handshake:", err)
			}
			sent := make([]byte, size)
			pattern(sent, 0)
			writing := l.Go(func() {
				if _, err := c.Write(sent); err != nil {
					t.Error(err)
				}
			})
			got := make([]byte, size)
			if _, err := io.ReadFull(c, got); err != nil || mismatch(got, 0) >= 0 {
				t.Errorf("wrong byte at %d, %v", mismatch(got, 0), err)
			}
			writing.Wait()
		})
		s.stop()
	})
}

//go:build linux

package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"ringo/internal/test/patience"
	"ringo/internal/test/selfsigned"
)

// writeCertificate makes a certificate with this serial number, and writes it and its key into the folder.
func writeCertificate(t *testing.T, dir string, serial int64) (pool *x509.CertPool) {
	t.Helper()
	c, pool := selfsigned.Must(&x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{"ringo.test"}})
	if err := selfsigned.Write(dir, c); err != nil {
		t.Fatal(err)
	}
	return pool
}

// TestServeTLS: files over TLS, by both versions of HTTP, which resume what they had on any loop; a new certificate at
// SIGHUP, for new connections; one that is wrong is told of, and the old one stays. The log has all of it.
func TestServeTLS(t *testing.T) {
	t.Parallel()
	dir, made := site(t, map[string]string{"f": "file"}), t.TempDir()
	trusted := writeCertificate(t, made, 1)
	log := filepath.Join(made, "log")
	p, addr := startServe(t, dir, "-cert", filepath.Join(made, "cert"), "-key", filepath.Join(made, "key"), "-log", log,
		"-loops", "2")
	asked := 0
	get := func(config *tls.Config, version int) *tls.ConnectionState {
		t.Helper()
		tr := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: version == 2}
		defer tr.CloseIdleConnections()
		resp, err := (&http.Client{Transport: tr}).Get("https://" + addr + "/f")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		asked++
		if body, err := io.ReadAll(resp.Body); string(body) != "file" || err != nil || resp.ProtoMajor != version {
			t.Errorf("%s: %q, %v, want HTTP/%d", resp.Proto, body, err, version)
		}
		return resp.TLS
	}
	client := func(pool *x509.CertPool) *tls.Config {
		return &tls.Config{RootCAs: pool, ServerName: "ringo.test", ClientSessionCache: tls.NewLRUClientSessionCache(0)}
	}
	for version := 1; version <= 2; version++ {
		config := client(trusted)
		get(config, version)
		for i := range 20 { // on either loop
			if s := get(config, version); !s.DidResume {
				t.Errorf("connection %d by HTTP/%d does not resume the session", i, version)
			}
		}
	}

	trusted = writeCertificate(t, made, 2)
	p.signal(syscall.SIGHUP)
	patience.Until(t, "the new certificate is shown", func() bool {
		c, err := tls.Dial("tcp", addr, client(trusted))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	if s := get(client(trusted), 2); s.PeerCertificates[0].SerialNumber.Int64() != 2 {
		t.Errorf("the certificate is number %v", s.PeerCertificates[0].SerialNumber)
	}
	if err := os.WriteFile(filepath.Join(made, "key"), []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGHUP)
	p.line("the certificate is as before: -cert and -key: ")
	get(client(trusted), 1)
	p.finish()
	lines, err := os.ReadFile(log)
	if n := bytes.Count(lines, []byte("GET /f")); n != asked || err != nil {
		t.Errorf("%d lines for %d requests, %v:\n%s", n, asked, err, lines)
	}
}

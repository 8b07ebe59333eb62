//go:build linux

package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringo/internal/test/patience"
	"ringo/internal/test/selfsigned"
)

// newAuthority makes one that signs certificates of clients, and writes its certificate, and its key, into the folder:
// it is a server's, too.
func newAuthority(t *testing.T, dir string) *tls.Certificate {
	t.Helper()
	writeCertificate(t, dir, 1)
	c, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert"), filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

// signed makes a client's certificate, good for so long, and writes it and its key into the folder, as cert and key.
func signed(t *testing.T, by *tls.Certificate, dir string, good time.Duration) *tls.Certificate {
	t.Helper()
	c, err := selfsigned.New(&x509.Certificate{SerialNumber: big.NewInt(7), NotAfter: time.Now().Add(good)}, by)
	if err == nil {
		err = selfsigned.Write(dir, c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

// copyFile has a file be as another is, at once.
func copyFile(t *testing.T, to, from string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	put(t, to, string(text))
}

// asClient asks by TLS as who has a certificate, nil: none, and gives the body.
func asClient(c *tls.Config, who *tls.Certificate, url string, h http.Header) (string, error) {
	c.InsecureSkipVerify = true // who the server is is not the question
	if who != nil {             // whatever the server says that it knows
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return who, nil }
	}
	tr := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: c.NextProtos != nil}
	defer tr.CloseIdleConnections()
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return "", err
	}
	r.Header = h
	a, err := (&http.Client{Transport: tr}).Do(r)
	if err != nil {
		return "", err
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if a.StatusCode != 200 {
		return "", fmt.Errorf("%s", a.Status)
	}
	return string(body), err
}

// TestClientCA: clients without a certificate of the authority don't get in, whatever they speak. At SIGHUP another
// authority is known, and sessions of the one before are nothing any more; a file that is wrong changes nothing.
func TestClientCA(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		one, two, clients := t.TempDir(), t.TempDir(), t.TempDir()
		ofOne, ofTwo := newAuthority(t, one), newAuthority(t, two)
		good, other := signed(t, ofOne, clients, time.Hour), signed(t, ofTwo, t.TempDir(), time.Hour)
		old := signed(t, ofOne, t.TempDir(), -time.Hour)
		ca := filepath.Join(t.TempDir(), "ca")
		copyFile(t, ca, filepath.Join(one, "cert"))
		p, addr := startServe(t, site(t, map[string]string{"f": "file"}), "-driver", driver, "-loops", "2",
			"-client-ca", ca, "-cert", filepath.Join(one, "cert"), "-key", filepath.Join(one, "key"))
		url := "https://" + addr + "/f"
		try := func(name string, c *tls.Config, who *tls.Certificate, want string) {
			t.Helper()
			body, err := asClient(c, who, url, nil)
			if err == nil && (want != "" || body != "file") ||
				err != nil && (want == "" || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s: %q, %v, want the error %q", name, body, err, want)
			}
		}
		try("good", &tls.Config{}, good, "")
		try("good, HTTP/2", &tls.Config{NextProtos: []string{"h2"}}, good, "")
		try("good, TLS 1.2", &tls.Config{MaxVersion: tls.VersionTLS12}, good, "")
		try("none", &tls.Config{}, nil, "certificate required")
		try("none, TLS 1.2", &tls.Config{MaxVersion: tls.VersionTLS12}, nil, "handshake failure")
		try("another authority's", &tls.Config{}, other, "unknown certificate authority")
		try("old", &tls.Config{}, old, "expired certificate")
		withCurl(t, url, clients)

		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			copyFile(t, ca, filepath.Join(one, "cert"))
			p.signal(syscall.SIGHUP)
			session := &tls.Config{MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(0)}
			patience.Until(t, "the first authority is known", func() bool {
				_, err := asClient(session, good, url, nil)
				return err == nil
			})
			try("with a session", session, good, "")
			copyFile(t, ca, filepath.Join(two, "cert"))
			p.signal(syscall.SIGHUP)
			patience.Until(t, "the other authority is known", func() bool {
				_, err := asClient(&tls.Config{}, other, url, nil)
				return err == nil
			})
			try("with a session of the other authority", session, good, "tls: ")
			try("of the other authority", &tls.Config{}, good, "unknown certificate authority")
		}
		put(t, ca, "none")
		p.signal(syscall.SIGHUP)
		p.line("the certificate is as before: -client-ca: " + ca + " has no certificate in PEM")
		try("after a mistake", &tls.Config{}, other, "")
		p.finish()
	})
}

// withCurl asks with the certificate in the folder, and without.
func withCurl(t *testing.T, url, dir string) {
	t.Helper()
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Logf("no curl here: %v", err)
		return
	}
	args := []string{"-sSk", url}
	if out, err := exec.CommandContext(t.Context(), curl, args...).CombinedOutput(); err == nil {
		t.Errorf("curl without a certificate gets %q", out)
	}
	args = append(args, "--cert", filepath.Join(dir, "cert"), "--key", filepath.Join(dir, "key"))
	out, err := exec.CommandContext(t.Context(), curl, args...).CombinedOutput()
	if err != nil || string(out) != "file" {
		t.Errorf("curl with a certificate: %v, %q", err, out)
	}
}

// TestProxyClientCert: upstreams get the certificate that a client has shown, and not what clients say of theirs.
func TestProxyClientCert(t *testing.T) {
	dir := t.TempDir()
	who := signed(t, newAuthority(t, dir), t.TempDir(), time.Hour)
	shown := "Client-Cert: :" + base64.StdEncoding.EncodeToString(who.Certificate[0]) + ":\n"
	eachDriver(t, func(t *testing.T, driver string) {
		cert := []string{"-cert", filepath.Join(dir, "cert"), "-key", filepath.Join(dir, "key")}
		ca := append(slices.Clone(cert), "-client-ca", filepath.Join(dir, "cert"))
		for _, c := range []struct {
			name    string
			args    []string
			says    string // that clients do
			want    string // of that; "": nothing
			isShown bool
		}{
			{"nothing is asked for", cert, "Client-Cert", "", false},
			{"a chain", cert, "Client-Cert-Chain", "", false},
			{"another name", cert, "client_cert", "", false},
			{"asked for", ca, "Client-Cert", "", true},
			{"asked for, and a chain", ca, "Client_Cert_chain", "", true},
			{"trusted", append(slices.Clone(ca), "-trust"), "Client-Cert", "Client-Cert: :x:", false},
			{"not wanted", append(slices.Clone(ca), "-del-header", "Client-Cert"), "Client-Cert", "", false},
		} {
			p, addr, _ := startWeb(t, tellRequest, append([]string{"-driver", driver, "-loops", "1"}, c.args...)...)
			body, err := asClient(&tls.Config{}, who, "https://"+addr+"/", http.Header{c.says: {":x:"}})
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			if strings.Contains(body, shown) != c.isShown || strings.Contains(body, ":x:") != (c.want != "") ||
				!strings.Contains(body, c.want) {
				t.Errorf("%s: the upstream has got\n%s", c.name, body)
			}
			p.finish()
		}
	})
}

// TestProxyToCert: an upstream that wants to know who asks is shown the proxy's certificate, also another one at
// SIGHUP. Without one it refuses, and the line says so.
func TestProxyToCert(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		one, two, mine := t.TempDir(), t.TempDir(), t.TempDir()
		ofOne, ofTwo := newAuthority(t, one), newAuthority(t, two)
		signed(t, ofOne, mine, time.Hour)
		var known atomic.Pointer[tls.Certificate]
		known.Store(ofOne)
		back := httptest.NewUnstartedServer(http.HandlerFunc(tellRequest))
		back.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that it refuses
		back.Config.SetKeepAlivesEnabled(false)
		back.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			pool := x509.NewCertPool()
			pool.AddCert(known.Load().Leaf)
			return &tls.Config{Certificates: []tls.Certificate{*ofOne}, ClientCAs: pool,
				ClientAuth: tls.RequireAndVerifyClientCert}, nil
		}}
		back.StartTLS()
		t.Cleanup(back.Close)
		args := []string{"-http", "-driver", driver, "-loops", "1", "-to-tls", "-to-name", "ringo.test", "-to-ca",
			filepath.Join(one, "cert")}
		p, addr := startProxyTo(t, back.Listener.Addr().String(), args...)
		if a, _ := get(t, addr, "/"); a.StatusCode != http.StatusBadGateway {
			t.Errorf("without a certificate: %s, want 502", a.Status)
		}
		if line := p.line("request of "); !strings.Contains(line, "certificate required") {
			t.Errorf("the line is %q", line)
		}
		p.finish()

		p, addr = startProxyTo(t, back.Listener.Addr().String(), append(args, "-to-cert", filepath.Join(mine, "cert"),
			"-to-key", filepath.Join(mine, "key"), "-check", "10ms", "-check-http", "/", "-stats", "20ms")...)
		for range 3 {
			if a, _ := get(t, addr, "/"); a.StatusCode != http.StatusOK {
				t.Errorf("with a certificate: %s, want 200", a.Status)
			}
		}
		p.word("out=0")
		known.Store(ofTwo)
		p.line("upstream tcp://" + back.Listener.Addr().String() + " is out: ")
		if log := p.log.text(); !strings.Contains(log, "unknown certificate authority") {
			t.Errorf("stderr:\n%s", log)
		}
		put(t, filepath.Join(mine, "key"), "none")
		p.signal(syscall.SIGHUP)
		p.line("TLS to upstreams is as before: -to-cert and -to-key: ")
		signed(t, ofTwo, mine, time.Hour)
		p.signal(syscall.SIGHUP)
		p.line("upstream tcp://" + back.Listener.Addr().String() + " is in again")
		if a, _ := get(t, addr, "/"); a.StatusCode != http.StatusOK {
			t.Errorf("with another certificate: %s, want 200", a.Status)
		}
		p.finish()
	})
}

// TestCertificateMistakes: -t finds files that are wrong, and says which.
func TestCertificateMistakes(t *testing.T) {
	t.Parallel()
	dir := site(t, map[string]string{"none": "", "cut": "-----BEGIN CERTIFICATE-----\nMIIB"})
	writeCertificate(t, dir, 1)
	other := t.TempDir()
	writeCertificate(t, other, 2)
	const server, proxy = "-cert DIR/cert -key DIR/key", "proxy -to h:1 -http -t -to-tls"
	for _, c := range []struct {
		line, want string
		code       int
	}{
		{"serve -t " + server + " -client-ca DIR/cert DIR", "no mistakes were found\n", 0},
		{"serve -t " + server + " -client-ca DIR/away DIR", "-client-ca: open DIR/away: no such file", 1},
		{"serve -t " + server + " -client-ca DIR/none DIR", "-client-ca: DIR/none has no certificate in PEM", 1},
		{"serve -t " + server + " -client-ca DIR/key DIR", "-client-ca: DIR/key has no certificate in PEM", 1},
		{"serve -t " + server + " -client-ca DIR/cut DIR", "-client-ca: of 1 certificates in DIR/cut only 0 are", 1},
		{"serve -t -client-ca DIR/cert DIR", "-client-ca: want -cert, too", 2},
		{"proxy -to h:1 -http -t " + server + " -client-ca DIR/none", "-client-ca: DIR/none has no certificate", 1},
		{proxy + " -to-ca DIR/cert -to-cert DIR/cert -to-key DIR/key", "no mistakes were found\n", 0},
		{proxy + " -to-ca DIR/cut", "-to-ca: of 1 certificates in DIR/cut only 0 are whole", 1},
		{proxy + " -to-cert DIR/cert", "-to-cert and -to-key: want both, or none", 2},
		{proxy + " -to-cert DIR/none -to-key DIR/key", "-to-cert and -to-key: tls: failed to find any PEM data", 1},
		{proxy + " -to-cert DIR/cert -to-key " + other + "/key",
			"-to-cert and -to-key: tls: private key does not match public key", 1},
		{"proxy -to h:1 -http -t -to-cert DIR/cert -to-key DIR/key", "-to-cert: want -to-tls, too", 2},
	} {
		code, stderr := start(t, tool(t, words(c.line, dir)...)).wait()
		if want := strings.ReplaceAll(c.want, "DIR", dir); code != c.code || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %s; want %d, %s", c.line, code, stderr, c.code, want)
		}
	}
}

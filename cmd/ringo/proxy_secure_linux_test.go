//go:build linux

package main

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ringo/internal/test/socktest"
)

// secureBack is an upstream that speaks TLS, with the certificate in dir.
func secureBack(t *testing.T, dir string) *httptest.Server {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert"), filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	back := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || r.TLS.ServerName != "ringo.test" {
			t.Errorf("the upstream is asked by %+v", r.TLS)
		}
		if r.Header.Get("Upgrade") == "" {
			tellRequest(w, r)
			return
		}
		c, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
		io.CopyN(c, buffered, 4)
	}))
	back.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that refuse it
	back.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	back.StartTLS()
	t.Cleanup(func() { back.CloseClientConnections(); back.Close() })
	return back
}

// TestProxyToTLS: requests reach an upstream by TLS, bodies whole, and upgrades, and so do checks.
func TestProxyToTLS(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir, 1)
	eachDriver(t, func(t *testing.T, driver string) {
		back := secureBack(t, dir)
		p, addr := startProxyTo(t, back.Listener.Addr().String(), "-http", "-driver", driver, "-to-tls", "-to-ca",
			filepath.Join(dir, "cert"), "-to-name", "ringo.test", "-check", "10ms", "-check-http", "/",
			"-stats", "20ms")
		body := string(noise(1 << 20))
		for range 3 {
			a, err := http.Post("http://"+addr+"/", "", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(a.Body)
			a.Body.Close()
			if err != nil || a.StatusCode != 200 || !strings.HasSuffix(string(got), body) {
				t.Errorf("%s, %d bytes, %v", a.Status, len(got), err)
			}
		}
		c := dial(t, addr)
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nping")
		if got, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(got), "\r\n\r\nping") {
			t.Errorf("%q comes of an upgrade, %v", got, err)
		}
		c.Close()
		p.word("out=0")
		if log := p.finish(); strings.Contains(log, "upstream") {
			t.Errorf("stderr:\n%s", log)
		}
	})
}

// TestProxyToTLSRefused: an upstream that is not who it should be gets no request, and the cause is named.
func TestProxyToTLSRefused(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	writeCertificate(t, dir, 1)
	writeCertificate(t, other, 2)
	clear, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	backend(t, clear, func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n") })
	eachDriver(t, func(t *testing.T, driver string) {
		back := secureBack(t, dir).Listener.Addr().String()
		for _, c := range []struct {
			name, to string
			args     []string
			cause    string
		}{
			{"another name", back, []string{"-to-ca", filepath.Join(dir, "cert"), "-to-name", "other.test"},
				"x509: certificate is valid for ringo.test, not other.test"},
			{"its address", back, []string{"-to-ca", filepath.Join(dir, "cert")},
				"x509: cannot validate certificate for 127.0.0.1"},
			{"another authority", back, []string{"-to-ca", filepath.Join(other, "cert"), "-to-name", "ringo.test"},
				"x509: certificate signed by unknown authority"},
			{"the system's authorities", back, []string{"-to-name", "ringo.test"}, "x509: "},
			{"no TLS", clear.Addr().String(), []string{"-to-name", "ringo.test"},
				"first record does not look like a TLS handshake"},
		} {
			t.Run(c.name, func(t *testing.T) {
				p, addr := startProxyTo(t, c.to, slices.Concat([]string{"-http", "-driver", driver, "-to-tls", "-check",
					"10ms", "-fall", "1"}, c.args)...)
				line := p.line("upstream tcp://" + c.to + " is out: 1 checks in a row have failed, the last: ")
				if !strings.Contains(line, ": TLS with tcp://"+c.to+": ") || !strings.Contains(line, c.cause) {
					t.Errorf("the line is %q, want %q", line, c.cause)
				}
				if a, _ := get(t, addr, "/"); a.StatusCode != http.StatusBadGateway {
					t.Errorf("the answer is %s, want 502", a.Status)
				}
				if line := p.line("request of "); !strings.Contains(line, c.cause) {
					t.Errorf("the line is %q, want %q", line, c.cause)
				}
				p.finish()
			})
		}
	})
}

// TestProxyToTLSLate: a handshake that does not come has -dial.
func TestProxyToTLSLate(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1000)
		backend(t, ln, func(c net.Conn) {
			_, err := io.Copy(io.Discard, c)
			ended <- err
		})
		p, addr := startProxyTo(t, ln.Addr().String(), "-http", "-driver", driver, "-to-tls", "-dial", "50ms",
			"-fall", "1000000")
		socktest.Eventually(t, "a connection that is there in time", func() bool {
			if a, _ := get(t, addr, "/"); a.StatusCode != http.StatusGatewayTimeout {
				t.Errorf("the answer is %s, want 504", a.Status)
			}
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("the upstream is told %v", err)
				}
				return true
			default:
				return t.Failed()
			}
		})
		p.finish()
	})
}

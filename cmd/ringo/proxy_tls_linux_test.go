//go:build linux

package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ringo/internal/test/patience"
)

// streams are what the tests of TLS without -http are about: clients and an upstream that speak it.
type streams struct {
	dir  string // where cert and key are
	pool *x509.CertPool
	pair tls.Certificate
}

func newStreams(t *testing.T) *streams {
	t.Helper()
	s := &streams{dir: t.TempDir()}
	s.pool = writeCertificate(t, s.dir, 1)
	var err error
	if s.pair, err = tls.LoadX509KeyPair(filepath.Join(s.dir, "cert"), filepath.Join(s.dir, "key")); err != nil {
		t.Fatal(err)
	}
	return s
}

// from and to are the flags for TLS with clients, and with the upstream.
func (s *streams) from() []string {
	return []string{"-cert", filepath.Join(s.dir, "cert"), "-key", filepath.Join(s.dir, "key")}
}

func (s *streams) to() []string {
	return []string{"-to-tls", "-to-ca", filepath.Join(s.dir, "cert"), "-to-name", "ringo.test"}
}

// dial begins TLS with the proxy.
func (s *streams) dial(t *testing.T, addr string, protocols ...string) *tls.Conn {
	t.Helper()
	return tls.Client(dial(t, addr), &tls.Config{RootCAs: s.pool, ServerName: "ringo.test", NextProtos: protocols})
}

// serve has an upstream handle connections by TLS, and gives its address.
func (s *streams) serve(t *testing.T, serve func(raw *net.TCPConn, c *tls.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	backend(t, ln, func(c net.Conn) {
		serve(c.(*net.TCPConn), tls.Server(c, &tls.Config{Certificates: []tls.Certificate{s.pair}}))
	})
	return "tcp://" + ln.Addr().String()
}

// halfConn is a connection that ends one direction.
type halfConn interface {
	net.Conn
	CloseWrite() error
}

// TestProxyTLS: with TLS on either side, or on both, bytes go both ways, whatever their number, and so does the end.
func TestProxyTLS(t *testing.T) {
	s := newStreams(t)
	echo := func(c halfConn) {
		io.Copy(c, struct{ io.Reader }{c})
		c.CloseWrite()
	}
	eachDriver(t, func(t *testing.T, driver string) {
		for _, c := range []struct {
			name     string
			from, to bool
			args     []string
		}{
			{"clients", true, false, s.from()},
			{"upstream", false, true, s.to()},
			{"both", true, true, append(s.from(), s.to()...)},
			{"both, ahead and idle", true, true, append(append(s.from(), s.to()...), "-ahead", "2", "-idle", "1m")},
		} {
			t.Run(c.name, func(t *testing.T) {
				to := s.serve(t, func(raw *net.TCPConn, secret *tls.Conn) {
					if c.to {
						echo(secret)
					} else {
						echo(raw)
					}
				})
				p, addr := startProxyTo(t, to, append([]string{"-driver", driver}, c.args...)...)
				var clients sync.WaitGroup
				for _, size := range []int{0, 1, 64, 16384, 1_000_000, 5_000_000} {
					for range 2 {
						var half halfConn
						if c.from {
							half = s.dial(t, addr, "mqtt") // of which the proxy knows nothing
						} else {
							half = dial(t, addr)
						}
						clients.Go(func() {
							sent := noise(size)
							go func() {
								half.Write(sent)
								half.CloseWrite()
							}()
							got, err := io.ReadAll(half)
							if err != nil || !bytes.Equal(got, sent) {
								t.Errorf("%d bytes of %d came back, %v", len(got), size, err)
							}
							half.Close()
						})
					}
				}
				clients.Wait()
				if log := p.finish(); strings.Contains(log, "is reset") {
					t.Errorf("stderr:\n%s", log)
				}
			})
		}
	})
}

// TestProxyTLSHalfClose: what one side of TLS ends, the other may answer later.
func TestProxyTLSHalfClose(t *testing.T) {
	s := newStreams(t)
	eachDriver(t, func(t *testing.T, driver string) {
		got := make(chan string, 1)
		to := s.serve(t, func(_ *net.TCPConn, c *tls.Conn) {
			c.Write([]byte("all that I say"))
			c.CloseWrite()
			text, err := io.ReadAll(c)
			got <- fmt.Sprint(string(text), err)
		})
		p, addr := startProxyTo(t, to, append(append(s.from(), s.to()...), "-driver", driver)...)
		c := s.dial(t, addr)
		if text, err := io.ReadAll(c); string(text) != "all that I say" || err != nil {
			t.Errorf("%q came, %v", text, err)
		}
		c.Write([]byte("late"))
		c.CloseWrite()
		if text := patience.Recv(t, "the answer", got); text != "late<nil>" {
			t.Errorf("the other side got %q", text)
		}
		p.finish()
	})
}

// TestProxyTLSCut: a reset of one side is the other's, and a stream that breaks off within a record is reset too, so
// that nobody takes it for whole.
func TestProxyTLSCut(t *testing.T) {
	s := newStreams(t)
	// What the client sends through and within TLS before it ends.
	cuts := map[string]func(raw *net.TCPConn){
		"reset": func(raw *net.TCPConn) { raw.SetLinger(0) },
		"torn": func(raw *net.TCPConn) {
			raw.Write([]byte{23, 3, 3, 0, 100, 1, 2, 3}) // a record of 100 bytes, of which three are there
		},
		"forged": func(raw *net.TCPConn) {
			raw.Write(append([]byte{23, 3, 3, 0, 100}, make([]byte, 100)...))
		},
	}
	eachDriver(t, func(t *testing.T, driver string) {
		failed := make(chan error, 1)
		read := func(c net.Conn) {
			c.Write([]byte("x"))
			_, err := io.Copy(io.Discard, c)
			failed <- err
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		backend(t, ln, read)
		p, addr := startProxyTo(t, "tcp://"+ln.Addr().String(), append(s.from(), "-driver", driver)...)
		for name, cut := range cuts {
			raw := dial(t, addr)
			c := tls.Client(raw, &tls.Config{RootCAs: s.pool, ServerName: "ringo.test"})
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			c.Write([]byte("some"))
			cut(raw)
			raw.Close()
			if err := patience.Recv(t, "the other side's end", failed); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%s: the other side was told %v, want a reset", name, err)
			}
		}
		p.finish()

		to := s.serve(t, func(raw *net.TCPConn, c *tls.Conn) {
			io.ReadFull(c, make([]byte, 1))
			raw.Write([]byte{23, 3, 3, 0, 100, 1, 2, 3})
		})
		p, addr = startProxyTo(t, to, append(s.to(), "-driver", driver)...)
		c := dial(t, addr)
		c.Write([]byte("x"))
		if _, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a client of an upstream that breaks off is told %v, want a reset", err)
		}
		p.finish()
	})
}

// TestProxyTLSRefused: who does not speak TLS, or nothing, or has no certificate, gets no upstream.
func TestProxyTLSRefused(t *testing.T) {
	s := newStreams(t)
	eachDriver(t, func(t *testing.T, driver string) {
		to := s.serve(t, func(*net.TCPConn, *tls.Conn) { t.Error("an upstream is asked") })
		p, addr := startProxyTo(t, to, append(s.from(), "-driver", driver, "-client-ca",
			filepath.Join(s.dir, "cert"))...)
		ends := func(texts ...string) {
			t.Helper()
			log := p.finish()
			for _, text := range texts {
				if !strings.Contains(log, text+"\n") {
					t.Errorf("stderr has no %q:\n%s", text, log)
				}
			}
		}
		c := dial(t, addr)
		io.WriteString(c, "GET / HTTP/1.1\r\n\r\n")
		io.Copy(io.Discard, c)
		if _, err := s.dial(t, addr).Read(make([]byte, 1)); err == nil ||
			!strings.Contains(err.Error(), "certificate required") {
			t.Errorf("without a certificate: %v", err)
		}
		ends(" is reset: TLS: tls: first record does not look like a TLS handshake",
			" is reset: TLS: tls: client didn't provide a certificate")

		p, addr = startProxyTo(t, to, append(s.from(), "-driver", driver, "-header", "50ms")...)
		silent, _ := dialInTime(t, addr)
		io.Copy(io.Discard, silent)
		ends(": i/o timeout")
	})
}

// TestProxyTLSNames: an upstream is chosen by the name in TLS that ends at the proxy.
func TestProxyTLSNames(t *testing.T) {
	s := newStreams(t)
	eachDriver(t, func(t *testing.T, driver string) {
		says := func(text string) string {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			backend(t, ln, func(c net.Conn) { io.WriteString(c, text) })
			return ln.Addr().String()
		}
		p, addr := startProxyTo(t, says("one")+"?sni=one.test", append(s.from(), "-driver", driver, "-to",
			says("two")+"?sni=two.test")...)
		for _, name := range []string{"one", "two"} {
			c := tls.Client(dial(t, addr), &tls.Config{InsecureSkipVerify: true, ServerName: name + ".test"})
			if got, err := io.ReadAll(c); string(got) != name || err != nil {
				t.Errorf("%s: %q, %v", name, got, err)
			}
			c.Close()
		}
		p.finish()
	})
}

// TestProxyTLSHeader: the header of the PROXY protocol comes before TLS, from peers and to the upstream, also that of
// checks.
func TestProxyTLSHeader(t *testing.T) {
	s := newStreams(t)
	eachDriver(t, func(t *testing.T, driver string) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		lines := make(chan string, 100)
		backend(t, ln, func(c net.Conn) {
			var line []byte
			for b := make([]byte, 1); !bytes.HasSuffix(line, []byte("\n")); line = append(line, b...) {
				if _, err := c.Read(b); err != nil {
					return
				}
			}
			if string(line) != "PROXY UNKNOWN\r\n" { // of no check
				lines <- string(line)
			}
			secret := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{s.pair}})
			io.Copy(secret, struct{ io.Reader }{secret})
			secret.CloseWrite()
		})
		p, addr := startProxyTo(t, "tcp://"+ln.Addr().String(), append(append(s.from(), s.to()...), "-driver", driver,
			"-accept-proxy", "-send-proxy", "v1", "-check", "10ms", "-fall", "1")...)
		const header = "PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n"
		raw := dial(t, addr)
		io.WriteString(raw, header)
		c := tls.Client(raw, &tls.Config{RootCAs: s.pool, ServerName: "ringo.test"})
		io.WriteString(c, "hello\n")
		if got, err := bufio.NewReader(c).ReadString('\n'); got != "hello\n" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if line := patience.Recv(t, "the header", lines); line != header {
			t.Errorf("the upstream got %q", line)
		}
		c.Close()
		if log := p.finish(); strings.Contains(log, "is out") {
			t.Errorf("stderr:\n%s", log)
		}
	})
}

// TestProxyTLSIdle: a connection of TLS that moves nothing ends by -idle.
func TestProxyTLSIdle(t *testing.T) {
	s := newStreams(t)
	eachDriver(t, func(t *testing.T, driver string) {
		to := s.serve(t, func(_ *net.TCPConn, c *tls.Conn) { io.Copy(io.Discard, c) })
		p, addr := startProxyTo(t, to, append(append(s.from(), s.to()...), "-driver", driver, "-idle", "50ms")...)
		begun := time.Now()
		c := s.dial(t, addr)
		c.Write([]byte("x"))
		_, err := c.Read(make([]byte, 1))
		if took := time.Since(begun); !errors.Is(err, syscall.ECONNRESET) || took < 50*time.Millisecond {
			t.Errorf("%v after %v", err, took)
		}
		if line := p.line("connection of "); !strings.Contains(line, "nothing has moved for 50ms") {
			t.Errorf("the line is %q", line)
		}
		p.finish()
	})
}

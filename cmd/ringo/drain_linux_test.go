//go:build linux

package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"ringo/internal/test/patience"
)

// holdConn opens a connection that has been served once and is idle now.
func holdConn(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c := dial(t, addr)
	pingPong(t, c)
	return c
}

func pingPong(t *testing.T, c net.Conn) {
	t.Helper()
	got := make([]byte, 4)
	if _, err := c.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "ping" {
		t.Fatalf("%q came back: %v", got, err)
	}
}

// wantEnd wants the connection to be ended by the server, in order.
func wantEnd(t *testing.T, c net.Conn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("%d bytes, %v; want the end of the stream", n, err)
	}
}

// wantRefused wants that a server soon accepts no more. Until then it may accept, or
// drop what it has accepted.
func wantRefused(t *testing.T, addr string) {
	t.Helper()
	for end := patience.Deadline(); time.Now().Before(end); {
		c, err := net.DialTimeout("tcp", addr, time.Until(end))
		if errors.Is(err, syscall.ECONNREFUSED) {
			return
		}
		if err == nil {
			c.Close()
		}
	}
	t.Error("connections are still accepted")
}

// TestDrainIdle: a server with idle connections does not wait for them, and ends
// them in order.
func TestDrainIdle(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			p, addr := startEcho(t, "-listen", anyPort, "-grace", "1h")
			one, two := holdConn(t, addr), holdConn(t, addr)
			p.signal(s)
			wantEnd(t, one)
			wantEnd(t, two)
			if code, stderr := p.wait(); code != 0 {
				t.Errorf("exit code %d, want 0; stderr:\n%s", code, stderr)
			}
		})
	}
}

// TestDrainKept: a client of HTTP/1 that keeps its connection may ask once more when the signal has come, in the clear
// and by TLS, and knows by the answer that it was the last.
func TestDrainKept(t *testing.T) {
	certs := t.TempDir()
	roots := writeCertificate(t, certs, 1)
	eachDriver(t, func(t *testing.T, driver string) {
		for _, command := range []string{"proxy", "serve"} {
			for _, config := range []*tls.Config{nil, {RootCAs: roots, ServerName: "ringo.test"}} {
				t.Run(fmt.Sprint(command, " TLS ", config != nil), func(t *testing.T) {
					args := []string{"-driver", driver, "-grace", "1h"}
					if config != nil {
						args = append(args, "-cert", filepath.Join(certs, "cert"), "-key", filepath.Join(certs, "key"))
					}
					for range 3 { // a machine that is busy may be too late, for the server knows of no request
						if keptAsksOnce(t, command, args, config) {
							return
						}
					}
					t.Error("no last request was answered")
				})
			}
		}
	})
}

// keptAsksOnce reports whether the last request was answered.
func keptAsksOnce(t *testing.T, command string, args []string, config *tls.Config) bool {
	t.Helper()
	var p *process
	var addr string
	if command == "proxy" {
		const says = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
		ln := rawBackend(t, "tcp", "127.0.0.1:0", says)
		p, addr = startProxyTo(t, ln.Addr().String(), append(args, "-http")...)
	} else {
		p, addr = startServe(t, site(t, map[string]string{"index.html": "hello"}), args...)
	}
	c := net.Conn(dial(t, addr))
	if config != nil {
		c = tls.Client(c, config)
	}
	r := bufio.NewReader(c)
	const text = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
	io.WriteString(c, text)
	if a, body, err := readAnswer(r, "GET"); err != nil || body != "hello" || a.Close {
		t.Fatalf("the first answer is %v, %q, %v", a, body, err)
	}
	p.signal(syscall.SIGTERM)
	p.line("terminated")
	wantRefused(t, addr)
	io.WriteString(c, text)
	a, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Logf("in the place of the last answer: %v", err)
		return false
	}
	if body, err := io.ReadAll(a.Body); string(body) != "hello" || err != nil || !a.Close {
		t.Errorf("the last answer is %q, %v, says that it is the last: %v", body, err, a.Close)
	}
	wantEnd(t, c)
	if code, stderr := p.wait(); code != 0 {
		t.Errorf("exit code %d, want 0; stderr:\n%s", code, stderr)
	}
	return true
}

// TestDrainBusy: a connection that has work to do when the signal comes is served to
// its end, while nobody new is let in.
func TestDrainBusy(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr := startEcho(t, "-listen", anyPort, "-driver", driver, "-handler", "conn", "-grace", "1h")
		c := dial(t, addr)
		sent, failed := noise(16<<20), make(chan error, 1)
		go func() {
			_, err := c.Write(sent)
			failed <- errors.Join(err, c.CloseWrite())
		}()
		got := make([]byte, 1000)
		if _, err := io.ReadFull(c, got); err != nil {
			t.Fatal(err)
		}
		p.signal(syscall.SIGTERM)
		p.line("terminated")
		wantRefused(t, addr)
		rest, err := io.ReadAll(c)
		if err = errors.Join(err, <-failed); err != nil {
			t.Error(err)
		}
		if got = append(got, rest...); !bytes.Equal(got, sent) {
			t.Errorf("%d bytes came back, of %d", len(got), len(sent))
		}
		if code, stderr := p.wait(); code != 0 {
			t.Errorf("exit code %d, want 0; stderr:\n%s", code, stderr)
		}
	})
}

// TestDrainRequests: under traffic, requests are answered whole or not at all, and
// the server does not wait for clients that never stop.
func TestDrainRequests(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr := startEcho(t, "-listen", anyPort, "-driver", driver, "-grace", "1h")
		const clients = 20
		under, ended := make(chan bool), make(chan error)
		for range clients {
			c := dial(t, addr)
			go func() { ended <- pester(c, under) }()
		}
		for range clients {
			<-under
		}
		p.signal(syscall.SIGTERM)
		for range clients {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if code, stderr := p.wait(); code != 0 {
			t.Errorf("exit code %d, want 0; stderr:\n%s", code, stderr)
		}
	})
}

// pester sends requests until the server ends the connection, and wants no answer to
// be cut or wrong. It tells when it is under way.
func pester(c net.Conn, under chan<- bool) error {
	tell := sync.OnceFunc(func() { under <- true })
	defer tell()
	request, answer := noise(64), make([]byte, 64)
	for i := 0; ; i++ {
		if i == 10 {
			tell()
		}
		if _, err := c.Write(request); err != nil {
			return endOfConn(err)
		}
		n, err := io.ReadFull(c, answer)
		switch {
		case n > 0 && !bytes.Equal(answer[:n], request):
			return fmt.Errorf("request %d: %d bytes came back, cut or wrong (%v)", i, n, err)
		case err != nil:
			return endOfConn(err)
		}
	}
}

// endOfConn takes an error for the connection's end, by the server, with a request
// under way or not, and gives what it is otherwise.
func endOfConn(err error) error {
	if err == io.EOF || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}

// TestGraceEnds: a connection that does not end by itself holds the server up for as
// long as -grace says.
func TestGraceEnds(t *testing.T) {
	t.Parallel()
	for _, grace := range []time.Duration{0, 300 * time.Millisecond} {
		t.Run(grace.String(), func(t *testing.T) {
			t.Parallel()
			p, addr := startEcho(t, "-listen", anyPort, "-handler", "conn", "-grace", grace.String())
			c := holdConn(t, addr)
			begin := time.Now()
			p.signal(syscall.SIGTERM)
			wantEnd(t, c)
			if took := time.Since(begin); took < grace {
				t.Errorf("the connection was ended after %v, want %v", took, grace)
			}
			if code, stderr := p.wait(); code != 0 {
				t.Errorf("exit code %d, want 0; stderr:\n%s", code, stderr)
			}
		})
	}
}

// TestSecondSignal: the first lets connections go on, the second ends the process.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	for _, s := range []struct{ first, second syscall.Signal }{
		{syscall.SIGTERM, syscall.SIGTERM}, {syscall.SIGINT, syscall.SIGINT}, {syscall.SIGINT, syscall.SIGTERM},
	} {
		t.Run(fmt.Sprint(s.first, " ", s.second), func(t *testing.T) {
			t.Parallel()
			p, addr := startEcho(t, "-listen", anyPort, "-handler", "conn", "-grace", "1h")
			c := holdConn(t, addr)
			p.signal(s.first)
			wantRefused(t, addr)
			pingPong(t, c)
			p.signal(s.second)
			code, stderr := p.wait()
			if want := 128 + int(s.second); code != want {
				t.Errorf("exit code %d, want %d; stderr:\n%s", code, want, stderr)
			}
		})
	}
}

//go:build linux

package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
)

// startSNI starts servers of TLS that each send their number, and ringo proxy with a route to each.
func startSNI(t *testing.T, routes []string, args ...string) (p *process, addr string) {
	t.Helper()
	dir := t.TempDir()
	writeCertificate(t, dir, 1)
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert"), filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"proxy", "-listen", anyPort}, args...)
	for i, route := range routes {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		backend(t, ln, func(c net.Conn) {
			c = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
			fmt.Fprint(c, i)
			io.Copy(io.Discard, c)
		})
		args = append(args, "-to", ln.Addr().String()+route)
	}
	p = start(t, tool(t, args...))
	return p, p.addr()
}

// trickling is a connection by which what is written comes in pieces.
type trickling struct {
	net.Conn
	piece int
}

func (c *trickling) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = c.Conn.Write(p[n:min(n+c.piece, len(p))])
		n += m
	}
	return n, err
}

// TestProxySNI: TLS goes unread where its name says, whatever pieces its beginning comes in, and is reset if there is
// nowhere.
func TestProxySNI(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		routes := []string{"?sni=a.example", "?sni=*.example"}
		asks := func(t *testing.T, addr, name string, piece int) (number string, err error) {
			c := &trickling{dial(t, addr), piece}
			defer c.Close()
			b := make([]byte, 1)
			_, err = io.ReadFull(tls.Client(c, &tls.Config{ServerName: name, InsecureSkipVerify: true}), b)
			return string(b), err
		}
		p, addr := startSNI(t, append(routes, ""), "-driver", driver)
		for name, want := range map[string]string{"a.example": "0", "b.example": "1", "bank": "2", "": "2"} {
			for _, piece := range []int{1 << 20, 100, 1} {
				if got, err := asks(t, addr, name, piece); err != nil || got != want {
					t.Errorf("%q in pieces of %d goes to %q, %v; want %s", name, piece, got, err, want)
				}
			}
		}
		p.finish()

		p, addr = startSNI(t, routes, "-driver", driver)
		if _, err := asks(t, addr, "bank", 1<<20); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%v, want a reset", err)
		}
		p.line("connection of 127.0.0.1:")
		if log := p.finish(); !strings.Contains(log, `is reset: no upstream is for the name "bank"`) {
			t.Errorf("stderr:\n%s", log)
		}
	})
}

// TestProxySNIOther: what is no TLS goes where no name is wanted; a beginning that is torn, or late, goes nowhere.
func TestProxySNIOther(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr, _ := startOptions(t, []string{"?sni=a.example", ""}, "-driver", driver, "-accept-proxy")
		for _, c := range []struct{ says, want string }{
			{"GET / HTTP/1.1\r\n\r\n", "1"},
			{"\x16\x02", "1"},
			{"\x16\x03\x01\x00\x00", ""},
		} {
			conn := dial(t, addr)
			io.WriteString(conn, "PROXY UNKNOWN\r\n"+c.says)
			got := make([]byte, 1)
			n, err := io.ReadFull(conn, got)
			conn.Close()
			if string(got[:n]) != c.want || c.want == "" && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%q goes to %q, %v; want %q", c.says, got[:n], err, c.want)
			}
		}
		p.line("connection of 127.0.0.1:")
		p.finish()

		p, addr, _ = startOptions(t, []string{"?sni=a.example", ""}, "-driver", driver, "-header", "100ms")
		var kept *net.TCPConn
		socktest.Eventually(t, "a connection that is passed on in time", func() bool {
			kept, _ = dialInTime(t, addr)
			io.WriteString(kept, "x")
			_, err := io.ReadFull(kept, make([]byte, 1))
			return err == nil
		})
		conn, _ := dialInTime(t, addr)
		io.WriteString(conn, "\x16\x03\x01")
		if _, err := io.Copy(io.Discard, conn); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%v for half a ClientHello, want a reset", err)
		}
		if line := p.line("connection of 127.0.0.1:"); !strings.Contains(line, "timeout") {
			t.Errorf("the line is %q", line)
		}
		kept.CloseWrite() // after its own time
		if _, err := io.Copy(io.Discard, kept); err != nil {
			t.Errorf("a connection that goes on ends with %v", err)
		}
		p.finish()
	})
}

// TestProxyHTTPRoutes: requests go by host and path, of HTTP/1 and 2, as they came.
func TestProxyHTTPRoutes(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		args := []string{"proxy", "-listen", anyPort, "-http", "-driver", driver}
		for i, route := range []string{"?host=a.example", "?host=*.example&path=/cart", "?host=*.example"} {
			back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprint(w, i, " ", r.Host, " ", r.RequestURI)
			}))
			t.Cleanup(func() { back.CloseClientConnections(); back.Close() })
			args = append(args, "-to", back.Listener.Addr().String()+route)
		}
		p := start(t, tool(t, args...))
		addr := p.addr()
		for _, c := range []struct {
			host, uri, want string
			status          int
		}{
			{"a.example:80", "/cart", "0 a.example:80 /cart", 200},
			{"b.example", "//cart%2f1?x=//", "1 b.example //cart%2f1?x=//", 200},
			{"b.example", "/carts", "2 b.example /carts", 200},
			{"b.example", "/x/../cart", "400 Bad Request\n", 400},
			{"bank", "/cart", "421 Misdirected Request\n", 421},
		} {
			a, got := askAt(t, addr, "GET", "GET "+c.uri+" HTTP/1.1\r\nHost: "+c.host+"\r\n\r\n")
			if a.StatusCode != c.status || got != c.want {
				t.Errorf("%s%s gets %d %q, want %d %q", c.host, c.uri, a.StatusCode, got, c.status, c.want)
			}
		}
		tr := &http.Transport{Protocols: new(http.Protocols)}
		defer tr.CloseIdleConnections()
		tr.Protocols.SetUnencryptedHTTP2(true)
		q, err := http.NewRequest("GET", "http://"+addr+"/cart/2", nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Host = "B.example"
		a, err := (&http.Client{Transport: tr, Timeout: patience.Max}).Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		if got, err := io.ReadAll(a.Body); err != nil || string(got) != "1 B.example /cart/2" {
			t.Errorf("by HTTP/2 it is %q, %v", got, err)
		}
		p.finish()
	})
}

package sockhttp_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock/sockhttp"
)

// gathered sends what is written when it is told to.
type gathered struct {
	net.Conn
	gathers bool
	held    bytes.Buffer
}

func (g *gathered) Write(p []byte) (int, error) {
	if g.gathers {
		return g.held.Write(p)
	}
	return g.Conn.Write(p)
}

func (g *gathered) flush() {
	g.held.WriteTo(g.Conn)
}

// An answer that no request has asked for is no other request's, also where it is in TLS's own memory already: two
// records have come together.
func TestTransportRecordsTogether(t *testing.T) {
	certificate, trusts := certified(t)
	config := trusts.Transport.(*http.Transport).TLSClientConfig.Clone()
	config.ServerName = "example.com"
	s := httptest.NewUnstartedServer(nil)
	defer s.Close()
	var conns atomic.Int32
	done := make(chan bool)
	go func() {
		defer close(done)
		for {
			c, err := s.Listener.Accept()
			if err != nil {
				return
			}
			conns.Add(1)
			go func() {
				defer c.Close()
				c.SetDeadline(patience.Deadline())
				g := &gathered{Conn: c}
				secure := tls.Server(g, certificate)
				if secure.Handshake() != nil {
					return
				}
				g.gathers = true
				for r := bufio.NewReader(secure); ; {
					q, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					secure.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + q.URL.Path))
					secure.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n/x"))
					g.flush()
				}
			}()
		}
	}()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		conns.Store(0)
		set := func(tr *sockhttp.Transport) { tr.TLSClientConfig = config }
		asClient(t, cfg, "task", set, func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport) {
			for _, path := range []string{"/1", "/2", "/3"} {
				url := "https://" + s.Listener.Addr().String() + path
				if _, got := ask(t, tr, request(t, "GET", url, nil)); got != path {
					t.Errorf("the answer to %s is %q", path, got)
				}
			}
		})
		if n := conns.Load(); n != 3 {
			t.Errorf("%d connections were made, want 3", n)
		}
	})
	s.Listener.Close()
	<-done
}

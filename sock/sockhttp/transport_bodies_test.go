package sockhttp_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

// deaf is a connection whose writes fail from the second on, as those to a peer that reads no more. deafSender is one
// that sends files.
type deaf struct {
	net.Conn
	wrote bool
}

func (d *deaf) Write(p []byte) (int, error) {
	if d.wrote {
		return 0, &net.OpError{Op: "write", Net: "tcp", Err: os.ErrClosed}
	}
	d.wrote = true
	return d.Conn.Write(p)
}

type deafSender struct{ deaf }

func (d *deafSender) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{&d.deaf}, r)
}

// The answer of a server that wants no more of a body is heard, whatever the body and the connection are; an error of
// the body is the request's.
func TestTransportUnwantedBodies(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, make([]byte, 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	bodies := map[string]func() (io.ReadCloser, error){
		"a reader": func() (io.ReadCloser, error) {
			f, err := os.Open(name)
			return struct{ io.ReadCloser }{f}, err
		},
		"*os.File":    func() (io.ReadCloser, error) { return os.Open(name) },
		"*file.File":  func() (io.ReadCloser, error) { return file.Open(name) },
		"a directory": func() (io.ReadCloser, error) { return os.Open(t.TempDir()) },
		"a closed file": func() (io.ReadCloser, error) {
			f, err := os.Open(name)
			f.Close()
			return f, err
		},
	}
	wrap := map[string]func(net.Conn) net.Conn{
		"unix":         func(c net.Conn) net.Conn { return c },
		"that fails":   func(c net.Conn) net.Conn { return &deaf{Conn: c} },
		"sends, fails": func(c net.Conn) net.Conn { return &deafSender{deaf{Conn: c}} },
	}
	failed, answered := make(chan bool, 1), make(chan bool, 1)
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				http.ReadRequest(bufio.NewReaderSize(c, 16))
				c.(*net.UnixConn).CloseRead()
				io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n") // only now the body is sent
				<-failed
				io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\nConnection: close\r\n\r\ntoo large")
				answered <- true
			}()
		}
	}()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			for conn, wrap := range wrap {
				for what, open := range bodies {
					dial := func(context.Context, string, string) (net.Conn, error) {
						c, err := sock.Dial(l, "unix", ln.Addr().String())
						return wrap(c), err
					}
					tr := &sockhttp.Transport{DialContext: dial, ExpectContinueTimeout: time.Hour}
					body, err := open()
					if err != nil {
						t.Fatal(err)
					}
					r := request(t, "PUT", "http://a", body)
					r.ContentLength = 8 << 20
					r.Header.Set("Expect", "100-continue")
					r = r.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
						WroteRequest: func(info httptrace.WroteRequestInfo) {
							failed <- info.Err != nil
							<-answered // before the task that waits for the answer runs again
						},
					}))
					a, err := tr.RoundTrip(r)
					if strings.HasPrefix(what, "a ") && what != "a reader" {
						if err == nil || strings.Contains(err.Error(), "write") {
							t.Errorf("%s, connection %s: %v", what, conn, err)
						}
						continue
					}
					if err != nil {
						t.Errorf("%s, connection %s: %v", what, conn, err)
						continue
					}
					got, err := io.ReadAll(a.Body)
					if a.Body.Close(); a.StatusCode != 413 || string(got) != "too large" || err != nil {
						t.Errorf("%s, connection %s: %s, %q, %v", what, conn, a.Status, got, err)
					}
				}
			}
		})
	})
}

// exits is a body that gives a byte, and ends its goroutine or task then.
type exits struct {
	may *ringo.Chan[string] // closed when it may; nil: at once
	n   int
}

func (e *exits) Read(p []byte) (int, error) {
	if e.n++; e.n == 1 {
		return copy(p, "x"), nil
	}
	if e.may != nil {
		e.may.Recv()
	}
	runtime.Goexit()
	return 0, nil
}

// A body that ends the task which sends it ends its request, and a connection with half a request has no other.
func TestTransportBodyExits(t *testing.T) {
	url := bare(t, func(c net.Conn) { // answers the first bytes, whatever they are, and nothing behind them
		c.Read(make([]byte, 1))
		io.WriteString(c, ok)
		io.Copy(io.Discard, c)
	})
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			tr := new(sockhttp.Transport)
			defer tr.CloseIdleConnections()
			for _, length := range []int64{0, 5} {
				body := &exits{may: ringo.NewChan[string](0)}
				r := request(t, "POST", url, body)
				r.ContentLength = length
				a, err := tr.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				body.may.Close()
				io.Copy(io.Discard, a.Body)
				a.Body.Close()
				ctx, cancel := context.WithCancel(t.Context())
				ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
					if i.Reused {
						t.Errorf("length %d: the connection is used again", length)
						cancel()
					}
				}})
				if a, err := tr.RoundTrip(request(t, "GET", url, nil).WithContext(ctx)); err == nil {
					a.Body.Close()
				}
				cancel()
			}
		})
	})
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	eachClient(t, h, nil, func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport, url string) {
		if l == nil {
			return // it is net/http that does not notice
		}
		err := l.WithTimeout(patience.Max, func() error {
			_, err := tr.RoundTrip(request(t, "POST", url, new(exits)))
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "its body") {
			t.Errorf("the request: %v", err)
		}
	})
}

// A body that can't be had again ends its request.
func TestTransportNoBodyAgain(t *testing.T) {
	var conns atomic.Int32
	url := bare(t, func(c net.Conn) { // the first connection ends with its second request
		first := conns.Add(1) == 1
		for n, r := 0, bufio.NewReader(c); ; n++ {
			if _, err := http.ReadRequest(r); err != nil || first && n == 1 {
				return
			}
			io.WriteString(c, ok)
		}
	})
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		conns.Store(0)
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			tr := new(sockhttp.Transport)
			defer tr.CloseIdleConnections()
			ask(t, tr, request(t, "GET", url, nil))
			r := request(t, "PUT", url, strings.NewReader("abc"))
			r.Header.Set("Idempotency-Key", "1")
			r.GetBody = func() (io.ReadCloser, error) { return nil, nil }
			if a, err := tr.RoundTrip(r); err == nil || !strings.Contains(err.Error(), "GetBody") {
				t.Errorf("%v, %v", a, err)
			}
		})
	})
}

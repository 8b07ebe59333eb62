package sockhttp_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

// connected counts the connections of a server that have not ended.
func connected(t testing.TB, h http.Handler) (url string, open *atomic.Int32) {
	t.Helper()
	open = new(atomic.Int32)
	s := httptest.NewUnstartedServer(h)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s.URL, open
}

// untilOn lets the loop go on until ok says so.
func untilOn(t testing.TB, l *ringo.Loop, what string, ok func() bool) {
	t.Helper()
	patience.UntilBy(t, what, func() { l.Sleep(time.Millisecond) }, ok)
}

// Idle connections are bounded, by host and in all, and are closed when their time is over.
func TestTransportIdle(t *testing.T) {
	arrived := make(chan bool, 10)
	leave := make(chan bool)
	together := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- true
		<-leave
	})
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		a, openA := connected(t, together)
		b, openB := connected(t, together)
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			tr := &sockhttp.Transport{MaxIdleConnsPerHost: 3, MaxIdleConns: 4}
			use := func(urls ...string) {
				g := ringo.NewGroup(l)
				for _, to := range urls {
					g.Go(func() error { return askUntil(tr, request(t, "GET", to, nil)) })
				}
				g.Go(func() error {
					return l.Offload(func(context.Context) error {
						for range urls {
							patience.Recv(t, "a request", arrived)
						}
						for range urls {
							leave <- true
						}
						return nil
					})
				})
				if err := g.Wait(); err != nil {
					t.Error(err)
				}
			}
			use(a, a, a, a, a)
			untilOn(t, l, "three are kept", func() bool { return openA.Load() == 3 })
			use(b, b)
			untilOn(t, l, "four are kept in all", func() bool { return openA.Load() == 2 && openB.Load() == 2 })
			tr.CloseIdleConnections()
			untilOn(t, l, "none is kept", func() bool { return openA.Load() == 0 && openB.Load() == 0 })

			tr = &sockhttp.Transport{IdleConnTimeout: short}
			use(a, b)
			untilOn(t, l, "their time is over", func() bool { return openA.Load() == 0 && openB.Load() == 0 })
		})
	})
}

// A connection that its server ends while it is idle is closed at once, and one on which it speaks, too.
func TestTransportStale(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, last := range []string{"", "HTTP/1.1 408 Request Timeout\r\n\r\n"} {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			ended, idle := make(chan error, 1), make(chan bool)
			go func() {
				c, err := ln.Accept()
				if err != nil {
					ended <- err
					return
				}
				defer c.Close()
				c.SetDeadline(patience.Deadline())
				r := bufio.NewReader(c)
				http.ReadRequest(r)
				io.WriteString(c, ok)
				<-idle
				io.WriteString(c, last)
				if last == "" {
					c.(*net.TCPConn).CloseWrite()
				}
				if _, err = r.ReadByte(); err == io.EOF || errors.Is(err, net.ErrClosed) {
					err = nil
				}
				ended <- err
			}()
			socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
				tr := new(sockhttp.Transport)
				ask(t, tr, request(t, "POST", "http://"+ln.Addr().String(), nil))
				close(idle)
				l.Offload(func(context.Context) error { // which needs no request
					if err := patience.Recv(t, "the client's end", ended); err != nil && last == "" {
						t.Error(err)
					}
					return nil
				})
			})
		}
	})
}

// A server that closes idle connections as it likes, and just when they are used: GETs do not fail, and POSTs of a body
// that can be had again fail only if something of them was sent.
func TestTransportStorm(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var conns sync.WaitGroup
		conns.Go(func() {
			for n := 0; ; n++ {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				conns.Go(func() {
					defer c.Close()
					c.SetDeadline(patience.Deadline())
					r := bufio.NewReader(c)
					for k := range 1 + n%4 {
						if _, err := http.ReadRequest(r); err != nil {
							return
						}
						if k > 0 && n%3 == 0 {
							return // when a request has come
						}
						io.WriteString(c, ok)
					}
				})
			}
		})
		defer conns.Wait()
		defer ln.Close()
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			tr := &sockhttp.Transport{MaxIdleConnsPerHost: 8}
			g := ringo.NewGroup(l)
			for range 8 {
				g.Go(func() error {
					for range 50 {
						if err := askUntil(tr, request(t, "GET", "http://"+ln.Addr().String(), nil)); err != nil {
							return err
						}
					}
					return nil
				})
			}
			if err := g.Wait(); err != nil {
				t.Error(err)
			}
			tr.CloseIdleConnections()
		})
	})
}

// Of connections to a host there are no more than MaxConnsPerHost, over all loops, whatever ends those who wait.
func TestTransportMaxConns(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var at, most atomic.Int32
		url, open := connected(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n := at.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer at.Add(-1)
			if r.URL.Path == "/stay" {
				<-r.Context().Done()
			}
			io.WriteString(w, "ok")
		}))
		tr := &sockhttp.Transport{MaxConnsPerHost: 2}
		cfg.Loops = 3
		err := socktest.RunLoops(t, context.Background(), &cfg, func(l *ringo.Loop) error {
			g := ringo.NewGroup(l)
			for i := range 10 {
				g.Go(func() error {
					for k := range 10 {
						r := request(t, "GET", url, nil)
						if (i+k)%4 > 0 {
							if err := askUntil(tr, r); err != nil {
								return err
							}
							continue
						}
						r.URL.Path = "/stay"
						l.WithTimeout(time.Duration(i+k)*time.Millisecond/4, func() error { return askUntil(tr, r) })
					}
					return nil
				})
			}
			return g.Wait()
		})
		if err != nil {
			t.Error(err)
		}
		if n := most.Load(); n > 2+2 { // the server may learn late that one has gone
			t.Errorf("%d requests at once", n)
		}
		cfg.Loops = 1
		err = socktest.RunLoops(t, context.Background(), &cfg, func(*ringo.Loop) error { // no place is lost
			return askUntil(tr, request(t, "GET", url, nil))
		})
		if err != nil {
			t.Error(err)
		}
		patience.Until(t, "the end of all connections", func() bool { return open.Load() == 0 })
	})
}

// TLS, by HTTP/2 where caller and server speak it, and else by HTTP/1.1.
func TestTransportTLS(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s", r.Proto, r.TLS.NegotiatedProtocol, body)
	})
	both := httptest.NewUnstartedServer(h)
	both.EnableHTTP2 = true
	both.StartTLS()
	defer both.Close()
	only := httptest.NewUnstartedServer(h)
	only.EnableHTTP2 = true
	only.TLS = &tls.Config{NextProtos: []string{"h2"}}
	only.TLS.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		for _, p := range hello.SupportedProtos {
			if p == "h2" {
				return nil, nil
			}
		}
		return nil, errors.New("not by HTTP/1.1") // which the peer is told by an alert
	}
	only.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	only.StartTLS()
	defer only.Close()
	trust := both.Client().Transport.(*http.Transport).TLSClientConfig
	trust.RootCAs.AddCert(only.Certificate())
	one := httptest.NewTLSServer(h)
	defer one.Close()
	trust.RootCAs.AddCert(one.Certificate())
	var http1, http2 http.Protocols
	http1.SetHTTP1(true)
	http2.SetHTTP2(true)
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, c := range []struct {
			name, url, want string
			protocols       *http.Protocols
		}{
			{"both", both.URL, "HTTP/2.0 h2 ab", nil},
			{"a server of HTTP/2", only.URL, "HTTP/2.0 h2 ab", nil},
			{"a caller of HTTP/2", both.URL, "HTTP/2.0 h2 ab", &http2},
			{"a server of HTTP/1", one.URL, "HTTP/1.1 http/1.1 ab", nil},
			{"a caller of HTTP/1", both.URL, "HTTP/1.1  ab", &http1},
		} {
			t.Run(c.name, func(t *testing.T) {
				set := func(tr *sockhttp.Transport) { tr.TLSClientConfig, tr.Protocols = trust, c.protocols }
				asClient(t, cfg, "task", set, func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport) {
					for range 3 {
						r := request(t, "POST", c.url, io.MultiReader(strings.NewReader("a"), strings.NewReader("b")))
						a, got := ask(t, tr, r)
						if got != c.want || a.TLS == nil {
							t.Errorf("%q, want %q; TLS %v", got, c.want, a.TLS != nil)
						}
					}
				})
			})
		}
		t.Run("nobody trusts it", func(t *testing.T) {
			asClient(t, cfg, "task", nil, func(t *testing.T, _ *ringo.Loop, tr *sockhttp.Transport) {
				var bad *tls.CertificateVerificationError
				if _, err := tr.RoundTrip(request(t, "GET", both.URL, nil)); !errors.As(err, &bad) {
					t.Errorf("the error is %v", err)
				}
			})
		})
	})
}

// proxy is one for both kinds of requests, by whom the requests that it has seen are said.
func proxy(t testing.TB) (u *url.URL, seen func() string) {
	var mu sync.Mutex
	var all []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		all = append(all, r.Method+" "+r.Header.Get("Proxy-Authorization"))
		mu.Unlock()
		if r.Method != http.MethodConnect {
			r.RequestURI = ""
			r.Header.Del("Proxy-Authorization")
			a, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			defer a.Body.Close()
			w.WriteHeader(a.StatusCode)
			io.Copy(w, a.Body)
			return
		}
		to, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer to.Close()
		from, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer from.Close()
		io.WriteString(from, "HTTP/1.1 200 OK\r\n\r\n")
		go io.Copy(to, from)
		io.Copy(from, to)
	}))
	t.Cleanup(s.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("me", "secret")
	return u, func() string {
		mu.Lock()
		defer mu.Unlock()
		defer func() { all = nil }()
		return strings.Join(all, "; ")
	}
}

func TestTransportProxy(t *testing.T) {
	const auth = "Basic bWU6c2VjcmV0"
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "from "+r.URL.Path) })
	plain, secure := httptest.NewServer(h), httptest.NewTLSServer(h)
	defer plain.Close()
	defer secure.Close()
	by, seen := proxy(t)
	set := func(tr *sockhttp.Transport) {
		tr.Proxy = http.ProxyURL(by)
		tr.TLSClientConfig = secure.Client().Transport.(*http.Transport).TLSClientConfig
	}
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		asClient(t, cfg, "task", set, func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport) {
			for _, c := range []struct{ url, want string }{
				{plain.URL, "GET " + auth + "; GET " + auth},
				{secure.URL, "CONNECT " + auth}, // whose connection is used again
			} {
				for range 2 {
					if _, got := ask(t, tr, request(t, "GET", c.url+"/a", nil)); got != "from /a" {
						t.Errorf("%s: %q", c.url, got)
					}
				}
				if got := seen(); got != c.want {
					t.Errorf("the proxy has seen %q, want %q", got, c.want)
				}
			}
			_, err := tr.RoundTrip(request(t, "GET", "https://127.0.0.1:1/", nil))
			if err == nil || err.Error() != "Bad Gateway" {
				t.Errorf("a proxy that can't connect: %v", err)
			}
			seen()
		})
	})
}

// An upgrade leaves the connection to the caller, with what came behind the answer.
func TestTransportUpgrade(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.WriteString(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello")
		rw.Flush()
		io.Copy(c, rw)
	})
	eachClient1(t, h, nil, func(t *testing.T, _ *ringo.Loop, tr *sockhttp.Transport, url string) {
		r := request(t, "GET", url, nil)
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "echo")
		a, err := tr.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		c := a.Body.(io.ReadWriteCloser)
		io.WriteString(c, ", world")
		c.(interface{ CloseWrite() error }).CloseWrite()
		if got, err := io.ReadAll(c); string(got) != "hello, world" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// An answer may come before the request is sent, and then ends the sending.
func TestTransportEarlyAnswer(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		io.WriteString(w, "too much")
		http.NewResponseController(w).Flush()
		if r.ProtoMajor == 1 { // or net/http's client, which has stopped to send, would wait for the end
			io.CopyN(io.Discard, r.Body, 1<<20)
		}
	})
	eachClient(t, h, nil, func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport, url string) {
		body := &endless{ended: make(chan bool)}
		a, err := tr.RoundTrip(request(t, "POST", url, body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(a.Body)
		if a.Body.Close(); a.StatusCode != 413 || string(got) != "too much" || err != nil {
			t.Errorf("%v, %q, %v", a.Status, got, err)
		}
		if l == nil {
			patience.Recv(t, "the body's end", body.ended)
			return
		}
		untilOn(t, l, "the body's end", func() bool {
			select {
			case <-body.ended:
				return true
			default:
				return false
			}
		})
	})
}

// endless is a body that ends when it is closed.
type endless struct {
	closed atomic.Bool
	ended  chan bool
}

func (b *endless) Read(p []byte) (int, error) {
	if b.closed.Load() {
		return 0, errors.New("closed")
	}
	return len(p), nil
}

func (b *endless) Close() error {
	if !b.closed.Swap(true) {
		close(b.ended)
	}
	return nil
}

// failing is a body that fails.
type failing struct{ why error }

func (b failing) Read([]byte) (int, error) { return 0, b.why }

// nothing is a body that never gives anything.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

// What goes wrong with a body is what the caller hears, and the body is closed in any case.
func TestTransportBodies(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	eachClient(t, h, nil, func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport, url string) {
		why := errors.New("why")
		for _, c := range []struct {
			name   string
			body   io.Reader
			length int64
			want   string
		}{
			{"fails", failing{why}, 0, "why"},
			{"fails, of a length", failing{why}, 10, "why"},
			{"gives nothing", nothing{}, 0, io.ErrNoProgress.Error()},
			{"gives nothing, of a length", nothing{}, 10, io.ErrNoProgress.Error()},
			{"too short", strings.NewReader("abc"), 5, "http: ContentLength=5 with Body length 3"},
			{"too long", strings.NewReader("abcdefg"), 5, "http: ContentLength=5 with Body length 7"},
		} {
			if l == nil && (c.name == "too long" || c.body == nothing{} || speaks2(tr)) {
				continue // net/http may have the answer before it knows, or try for ever
			}
			body := &closing{Reader: c.body}
			r := request(t, "POST", url, body)
			r.ContentLength = c.length
			_, err := tr.RoundTrip(r)
			closed := l == nil && errors.Is(err, net.ErrClosed) // net/http's reader may be the first to hear of it
			if err == nil || !closed && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", c.name, err)
			}
			if !body.closed.Load() {
				t.Errorf("%s: the body is not closed", c.name)
			}
		}
		for _, wrong := range []func(*http.Request){
			func(r *http.Request) { r.URL.Scheme = "ftp" },
			func(r *http.Request) { r.URL.Host = "" },
			func(r *http.Request) { r.Method = "A B" },
			func(r *http.Request) { r.Header["A b"] = []string{"c"} },
			func(r *http.Request) { r.Header.Set("A", "b\nc") },
			func(r *http.Request) { r.Trailer = http.Header{"A b": nil} },
			func(r *http.Request) { r.URL.Host = "127.0.0.1:1" },
		} {
			body := &closing{Reader: strings.NewReader("abc")}
			r := request(t, "POST", url, body)
			wrong(r)
			if _, err := tr.RoundTrip(r); err == nil || !body.closed.Load() {
				t.Errorf("%v %v: error %v, closed %v", r.Method, r.URL, err, body.closed.Load())
			}
		}
	})
}

// closing is a body that knows whether it was closed.
type closing struct {
	io.Reader
	closed atomic.Bool
}

func (b *closing) Close() error {
	b.closed.Store(true)
	return nil
}

// Time-outs say that they are, and which.
func TestTransportTimeouts(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // whose connections nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	set := func(tr *sockhttp.Transport) {
		tr.ResponseHeaderTimeout, tr.TLSHandshakeTimeout = short, short
	}
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, caller := range callers {
			asClient(t, cfg, caller, set, func(t *testing.T, _ *ringo.Loop, tr *sockhttp.Transport) {
				for scheme, want := range map[string]string{
					"http": "net/http: timeout awaiting response headers", "https": "net/http: TLS handshake timeout",
				} {
					for _, body := range []io.Reader{nil, lately{strings.NewReader("abc")}} {
						_, err := tr.RoundTrip(request(t, "POST", scheme+"://"+silent.Addr().String(), body))
						timed, ok := err.(interface{ Timeout() bool })
						if err == nil || err.Error() != want || !ok || !timed.Timeout() {
							t.Errorf("%s: %v", scheme, err)
						}
					}
				}
			})
		}
	})
}

// DialContext makes the connections, and a task gets none that would stop its loop.
func TestTransportDialContext(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		addr := control(t, h)
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			tr := &sockhttp.Transport{DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
				if to != "nowhere.test:80" {
					t.Errorf("a dial to %s", to)
				}
				return new(sock.Dialer).Func(l)(ctx, network, addr)
			}}
			if _, got := ask(t, tr, request(t, "GET", "http://nowhere.test", nil)); got != "ok" {
				t.Errorf("got %q", got)
			}
			tr.CloseIdleConnections()
			none := func(context.Context, string, string) (net.Conn, error) { return nil, nil }
			_, want := (&http.Transport{DialContext: none}).RoundTrip(request(t, "GET", "http://"+addr, nil))
			tr = &sockhttp.Transport{DialContext: none}
			_, err := tr.RoundTrip(request(t, "GET", "http://"+addr, nil))
			if err == nil || err.Error() != want.Error() {
				t.Errorf("no connection, and no error: %v, want %v", err, want)
			}
			tr = &sockhttp.Transport{DialContext: new(net.Dialer).DialContext}
			_, err = tr.RoundTrip(request(t, "GET", "http://"+addr, nil))
			if err == nil || !strings.Contains(err.Error(), "*net.TCPConn") {
				t.Errorf("a connection of package net: %v", err)
			}
		})
	})
}

// A body may be read, and closed, by others than who has asked: goroutines, and tasks of other loops.
func TestTransportBodyElsewhere(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stay" {
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		w.Write(make([]byte, 1<<20))
	})
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		url, open := connected(t, h)
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			tr := new(sockhttp.Transport)
			kept := false
			ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
				PutIdleConn: func(err error) { kept = err == nil },
			})
			for _, whole := range []bool{true, false} {
				a, err := tr.RoundTrip(request(t, "GET", url, nil).WithContext(ctx))
				if err != nil {
					t.Fatal(err)
				}
				l.Offload(func(context.Context) error {
					if whole {
						if n, err := io.Copy(io.Discard, a.Body); n != 1<<20 || err != nil {
							t.Errorf("%d bytes, %v", n, err)
						}
					}
					return a.Body.Close()
				})
				if whole {
					untilOn(t, l, "that it is kept", func() bool { return kept })
				} else {
					untilOn(t, l, "its end", func() bool { return open.Load() == 0 })
				}
			}
			a, err := tr.RoundTrip(request(t, "GET", url+"/stay", nil))
			if err != nil {
				t.Fatal(err)
			}
			var readErr error
			reader := l.Go(func() { _, readErr = io.ReadAll(a.Body) })
			l.Yield()
			a.Body.Close()
			if reader.Wait(); readErr == nil {
				t.Error("a body that was closed is read to its end")
			}
			untilOn(t, l, "the connections", func() bool { return open.Load() == 0 })
		})
	})
}

// What has come behind a body, which may be another answer, ends the connection, whoever has read the body.
func TestTransportBehindABody(t *testing.T) {
	const size, last = 1 << 20, 1 << 15
	answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("b", size)) + ok
	url := bare(t, func(c net.Conn) {
		for r := bufio.NewReader(c); ; {
			q, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			if q.URL.Path == "/good" {
				io.WriteString(c, strings.Replace(ok, "ok", "no", 1))
			} else {
				io.WriteString(c, answer)
			}
		}
	})
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			tr := new(sockhttp.Transport)
			defer tr.CloseIdleConnections()
			for name, by := range map[string]func(func()){
				"task":      func(f func()) { l.Go(f).Wait() },
				"goroutine": func(f func()) { l.Offload(func(context.Context) error { f(); return nil }) },
			} {
				var c *sock.Conn
				put := false
				ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
					GotConn:     func(i httptrace.GotConnInfo) { c = i.Conn.(*sock.Conn) },
					PutIdleConn: func(error) { put = true },
				})
				a, err := tr.RoundTrip(request(t, "GET", url, nil).WithContext(ctx))
				if err != nil {
					t.Fatal(err)
				}
				read := func(n int) {
					if _, err := io.ReadFull(a.Body, make([]byte, n)); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
				by(func() { read(size - last) })
				untilOn(t, l, "what is behind the body", func() bool {
					info, err := c.TCPInfo()
					return err != nil || info.BytesReceived >= uint64(len(answer))
				})
				by(func() { read(last); a.Body.Close() })
				untilOn(t, l, "that the connection is given back", func() bool { return put })
				if _, got := ask(t, tr, request(t, "GET", url+"/good", nil)); got != "no" {
					t.Errorf("%s: got %q, which no request has asked for", name, got)
				}
			}
		})
	})
}

// A body that is sent behind the head of its answer sets no deadline for that any more.
func TestTransportEarlyHead(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		rc.EnableFullDuplex()
		rc.Flush()
		io.Copy(w, r.Body)
	})
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		url := "http://" + control(t, h)
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			var made *limitedConn
			tr := &sockhttp.Transport{ResponseHeaderTimeout: time.Hour,
				DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
					c, err := new(sock.Dialer).Func(l)(ctx, network, to)
					made = &limitedConn{Conn: c}
					return made, err
				}}
			body := &lateBody{may: ringo.NewChan[string](1)}
			a, err := tr.RoundTrip(request(t, "POST", url, body))
			if err != nil {
				t.Fatal(err)
			}
			body.may.Send("late")
			body.may.Close()
			got, err := io.ReadAll(a.Body)
			if a.Body.Close(); string(got) != "late" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
			if !made.until.IsZero() {
				t.Error("the connection has a deadline for a head that has come")
			}
			tr.CloseIdleConnections()
		})
	})
}

// limitedConn knows its deadline for reads.
type limitedConn struct {
	net.Conn
	until time.Time
}

func (c *limitedConn) SetReadDeadline(t time.Time) error {
	c.until = t
	return c.Conn.SetReadDeadline(t)
}

// lateBody is a body whose pieces another task has.
type lateBody struct{ may *ringo.Chan[string] }

func (b *lateBody) Read(p []byte) (int, error) {
	s, err := b.may.Recv()
	if err != nil {
		return 0, io.EOF
	}
	return copy(p, s), nil
}

// The places of MaxConnsPerHost that connections of a loop have are free when it has ended.
func TestTransportMaxConnsOverRuns(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		url := "http://" + control(t, h)
		for how, end := range map[string]func(io.ReadCloser){
			"idle":   nil,
			"read":   func(b io.ReadCloser) { io.ReadAll(b) },
			"closed": func(b io.ReadCloser) { b.Close() },
		} {
			tr := &sockhttp.Transport{MaxConnsPerHost: 1}
			for range 3 {
				var body io.ReadCloser
				cfg.Loops = 1
				err := socktest.RunLoops(t, context.Background(), &cfg, func(*ringo.Loop) error {
					a, err := tr.RoundTrip(request(t, "GET", url, nil))
					if err != nil {
						return err
					}
					if body = a.Body; end == nil {
						_, err = io.ReadAll(body)
					}
					return err
				})
				if err != nil {
					t.Fatalf("%s: %v", how, err)
				}
				if end != nil {
					end(body)
				}
			}
			tr.CloseIdleConnections()
		}
	})
}

// A request in which DialContext, a hook of httptrace or a body panics leaves its place of MaxConnsPerHost, its stream
// and its connection to others.
func TestTransportPanics(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	secure := httptest.NewUnstartedServer(h)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	defer secure.Close()
	trusted := secure.Client().Transport.(*http.Transport).TLSClientConfig
	panics := func() { panic("planned") }
	in := map[string]func(l *ringo.Loop, tr *sockhttp.Transport, trace *httptrace.ClientTrace){
		"DialContext": func(l *ringo.Loop, tr *sockhttp.Transport, _ *httptrace.ClientTrace) {
			tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				tr.DialContext = nil
				panic("planned")
			}
		},
		"GetConn": func(_ *ringo.Loop, _ *sockhttp.Transport, trace *httptrace.ClientTrace) {
			trace.GetConn = func(string) { panics() }
		},
		"GotConn": func(_ *ringo.Loop, _ *sockhttp.Transport, trace *httptrace.ClientTrace) {
			trace.GotConn = func(httptrace.GotConnInfo) { panics() }
		},
		"TLSHandshakeStart": func(_ *ringo.Loop, _ *sockhttp.Transport, trace *httptrace.ClientTrace) {
			trace.TLSHandshakeStart = panics
		},
		"TLSHandshakeDone": func(_ *ringo.Loop, _ *sockhttp.Transport, trace *httptrace.ClientTrace) {
			trace.TLSHandshakeDone = func(tls.ConnectionState, error) { panics() }
		},
		"WroteHeaders": func(_ *ringo.Loop, _ *sockhttp.Transport, trace *httptrace.ClientTrace) {
			trace.WroteHeaders = panics
		},
		"WroteRequest": func(_ *ringo.Loop, _ *sockhttp.Transport, trace *httptrace.ClientTrace) {
			trace.WroteRequest = func(httptrace.WroteRequestInfo) { panics() }
		},
		"GotFirstResponseByte": func(_ *ringo.Loop, _ *sockhttp.Transport, trace *httptrace.ClientTrace) {
			trace.GotFirstResponseByte = panics
		},
		"PutIdleConn": func(_ *ringo.Loop, _ *sockhttp.Transport, trace *httptrace.ClientTrace) {
			trace.PutIdleConn = func(error) { panics() }
		},
		"the body": nil,
	}
	ways := map[string]struct {
		url       string
		protocols *http.Protocols
	}{
		"HTTP/1":      {"http://" + control(t, h), nil},
		"HTTP/2":      {"http://" + controlBy(t, h, clear2()), prior2()},
		"HTTP/2, TLS": {secure.URL, nil},
	}
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for way, c := range ways {
			for name, set := range in {
				if strings.HasPrefix(name, "TLS") && way != "HTTP/2, TLS" || name == "PutIdleConn" && way != "HTTP/1" {
					continue
				}
				t.Run(way+"/"+name, func(t *testing.T) {
					socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
						tr := &sockhttp.Transport{MaxConnsPerHost: 1, Protocols: c.protocols}
						tr.TLSClientConfig = trusted
						trace := new(httptrace.ClientTrace)
						r := request(t, "PUT", c.url, strings.NewReader("body"))
						if set == nil {
							r.Body = panicking{}
						} else {
							set(l, tr, trace)
						}
						r = r.WithContext(httptrace.WithClientTrace(r.Context(), trace))
						func() {
							defer func() {
								if v := recover(); v != "planned" {
									t.Errorf("recovered %v", v)
								}
							}()
							if a, err := tr.RoundTrip(r); err == nil {
								io.Copy(io.Discard, a.Body)
								a.Body.Close()
							}
						}()
						if a, body := ask(t, tr, request(t, "PUT", c.url, strings.NewReader("body"))); body != "body" {
							t.Errorf("%s: %q", a.Status, body)
						}
						tr.CloseIdleConnections()
					})
				})
			}
		}
	})
}

// panicking is a body that panics.
type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("planned") }
func (panicking) Close() error             { return nil }

// A request that is cancelled in the turn in which it gets a place of MaxConnsPerHost, or a connection, leaves that to
// others.
func TestTransportMaxConnsTooLate(t *testing.T) {
	url, _ := connected(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }))
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			tr := &sockhttp.Transport{MaxConnsPerHost: 1}
			for i := range 6 {
				a, err := tr.RoundTrip(request(t, "GET", url, nil))
				if err != nil {
					t.Fatal(err)
				}
				waits := l.Go(func() { askUntil(tr, request(t, "GET", url, nil)) })
				for range 5 {
					l.Yield()
				}
				if i < 3 {
					waits.Cancel()
				}
				if i%2 == 0 { // gives a connection
					io.ReadAll(a.Body)
				}
				a.Body.Close() // of an answer that is unread gives a place
				waits.Cancel()
				waits.Wait()
			}
			if err := askUntil(tr, request(t, "GET", url, nil)); err != nil {
				t.Error(err)
			}
			tr.CloseIdleConnections()
		})
	})
}

// bare serves each connection by a function, and returns where.
func bare(t *testing.T, each func(c net.Conn)) (url string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
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
				each(c)
			}()
		}
	}()
	return "http://" + ln.Addr().String()
}

// A connection on which a request is still being sent when its answer has come is not used for another.
func TestTransportHalfSent(t *testing.T) {
	url := bare(t, func(c net.Conn) { // answers the first bytes, whatever they are, and nothing behind them
		c.Read(make([]byte, 1))
		io.WriteString(c, ok)
		io.Copy(io.Discard, c)
	})
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			tr := new(sockhttp.Transport)
			for _, body := range []io.Reader{&endless{ended: make(chan bool)}, nil} {
				ask(t, tr, request(t, "POST", url, body))
			}
			tr.CloseIdleConnections()
		})
	})
}

// A POST that was sent is not sent again when its connection ends without an answer, for the server may have done it.
func TestTransportPostOnce(t *testing.T) {
	var posts atomic.Int32
	url := bare(t, func(c net.Conn) { // answers GET, and closes at a POST
		for r := bufio.NewReader(c); ; {
			q, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			if q.Method == "POST" {
				posts.Add(1)
				return
			}
			io.WriteString(c, ok)
		}
	})
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			tr := new(sockhttp.Transport)
			ask(t, tr, request(t, "GET", url, nil))
			posts.Store(0)
			if a, err := tr.RoundTrip(request(t, "POST", url, nil)); err == nil {
				t.Errorf("an answer: %v", a)
			}
			if n := posts.Load(); n != 1 {
				t.Errorf("it was sent %d times", n)
			}
			tr.CloseIdleConnections()
		})
	})
}

// A context that ends as a goroutine has read the last of a body ends no connection that others may have then.
func TestTransportBodyEnds(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		url, _ := connected(t, h)
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			tr := new(sockhttp.Transport)
			defer tr.CloseIdleConnections()
			for range 100 {
				kept, reused := false, false
				ctx, end := context.WithCancel(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
					PutIdleConn: func(err error) { kept = err == nil },
				}))
				a, err := tr.RoundTrip(request(t, "GET", url, nil).WithContext(ctx))
				if err != nil {
					t.Fatal(err)
				}
				end()
				l.Offload(func(context.Context) error {
					defer a.Body.Close()
					_, err := io.ReadAll(a.Body)
					return err
				})
				for range 10 {
					l.Yield()
				}
				next := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
					GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused },
				})
				if _, got := ask(t, tr, request(t, "POST", url, nil).WithContext(next)); got != "ok" {
					t.Errorf("got %q", got)
				}
				if kept && !reused {
					t.Fatal("a connection that was kept has ended")
				}
			}
		})
	})
}

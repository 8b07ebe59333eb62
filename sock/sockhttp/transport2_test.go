package sockhttp_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

// prior2 are the protocols of who speaks HTTP/2 in the clear, and nothing else.
func prior2() *http.Protocols {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return p
}

func TestTransport2(t *testing.T) {
	h := http.HandlerFunc(witness)
	eachClient2(t, h, nil, func(t *testing.T, _ *ringo.Loop, tr *sockhttp.Transport, url string) {
		for range 3 {
			a, body := ask(t, tr, request(t, "GET", url+"/a?b=c", nil))
			if a.StatusCode != 200 || a.ProtoMajor != 2 || !strings.HasPrefix(body, `GET "/a?b=c" HTTP/2.0`) {
				t.Errorf("GET: %v, %q", a.Status, body)
			}
		}
	})
}

// Requests that begin together have one connection, by TLS and in the clear, also the first of a server.
func TestTransport2Shares(t *testing.T) {
	for _, way := range []string{"tls", "task"} {
		t.Run(way, func(t *testing.T) {
			socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
				var mu sync.Mutex
				from := make(map[string]int)
				h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					mu.Lock()
					from[r.RemoteAddr]++
					mu.Unlock()
					io.Copy(w, r.Body)
				})
				s := &sockhttp.Server{Handler: h, Protocols: clear2(), ErrorLog: slog.New(slog.DiscardHandler)}
				tr, scheme := &sockhttp.Transport{Protocols: prior2()}, "http://"
				if way == "tls" {
					trusted, client := certified(t)
					s.TLSConfig, s.Protocols, scheme = trusted, nil, "https://"
					tr.Protocols, tr.TLSClientConfig = nil, client.Transport.(*http.Transport).TLSClientConfig.Clone()
					tr.TLSClientConfig.ServerName = "example.com"
				}
				url := scheme + serve(t, cfg, way, s)
				body := strings.Repeat("0123456789", 20_000)
				socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
					g := ringo.NewGroup(l)
					for range 20 {
						g.Go(func() error {
							a, err := tr.RoundTrip(request(t, "POST", url, lately{strings.NewReader(body)}))
							if err != nil {
								return err
							}
							defer a.Body.Close()
							if got, err := io.ReadAll(a.Body); string(got) != body || a.ProtoMajor != 2 {
								return fmt.Errorf("%s: %d bytes, %w", a.Proto, len(got), err)
							}
							return nil
						})
					}
					if err := g.Wait(); err != nil {
						t.Error(err)
					}
					tr.CloseIdleConnections()
				})
				if len(from) != 1 {
					t.Errorf("connections %v", from)
				}
			})
		})
	}
}

// A connection is for one request if none is to be kept, and CloseIdleConnections ends one at rest.
func TestTransport2Ends(t *testing.T) {
	ended := make(chan bool, 10)
	s := newRawServer(t, "", func(r *raw, n int) {
		for {
			f, ok := r.maybe(headers)
			if !ok {
				ended <- true
				return
			}
			r.send(okOn(f.id))
		}
	})
	for name, set := range map[string]func(*sockhttp.Transport, *http.Request){
		"DisableKeepAlives": func(tr *sockhttp.Transport, _ *http.Request) { tr.DisableKeepAlives = true },
		"none idle":         func(tr *sockhttp.Transport, _ *http.Request) { tr.MaxIdleConnsPerHost = -1 },
		"Close":             func(_ *sockhttp.Transport, r *http.Request) { r.Close = true },
		"IdleConnTimeout":   func(tr *sockhttp.Transport, _ *http.Request) { tr.IdleConnTimeout = short },
		"CloseIdle":         nil,
	} {
		t.Run(name, func(t *testing.T) {
			asTask2(t, nil, func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport) {
				r := request(t, "GET", s.url(), nil)
				if set != nil {
					set(tr, r)
				}
				if got := says(tr, r); got != `200 -1 "ok" <nil> map[]` {
					t.Errorf("got %s", got)
				}
				if set == nil {
					tr.CloseIdleConnections()
				}
				l.Offload(func(context.Context) error {
					patience.Recv(t, "the connection's end", ended)
					return nil
				})
			})
		})
	}
}

// Requests have the fields, the body and the trailers that net/http's have.
func TestTransport2RequestsAsNet(t *testing.T) {
	seen := make(chan string, 1)
	s := newRawServer(t, "", func(r *raw, n int) {
		var said strings.Builder
		body, last := 0, false
		for {
			f, err := r.next()
			if err != nil {
				return
			}
			switch f.kind {
			case headers, continuation:
				last = last || f.kind == headers && f.flags&endStream != 0
				if f.flags&endHeaders == 0 { // the rest of the head is to come
					continue
				}
				all := make([]string, 0, len(r.all))
				for _, f := range r.all {
					all = append(all, f.Name+": "+f.Value)
				}
				slices.Sort(all)
				fmt.Fprintf(&said, "%q\n", all)
				r.all = nil
			case data:
				body += len(f.payload)
				last = f.flags&endStream != 0
			}
			if last {
				fmt.Fprintf(&said, "%d bytes", body)
				seen <- said.String()
				said.Reset()
				body, last = 0, false
				r.send(okOn(f.id))
			}
		}
	})
	more := []struct {
		name string
		make func(url string) (*http.Request, error)
	}{
		{"cookies", func(url string) (*http.Request, error) {
			r, err := http.NewRequest("GET", url, nil)
			r.Header = http.Header{"Cookie": {"a=1; b=2;c=3", "d=4"}, "Te": {"trailers"}, "Connection": {"close"}}
			return r, err
		}},
		{"an upgrade", func(url string) (*http.Request, error) {
			r, err := http.NewRequest("GET", url, nil)
			r.Header.Set("Upgrade", "x")
			return r, err
		}},
		{"CONNECT", func(url string) (*http.Request, error) { return http.NewRequest("CONNECT", url, nil) }},
		{"large", func(url string) (*http.Request, error) {
			return http.NewRequest("POST", url, bytes.NewReader(make([]byte, 50_000)))
		}},
		{"long fields", func(url string) (*http.Request, error) {
			r, err := http.NewRequest("GET", url, nil)
			r.Header.Set("Long", strings.Repeat("x", 40_000))
			return r, err
		}},
	}
	peer := &http.Transport{Protocols: prior2()}
	defer peer.CloseIdleConnections()
	asTask2(t, nil, func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport) {
		sent := func(rt http.RoundTripper, of func(string) (*http.Request, error)) string {
			r, err := of(s.url())
			if err != nil {
				t.Fatal(err)
			}
			if err := askUntil(rt, r); err != nil {
				return err.Error()
			}
			return <-seen
		}
		for _, r := range append(requests, more...) {
			if r.name == "a host that is none" || r.name == "unknown body that is none" || r.name == "a zone" ||
				r.name == "a control character" || r.name == "a length and no body" {
				continue // refused, in other words or as by HTTP/1, or looked into before, or sent without
			}
			want := besides(l, func() string { return sent(peer, r.make) })
			if got := sent(tr, r.make); got != want {
				t.Errorf("%s\n got %s\nwant %s", r.name, got, want)
			}
		}
	})
}

// A goroutine, and a task of another loop, may read an answer and close it, also before its end.
func TestTransport2FarReaders(t *testing.T) {
	large := strings.Repeat("0123456789", 100_000)
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, large) })
	read := func(body io.ReadCloser) {
		if got, err := io.ReadAll(body); string(got) != large || err != nil {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		body.Close()
	}
	begin := func(body io.ReadCloser) {
		io.ReadFull(body, make([]byte, 10))
		body.Close()
	}
	type far struct {
		how  func(io.ReadCloser)
		body io.ReadCloser
		over *ringo.Chan[bool]
	}
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		url := "http://" + controlBy(t, h, clear2())
		tr := &sockhttp.Transport{Protocols: prior2()}
		other := ringo.NewChan[far](0)
		err := socktest.RunLoops(t, context.Background(), &cfg, func(l *ringo.Loop) error {
			if l.Index() == 1 {
				for f, err := other.Recv(); err == nil; f, err = other.Recv() {
					f.how(f.body)
					f.over.Send(true)
				}
				return nil
			}
			defer other.Close()
			defer tr.CloseIdleConnections()
			for range 3 {
				for _, how := range []func(io.ReadCloser){read, begin} {
					for _, who := range []string{"goroutine", "loop"} {
						a, err := tr.RoundTrip(request(t, "GET", url, nil))
						if err != nil {
							return err
						}
						if who == "goroutine" {
							besides(l, func() bool { how(a.Body); return true })
							continue
						}
						over := ringo.NewChan[bool](0)
						other.Send(far{how, a.Body, over})
						over.Recv()
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// Behind a proxy, and on a connection that is none of package sock's, it is the same.
func TestTransport2Beside(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto, r.RemoteAddr) })
	secure := httptest.NewUnstartedServer(h)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	defer secure.Close()
	plain := "http://" + controlBy(t, h, clear2())
	by, seen := proxy(t)
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, c := range []struct {
			name, url string
			set       func(l *ringo.Loop, tr *sockhttp.Transport)
		}{
			{"a proxy", secure.URL, func(_ *ringo.Loop, tr *sockhttp.Transport) {
				tr.Proxy = http.ProxyURL(by)
				tr.TLSClientConfig = secure.Client().Transport.(*http.Transport).TLSClientConfig
			}},
			{"another connection", plain, func(l *ringo.Loop, tr *sockhttp.Transport) {
				tr.Protocols = prior2()
				tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
					c, err := new(sock.Dialer).Func(l)(ctx, network, addr)
					return struct{ net.Conn }{c}, err
				}
			}},
		} {
			t.Run(c.name, func(t *testing.T) {
				socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
					tr := new(sockhttp.Transport)
					c.set(l, tr)
					_, first := ask(t, tr, request(t, "GET", c.url, nil))
					untilOn(t, l, "rest", func() bool { return l.Stats().Tasks <= 1 })
					_, second := ask(t, tr, request(t, "GET", c.url, nil))
					if first != second || !strings.HasPrefix(first, "HTTP/2.0") {
						t.Errorf("%q, and then %q", first, second)
					}
					tr.CloseIdleConnections()
				})
			})
		}
		if got := seen(); strings.Contains(got, ";") || !strings.HasPrefix(got, "CONNECT") {
			t.Errorf("the proxy has seen %q", got)
		}
	})
}

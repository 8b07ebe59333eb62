package sockhttp_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"ringo"
	"ringo/internal/invariant"
	"ringo/internal/race"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

// clear2 are the protocols of servers that speak HTTP/2 in the clear, too.
func clear2() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

// client2 speaks HTTP/2 alone: by TLS if config is not nil. It counts the connections that it makes.
func client2(t *testing.T, config *tls.Config, wrap func(net.Conn) net.Conn) (c *http.Client, dials func() int) {
	var mu sync.Mutex
	n := 0
	tr := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: config,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			mu.Lock()
			n++
			mu.Unlock()
			nc, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err == nil && wrap != nil {
				nc = wrap(nc)
			}
			return nc, err
		}}
	if tr.Protocols.SetUnencryptedHTTP2(true); config != nil {
		tr.Protocols = new(http.Protocols)
		tr.Protocols.SetHTTP2(true)
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}, func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

// each2 runs f for each way in which HTTP/2 is spoken, on each driver. set may change the server.
func each2(t *testing.T, h http.Handler, set func(*sockhttp.Server),
	f func(t *testing.T, s *sockhttp.Server, url string, config *tls.Config)) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, way := range []string{"tls", "task", "goroutine", "listener"} {
			t.Run(way, func(t *testing.T) {
				s := &sockhttp.Server{Handler: h, ErrorLog: slog.New(slog.NewTextHandler(io.Discard, nil))}
				var config *tls.Config
				scheme := "http"
				switch way {
				case "tls":
					trusted, client := certified(t)
					s.TLSConfig, scheme = trusted, "https"
					config = client.Transport.(*http.Transport).TLSClientConfig.Clone()
					config.ServerName = "example.com"
				case "task":
					s.Handler = sockhttp.Task(h)
					fallthrough
				default:
					s.Protocols = clear2()
				}
				if set != nil {
					set(s)
				}
				f(t, s, scheme+"://"+serve(t, cfg, way, s), config)
			})
		}
	})
}

// echo says what it was asked for, and gives the body back.
func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Proto", r.Proto)
	w.Header().Set("Where", place())
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	w.Header().Set("Remote", host)
	w.Header().Set("TLS", fmt.Sprint(r.TLS != nil && r.TLS.NegotiatedProtocol == "h2"))
	_, server := r.Context().Value(http.ServerContextKey).(*http.Server)
	addr, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	w.Header().Set("Context", fmt.Sprint(server, " ", addr))
	w.Header().Set("Trailer", "After")
	io.Copy(w, r.Body)
	w.Header().Set("After", r.URL.Path)
}

// Requests side by side have one connection, and what handlers see is what net/http gives them.
func TestHTTP2(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 8<<10)
	each2(t, http.HandlerFunc(echo), nil, func(t *testing.T, s *sockhttp.Server, url string, config *tls.Config) {
		client, dials := client2(t, config, nil)
		var all sync.WaitGroup
		ask := func(name string) {
			res, err := client.Post(url+name, "text/plain", bytes.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			got, err := io.ReadAll(res.Body)
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("%d bytes came back of %d: %v", len(got), len(body), err)
			}
			addr, where := url[strings.LastIndex(url, "/")+1:], "goroutine"
			if path.Base(t.Name()) == "task" {
				where = "task"
			}
			for name, want := range map[string]string{"Proto": "HTTP/2.0", "Where": where, "Remote": "127.0.0.1",
				"TLS": fmt.Sprint(config != nil), "Context": "true " + addr} {
				if got := res.Header.Get(name); got != want {
					t.Errorf("%s: %s, want %s", name, got, want)
				}
			}
			if got := res.Trailer.Get("After"); got != name {
				t.Errorf("the trailer has %q", got)
			}
		}
		ask("/first")
		for i := range 20 {
			all.Go(func() { ask(fmt.Sprint("/", i)) })
		}
		all.Wait()
		if n := dials(); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

// Beside it there is HTTP/1, on the same address.
func TestHTTP2BesideHTTP1(t *testing.T) {
	each2(t, http.HandlerFunc(echo), nil, func(t *testing.T, s *sockhttp.Server, url string, config *tls.Config) {
		tr := &http.Transport{TLSClientConfig: config, Protocols: new(http.Protocols)}
		tr.Protocols.SetHTTP1(true)
		defer tr.CloseIdleConnections()
		for _, client := range []*http.Client{{Transport: tr}, first(client2(t, config, nil))} {
			res, err := client.Get(url)
			if err != nil {
				t.Error(err)
				continue
			}
			res.Body.Close()
			want := "HTTP/2.0"
			if client.Transport == tr {
				want = "HTTP/1.1"
			}
			if got := res.Header.Get("Proto"); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
	})
}

func first[A, B any](a A, _ B) A { return a }

// A server speaks no protocol that it was not given.
func TestProtocols(t *testing.T) {
	only := func(set func(*http.Protocols, bool)) func(*sockhttp.Server) {
		return func(s *sockhttp.Server) {
			s.Protocols = new(http.Protocols)
			set(s.Protocols, true)
		}
	}
	t.Run("HTTP/1", func(t *testing.T) {
		each2(t, http.HandlerFunc(echo), only((*http.Protocols).SetHTTP1),
			func(t *testing.T, s *sockhttp.Server, url string, config *tls.Config) {
				client, _ := client2(t, config, nil)
				if res, err := client.Get(url); err == nil {
					res.Body.Close()
					t.Errorf("HTTP/2: %v %s", res.Status, res.Header.Get("Proto"))
				}
			})
	})
	t.Run("HTTP/2", func(t *testing.T) {
		set := only((*http.Protocols).SetUnencryptedHTTP2)
		eachWay(t, http.HandlerFunc(echo), set, func(t *testing.T, addr string) {
			if got := exchange(t, addr, nil, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); got != "" {
				t.Errorf("HTTP/1: %q", got)
			}
		})
	})
	t.Run("later", func(t *testing.T) {
		// A connection begins with HTTP/2 or never: a front that speaks HTTP/1 would have passed this on as a request.
		const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
		set := func(s *sockhttp.Server) { s.Protocols = clear2() }
		eachWay(t, http.HandlerFunc(echo), set, func(t *testing.T, addr string) {
			got := exchange(t, addr, []int{len(get)}, get+"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
			// It is a request that handlers see, as by net/http.
			if strings.Count(got, "HTTP/1.1 200") != 2 || !strings.HasSuffix(got, "After: *\r\n\r\n") {
				t.Errorf("%q", got)
			}
		})
	})
}

// Whether clients of TLS are offered HTTP/2 is what net/http makes of GODEBUG.
func TestHTTP2Allowed(t *testing.T) {
	const child = "SOCKHTTP_TEST_ALLOWED"
	if os.Getenv(child) == "" {
		for _, setting := range []string{"http2server=0", "http2server=1", "http2server=0,http2server=1"} {
			cmd := exec.Command(os.Args[0], "-test.run=^TestHTTP2Allowed$")
			cmd.Env = append(os.Environ(), child+"=1", "GODEBUG="+setting)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", setting, err, out)
			}
		}
		return
	}
	config, trusting := certified(t)
	trusted := trusting.Transport.(*http.Transport).TLSClientConfig
	trusted.ServerName = "example.com"
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: trusted.Clone(), ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	var protos [2]string
	for i, serve := range []func(net.Listener) error{
		func(ln net.Listener) error { return (&http.Server{TLSConfig: config}).ServeTLS(ln, "", "") },
		func(ln net.Listener) error { return (&sockhttp.Server{TLSConfig: config}).ServeTLS(ln, "", "") },
	} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		go serve(ln)
		res, err := client.Get("https://" + ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		protos[i] = res.Proto
	}
	if protos[0] != protos[1] {
		t.Errorf("net/http speaks %s, sockhttp %s", protos[0], protos[1])
	}
}

// pieces sends what is written first byte by byte.
type pieces struct {
	net.Conn
	left int
}

func (p *pieces) Write(b []byte) (n int, err error) {
	for ; p.left > 0 && n < len(b); p.left-- {
		if _, err := p.Conn.Write(b[n : n+1]); err != nil {
			return n, err
		}
		n++
	}
	k, err := p.Conn.Write(b[n:])
	return n + k, err
}

// The first bytes may come one by one, also where nothing else is spoken.
func TestHTTP2PrefaceInPieces(t *testing.T) {
	only2 := func(s *sockhttp.Server) {
		if s.Protocols != nil {
			s.Protocols.SetHTTP1(false)
		}
	}
	each2(t, http.HandlerFunc(echo), only2, func(t *testing.T, s *sockhttp.Server, url string, config *tls.Config) {
		client, _ := client2(t, config, func(nc net.Conn) net.Conn { return &pieces{nc, 60} })
		res, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := res.Header.Get("Proto"); got != "HTTP/2.0" {
			t.Error(got)
		}
	})
}

// halting is a handler that answers when it is told to, and counts those that are in it.
type halting struct{ in, goes chan struct{} }

func newHalting() *halting { return &halting{make(chan struct{}, 1), make(chan struct{})} }

func (h *halting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.in <- struct{}{}
	select {
	case <-h.goes:
		io.WriteString(w, "whole")
	case <-r.Context().Done():
	}
}

// A server that ends in order answers what is under way, and tells its peers to go.
func TestHTTP2Shutdown(t *testing.T) {
	for _, end := range []string{"Shutdown", "SetKeepAlivesEnabled"} {
		t.Run(end, func(t *testing.T) {
			h := newHalting()
			waits := sockhttp.Goroutine(h)
			each2(t, waits, nil, func(t *testing.T, s *sockhttp.Server, url string, config *tls.Config) {
				client, dials := client2(t, config, nil)
				answered := make(chan error, 1)
				go func() {
					res, err := client.Get(url)
					if err == nil {
						var p []byte
						if p, err = io.ReadAll(res.Body); string(p) != "whole" {
							err = errors.Join(err, fmt.Errorf("the answer is %q", p))
						}
						res.Body.Close()
					}
					answered <- err
				}()
				patience.Recv(t, "the request", h.in)
				ended := make(chan error, 1)
				if end == "Shutdown" {
					gone, cancel := context.WithCancel(context.Background())
					cancel()
					patience.Until(t, "the end of accepts", func() bool {
						if err := s.Shutdown(gone); err != context.Canceled {
							t.Fatalf("Shutdown beside a request: %v", err)
						}
						nc, err := net.Dial("tcp", url[strings.LastIndex(url, "/")+1:])
						if err == nil {
							nc.Close()
						}
						return err != nil
					})
					for range 100 {
						if err := s.Shutdown(gone); err != context.Canceled {
							t.Fatalf("Shutdown beside a request: %v", err)
						}
					}
					go func() { ended <- s.Shutdown(context.Background()) }()
				} else {
					s.SetKeepAlivesEnabled(false)
					ended <- nil
				}
				h.goes <- struct{}{}
				if err := patience.Recv(t, "the answer", answered); err != nil {
					t.Error(err)
				}
				if err := patience.Recv(t, "the end", ended); err != nil {
					t.Error(err)
				}
				if end == "Shutdown" {
					if res, err := client.Get(url); err == nil {
						res.Body.Close()
						t.Errorf("after Shutdown: %s", res.Status)
					}
					return
				}
				go func() { <-h.in; h.goes <- struct{}{} }()
				res, err := client.Get(url)
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
				if n := dials(); n != 2 {
					t.Errorf("%d connections for two requests", n)
				}
			})
		})
	}
}

// told is a connection that says when the other side has ended it.
type told struct {
	net.Conn
	end func()
}

func (c told) Read(p []byte) (n int, err error) {
	if n, err = c.Conn.Read(p); err != nil {
		c.end()
	}
	return n, err
}

// The peers of all listeners hear of Shutdown at once, also if one of them has a request that goes on.
func TestHTTP2ShutdownTellsAll(t *testing.T) {
	h := newHalting()
	s := &sockhttp.Server{Handler: h, Protocols: clear2()}
	var clients [2]*http.Client
	var urls [2]string
	gone := make(chan bool, 2)
	ask := func(i int) error {
		res, err := clients[i].Get(urls[i])
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
		return err
	}
	for i := range clients {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		urls[i] = "http://" + ln.Addr().String()
		go s.Serve(ln)
		clients[i], _ = client2(t, nil, func(nc net.Conn) net.Conn {
			return told{nc, sync.OnceFunc(func() { gone <- i == 1 })}
		})
		go func() { h.goes <- <-h.in }()
		if err := ask(i); err != nil {
			t.Fatal(err)
		}
	}
	answered, ended := make(chan error, 1), make(chan error, 1)
	go func() { answered <- ask(0) }()
	patience.Recv(t, "the request", h.in)
	go func() { ended <- s.Shutdown(context.Background()) }()
	if !patience.Recv(t, "the end of the idle connection", gone) {
		t.Error("the other one has ended")
	}
	h.goes <- struct{}{}
	for _, ch := range []chan error{answered, ended} {
		if err := patience.Recv(t, "the answer, and Shutdown", ch); err != nil {
			t.Error(err)
		}
	}
}

// Close ends requests, and so does a Run that gives no grace.
func TestHTTP2Close(t *testing.T) {
	h := newHalting()
	each2(t, sockhttp.Goroutine(h), nil, func(t *testing.T, s *sockhttp.Server, url string, config *tls.Config) {
		client, _ := client2(t, config, nil)
		failed := make(chan error, 1)
		go func() {
			res, err := client.Get(url)
			if err == nil {
				_, err = io.ReadAll(res.Body)
				res.Body.Close()
			}
			failed <- err
		}()
		patience.Recv(t, "the request", h.in)
		s.Close()
		if err := patience.Recv(t, "the end of the request", failed); err == nil {
			t.Error("it was answered")
		}
	})
}

// A program that drains does what Shutdown does, and waits for answers for as long as its Grace is.
func TestHTTP2Drain(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, graceful := range []bool{true, false} {
			t.Run(fmt.Sprint(graceful), func(t *testing.T) {
				h := newHalting()
				cfg := cfg
				cfg.Loops, cfg.Grace = 1, patience.Max // one: another's drain would tell the connection, too
				if !graceful {
					cfg.Grace = -1
				}
				ctx, drain := context.WithCancel(context.Background())
				defer drain()
				at, ended := make(chan net.Addr, 1), make(chan error, 1)
				s := &sockhttp.Server{Handler: h, Protocols: clear2(),
					BaseContext: func(ln net.Listener) context.Context {
						select {
						case at <- ln.Addr():
						default:
						}
						return context.Background()
					}}
				go func() { ended <- s.ListenAndServe(ctx, &cfg, "127.0.0.1:0") }()
				url := "http://" + patience.Recv(t, "the address", at).String()
				r := dial2(t, url)
				r.send(getOn(1))
				patience.Recv(t, "the request", h.in)
				drain()
				for waits := graceful; ; {
					f, err := r.next()
					if waits && err == nil && f.kind == goAway && f.code() == 0 {
						waits = false
						h.goes <- struct{}{}
					}
					if f.kind == data && string(f.payload) == "whole" {
						break
					} else if err != nil {
						if graceful {
							t.Errorf("no answer, or no word of the drain before it: %v", err)
						}
						break
					}
				}
				r.Close() // as a client does that was told to go
				if err := patience.Recv(t, "the end of Run", ended); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// Peers hear of a drain also while the program itself has all slots of Offload.
func TestHTTP2DrainWithoutSlots(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops, cfg.Offload, cfg.Grace = 1, 1, patience.Max
		ctx, drain := context.WithCancel(context.Background())
		defer drain()
		at, ended := make(chan net.Addr, 1), make(chan error, 1)
		gone := make(chan bool, 1)
		s := &sockhttp.Server{Handler: http.HandlerFunc(echo), Protocols: clear2()}
		go func() {
			ended <- ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
				ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				l.Go(func() {
					l.Offload(func(context.Context) error {
						at <- ln.Addr()
						<-gone
						return nil
					})
				})
				if err := s.Serve(ln); err != http.ErrServerClosed {
					return err
				}
				return nil
			})
		}()
		url := "http://" + patience.Recv(t, "the address", at).String()
		heard := make(chan bool, 1)
		client, _ := client2(t, nil, func(nc net.Conn) net.Conn {
			return told{nc, sync.OnceFunc(func() { heard <- true })}
		})
		res, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		drain()
		patience.Recv(t, "the end of the connection", heard)
		gone <- true
		if err := patience.Recv(t, "the end of Run", ended); err != nil {
			t.Error(err)
		}
	})
}

// states is what ConnState is told of one connection.
type states struct {
	mu   sync.Mutex
	all  []http.ConnState
	over chan bool
}

func (s *states) tell(_ net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, state)
	if state == http.StateClosed {
		s.over <- true
	}
}

// ofOne has a client make a request, and gives what was told of its connection.
func (s *states) ofOne(t *testing.T, client *http.Client, url string) []http.ConnState {
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, res.Body)
	res.Body.Close()
	client.CloseIdleConnections()
	patience.Recv(t, "the end of the connection", s.over)
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.all
	s.all = nil
	return all
}

// ConnState is told what net/http's server tells.
func TestHTTP2ConnState(t *testing.T) {
	told := &states{over: make(chan bool, 1)}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	std := &http.Server{Handler: http.HandlerFunc(echo), Protocols: clear2(), ConnState: told.tell}
	go std.Serve(ln)
	defer std.Close()
	client, _ := client2(t, nil, nil)
	want := told.ofOne(t, client, "http://"+ln.Addr().String())
	each2(t, http.HandlerFunc(echo), func(s *sockhttp.Server) { s.ConnState = told.tell },
		func(t *testing.T, s *sockhttp.Server, url string, config *tls.Config) {
			client, _ := client2(t, config, nil)
			if got := told.ofOne(t, client, url); !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		})
}

// Of each connection the end is the last that ConnState is told, also when net/http is about to tell something else.
func TestHTTP2ConnStateEnds(t *testing.T) {
	var mu sync.Mutex
	var open, late int
	over := map[net.Conn]bool{}
	tell := func(nc net.Conn, state http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case over[nc]:
			late++
		case state == http.StateNew:
			open++
		case state == http.StateClosed:
			open--
			over[nc] = true
		}
	}
	each2(t, http.HandlerFunc(echo), func(s *sockhttp.Server) { s.ConnState = tell },
		func(t *testing.T, s *sockhttp.Server, url string, config *tls.Config) {
			var all sync.WaitGroup
			for range 20 {
				client, _ := client2(t, config, nil)
				res, err := client.Get(url) // it is there
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				all.Go(func() {
					for {
						res, err := client.Get(url)
						if err != nil {
							return
						}
						io.Copy(io.Discard, res.Body)
						res.Body.Close()
					}
				})
			}
			s.Close()
			all.Wait()
			patience.Until(t, "the end of all connections", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return open == 0
			})
			mu.Lock()
			defer mu.Unlock()
			if late > 0 {
				t.Errorf("told of %d connections that had ended", late)
			}
			clear(over)
		})
}

// A request of HTTP/2 allocates less than half of what it does in net/http's server, and a quarter in a task.
func TestHTTP2Allocs(t *testing.T) {
	if race.Enabled || invariant.Enabled {
		t.Skip("the race detector allocates, and nothing is reused with invariants")
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "Hello, World!") })
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	std := &http.Server{Handler: h, Protocols: clear2()}
	go std.Serve(ln)
	defer std.Close()
	std2 := allocs2(t, ln.Addr().String())
	socktestEach(t, func(t *testing.T, cfg ringo.Config) {
		for part, h := range map[float64]http.Handler{4: sockhttp.Task(h), 2: h} {
			addr := serve(t, cfg, "", &sockhttp.Server{Handler: h, Protocols: clear2()})
			if n := allocs2(t, addr); n > std2/part {
				t.Errorf("%.1f allocations a request, by net/http %.1f, of which it may have 1/%v", n, std2, part)
			}
		}
	})
}

// allocs2 counts those of a GET.
func allocs2(t *testing.T, addr string) float64 {
	t.Helper()
	r := dial2(t, "http://"+addr)
	r.send(made(window, 0, 0, word(1<<30)))
	id, asked, answer := uint32(1), []byte(getOn(1)), make([]byte, 1<<14)
	return alloctest.Least(200, 0.01, func() {
		binary.BigEndian.PutUint32(asked[5:], id)
		id += 2
		r.Write(asked)
		for over := false; !over; {
			if _, err := io.ReadFull(r, answer[:9]); err != nil {
				t.Fatal(err)
			}
			over = answer[3] == data && answer[4]&endStream != 0
			if _, err := io.ReadFull(r, answer[:int(answer[1])<<8|int(answer[2])]); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A handler's Content-Length goes out once, and no trailer says what may be said of a body only before it, as with
// net/http.
func TestHTTP2FieldsOfHandlers(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Length"] = []string{"1", "2"}
		io.WriteString(w, "x")
		w.Header().Set(http.TrailerPrefix+"Content-Length", "3")
		w.Header().Set(http.TrailerPrefix+"Sum", "4")
	})
	each2(t, h, nil, func(t *testing.T, _ *sockhttp.Server, url string, config *tls.Config) {
		client, _ := client2(t, config, nil)
		answer, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		b, err := io.ReadAll(answer.Body)
		if string(b) != "x" || err != nil || answer.ContentLength != 1 {
			t.Errorf("%q of %d bytes, %v", b, answer.ContentLength, err)
		}
		if len(answer.Trailer) != 1 || answer.Trailer.Get("Sum") != "4" {
			t.Errorf("trailers: %v", answer.Trailer)
		}
	})
}

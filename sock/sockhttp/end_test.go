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
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

// certified is a configuration for a server, and a client that trusts it.
func certified(t *testing.T) (*tls.Config, *http.Client) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return &tls.Config{Certificates: s.TLS.Certificates}, s.Client()
}

// connect dials, by TLS if there is a client that trusts the server, and sends something.
func connect(t *testing.T, addr string, client *http.Client, sent string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c := net.Conn(dial(t, addr))
	if client != nil {
		config := client.Transport.(*http.Transport).TLSClientConfig.Clone()
		config.ServerName = "example.com"
		secure := tls.Client(c, config)
		if err := secure.Handshake(); err != nil {
			t.Fatal(err)
		}
		c = secure
	}
	if _, err := io.WriteString(c, sent); err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

// A program that drains closes connections that rest, and answers the request that is under way, which is the last.
func TestDrain(t *testing.T) {
	config, trusting := certified(t)
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "plain", true: "TLS"}[secure], func(t *testing.T) {
			client := map[bool]*http.Client{true: trusting}[secure]
			socktestEach(t, func(t *testing.T, cfg ringo.Config) {
				cfg.Grace = time.Hour // nobody waits for its end
				in, out := make(chan bool), make(chan bool)
				s := &sockhttp.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/slow" {
						in <- true
						<-out
					}
					io.WriteString(w, "answered")
				}), ErrorLog: slog.New(slog.DiscardHandler)}
				ctx, drain := context.WithCancel(t.Context())
				defer drain()
				at, ended := make(chan string, 1), make(chan error, 1)
				go func() {
					ended <- ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
						ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
						if err != nil {
							return err
						}
						at <- ln.Addr().String()
						if secure {
							s.TLSConfig = config
							err = s.ServeTLS(ln, "", "")
						} else {
							err = s.Serve(ln)
						}
						if err == http.ErrServerClosed {
							err = nil
						}
						return err
					})
				}()
				addr := patience.Recv(t, "the address", at)
				_, idle := connect(t, addr, client, get(""))
				until(t, idle, "answered")
				_, busy := connect(t, addr, client, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
				patience.Recv(t, "the slow request", in)
				drain()
				if _, err := idle.ReadByte(); err != io.EOF {
					t.Errorf("a connection that rests ends by %v", err)
				}
				close(out)
				got, err := io.ReadAll(busy)
				if text := string(got); !strings.Contains(text, "\r\nConnection: close\r\n") ||
					!strings.HasSuffix(text, "answered") || err != nil {
					t.Errorf("the last answer is %q, %v", got, err)
				}
				if err := patience.Recv(t, "the end", ended); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A drain leaves connections that rest time for one more request where Linger says so, or gives them to Drain, whose
// connections another Run's server takes by More and serves on.
func TestDrainLingers(t *testing.T) {
	socktestEach(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Grace = time.Hour // nobody waits for its end
		passed := ringo.NewChan[*sock.Conn](0)
		var passes net.Conn
		gone := make(chan bool, 1)
		busy, out := make(chan bool), make(chan bool)
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/promised":
				w.Header().Set("Content-Length", "8")
				http.NewResponseController(w).Flush()
				fallthrough
			case "/slow":
				busy <- true
				<-out
			}
			io.WriteString(w, "answered")
		})
		next := make(chan *ringo.Loop, 1)
		run := func(ctx context.Context, s *sockhttp.Server) (addr string, ended chan error) {
			s.ErrorLog = slog.New(slog.DiscardHandler)
			at := make(chan string, 1)
			ended = make(chan error, 1)
			go func() {
				ended <- ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
					ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
					if err != nil {
						return err
					}
					if s.More != nil {
						next <- l
					}
					at <- ln.Addr().String()
					if err := s.Serve(ln); err != http.ErrServerClosed {
						return err
					}
					return nil
				})
			}()
			return patience.Recv(t, "the address", at), ended
		}
		later, endLater := context.WithCancel(t.Context())
		defer endLater()
		_, laterEnded := run(later, &sockhttp.Server{Handler: handler,
			More: func(*ringo.Loop) (*sock.Conn, error) { return passed.Recv() }})
		to := patience.Recv(t, "the other Run's loop", next)

		ctx, drain := context.WithCancel(t.Context())
		defer drain()
		s := &sockhttp.Server{Handler: handler, Linger: time.Hour, Drain: func(c *sock.Conn) error {
			if c.Value() == nil {
				t.Error("the connection has not been served")
			}
			if c.RemoteAddr().String() != passes.LocalAddr().String() {
				return errors.New("this one stays")
			}
			moved, err := c.MoveTo(to)
			if err == nil {
				err = passed.Send(moved)
				gone <- true
			}
			return err
		}}
		addr, ended := run(ctx, s)
		var rest []*bufio.Reader
		var conns []net.Conn
		for range 2 {
			c, r := connect(t, addr, nil, get(""))
			until(t, r, "answered")
			conns, rest = append(conns, c), append(rest, r)
		}
		passes = conns[1]
		_, last := connect(t, addr, nil, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
		patience.Recv(t, "the slow request", busy)
		promised, once := connect(t, addr, nil, "GET /promised HTTP/1.1\r\nHost: a\r\n\r\n")
		patience.Recv(t, "the other slow request", busy)
		silent, nothing := connect(t, addr, nil, "")
		drain()
		patience.Recv(t, "one to be passed on", gone)

		// The one that is passed on is served by the other Run, and stays when this one has ended.
		io.WriteString(passes, get(""))
		until(t, rest[1], "answered")
		close(out)
		if got, err := io.ReadAll(last); !strings.Contains(string(got), "\r\nConnection: close\r\n") || err != nil {
			t.Errorf("the answer of one that was busy is %q, %v", got, err)
		}
		if head := until(t, once, "answered"); strings.Contains(head, "\r\nConnection: close\r\n") {
			t.Errorf("the head of one that was sent before the drain is %q", head)
		}
		io.WriteString(promised, get(""))
		if got, err := io.ReadAll(once); !strings.HasSuffix(string(got), "answered") || err != nil {
			t.Errorf("behind an answer that did not forbid it: %q, %v", got, err)
		}
		io.WriteString(conns[0], get(""))
		if got, err := io.ReadAll(rest[0]); !strings.Contains(string(got), "\r\nConnection: close\r\n") ||
			!strings.HasSuffix(string(got), "answered") || err != nil {
			t.Errorf("the answer of one that lingered is %q, %v", got, err)
		}
		io.WriteString(silent, get(""))
		if got, err := io.ReadAll(nothing); !strings.HasSuffix(string(got), "answered") || err != nil {
			t.Errorf("the answer of one that had said nothing is %q, %v", got, err)
		}
		if err := patience.Recv(t, "the end", ended); err != nil {
			t.Error(err)
		}
		io.WriteString(passes, get(""))
		until(t, rest[1], "answered")
		passed.Close()
		endLater()
		if got, err := io.ReadAll(rest[1]); len(got) > 0 || err != nil {
			t.Errorf("behind the end of the other Run: %q, %v", got, err)
		}
		if err := patience.Recv(t, "the other end", laterEnded); err != nil {
			t.Error(err)
		}
	})
}

// By TLS too a connection that rests may send one more request, also behind an answer that has not forbidden it.
func TestDrainLingersByTLS(t *testing.T) {
	config, trusting := certified(t)
	socktestEach(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Grace = time.Hour // nobody waits for its end
		busy, out := make(chan bool), make(chan bool)
		s := &sockhttp.Server{Linger: time.Hour, TLSConfig: config, ErrorLog: slog.New(slog.DiscardHandler),
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/promised" {
					w.Header().Set("Content-Length", "8")
					http.NewResponseController(w).Flush()
					busy <- true
					<-out
				}
				io.WriteString(w, "answered")
			})}
		ctx, drain := context.WithCancel(t.Context())
		defer drain()
		at, ended, drains := make(chan string, 1), make(chan error, 1), make(chan bool)
		go func() {
			ended <- ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
				ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				l.OnDrain(func() { close(drains) })
				at <- ln.Addr().String()
				if err := s.ServeTLS(ln, "", ""); err != http.ErrServerClosed {
					return err
				}
				return nil
			})
		}()
		addr := patience.Recv(t, "the address", at)
		rests, rest := connect(t, addr, trusting, get(""))
		until(t, rest, "answered")
		promised, once := connect(t, addr, trusting, "GET /promised HTTP/1.1\r\nHost: a\r\n\r\n")
		patience.Recv(t, "the slow request", busy)
		drain()
		patience.Recv(t, "the drain", drains)
		close(out)
		if head := until(t, once, "answered"); strings.Contains(head, "\r\nConnection: close\r\n") {
			t.Errorf("the head of one that was sent before the drain is %q", head)
		}
		for name, c := range map[string]struct {
			io.Writer
			io.Reader
		}{"that rests": {rests, rest}, "that was promised to": {promised, once}} {
			io.WriteString(c, get(""))
			if got, err := io.ReadAll(c); !strings.Contains(string(got), "\r\nConnection: close\r\n") ||
				!strings.HasSuffix(string(got), "answered") || err != nil {
				t.Errorf("the last answer to one %s is %q, %v", name, got, err)
			}
		}
		if err := patience.Recv(t, "the end", ended); err != nil {
			t.Error(err)
		}
	})
}

// An answer that breaks off is not to be taken for whole, also where its end is that of the connection: that is reset,
// and TLS ends without close_notify. One whose chunks, or length, say that it is not whole ends in order.
func TestBreaksOff(t *testing.T) {
	config, trusting := certified(t)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/length" {
			w.Header().Set("Content-Length", "100")
		}
		io.WriteString(w, "a part")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	set := func(s *sockhttp.Server) { s.TLSConfig = config }
	inWays(t, append([]string{"tls"}, ways...), h, set, func(t *testing.T, addr string) {
		var client *http.Client
		if strings.HasSuffix(t.Name(), "/tls") {
			client = trusting
		}
		for text, whole := range map[string]bool{
			"GET / HTTP/1.0\r\n\r\n":                  false,
			"GET /length HTTP/1.0\r\n\r\n":            true,
			"GET / HTTP/1.1\r\nHost: a\r\n\r\n":       true,
			"GET /length HTTP/1.1\r\nHost: a\r\n\r\n": true,
		} {
			_, r := connect(t, addr, client, text)
			if got, err := io.ReadAll(r); (err == nil) != whole {
				t.Errorf("%q: %q, %v", text, got, err)
			}
		}
	})
}

// A server that is shut down, or closed, waits for no more connections.
func TestMoreEndsWithServer(t *testing.T) {
	socktestEach(t, func(t *testing.T, cfg ringo.Config) {
		for _, close := range []bool{false, true} {
			never, waits := ringo.NewChan[*sock.Conn](0), make(chan bool, 1)
			s := &sockhttp.Server{More: func(*ringo.Loop) (*sock.Conn, error) {
				waits <- true
				return never.Recv()
			}}
			ended := make(chan error, 1)
			go func() {
				ended <- ringo.Run(t.Context(), &cfg, func(l *ringo.Loop) error {
					ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
					if err != nil {
						return err
					}
					if err := s.Serve(ln); err != http.ErrServerClosed {
						return err
					}
					return nil
				})
			}()
			patience.Recv(t, "More to be called", waits)
			var err error
			if close {
				err = s.Close()
			} else {
				err = s.Shutdown(t.Context())
			}
			if err != nil {
				t.Error(err)
			}
			if err := patience.Recv(t, "the end", ended); err != nil {
				t.Error(err)
			}
		}
	})
}

// Who asks for nothing more in all of Linger is closed.
func TestDrainLingersNoLonger(t *testing.T) {
	socktestEach(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Grace = time.Hour
		s := &sockhttp.Server{Handler: http.NotFoundHandler(), Linger: time.Millisecond}
		ctx, drain := context.WithCancel(t.Context())
		defer drain()
		at, ended := make(chan string, 1), make(chan error, 1)
		go func() {
			ended <- ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
				ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				at <- ln.Addr().String()
				if err := s.Serve(ln); err != http.ErrServerClosed {
					return err
				}
				return nil
			})
		}()
		_, r := connect(t, patience.Recv(t, "the address", at), nil, get(""))
		until(t, r, "not found")
		drain()
		if got, err := io.ReadAll(r); len(strings.TrimSpace(string(got))) > 0 || err != nil {
			t.Errorf("behind the answer comes %q, %v", got, err)
		}
		if err := patience.Recv(t, "the end", ended); err != nil {
			t.Error(err)
		}
	})
}

// A client of net/http's gets by TLS what it asks for, and a handler sees the connection's state.
func TestTLS(t *testing.T) {
	config, client := certified(t)
	client.Transport.(*http.Transport).TLSClientConfig.ServerName = "example.com"
	defer client.CloseIdleConnections()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || !r.TLS.HandshakeComplete {
			t.Errorf("TLS is %+v", r.TLS)
		}
		io.Copy(w, r.Body)
	})
	for _, task := range []bool{false, true} {
		socktestEach(t, func(t *testing.T, cfg ringo.Config) {
			s := &sockhttp.Server{Handler: h, TLSConfig: config, ErrorLog: slog.New(slog.DiscardHandler)}
			if task {
				s.Handler = sockhttp.Task(h)
			}
			addr := serve(t, cfg, "tls", s)
			for range 3 {
				resp, err := client.Post("https://"+addr, "x/y", strings.NewReader("a body"))
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if string(got) != "a body" || err != nil {
					t.Errorf("answered %q, %v", got, err)
				}
			}
			plain := dial(t, addr)
			io.WriteString(plain, get(""))
			if got, _ := io.ReadAll(plain); !strings.HasPrefix(string(got), "HTTP/1.0 400 ") {
				t.Errorf("a client without TLS gets %q", got)
			}
			client.CloseIdleConnections()
		})
	}
}

// Shutdown waits for the answer under way and for who has connected just before, and Serve returns ErrServerClosed, as
// it does ever after.
func TestShutdown(t *testing.T) {
	in, out := make(chan bool), make(chan bool)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in <- true
		<-out
		io.WriteString(w, "answered")
	})
	socktestEach(t, func(t *testing.T, cfg ringo.Config) {
		for _, way := range []string{"loop", "listener"} {
			s := &sockhttp.Server{Handler: h, ErrorLog: slog.New(slog.DiscardHandler)}
			addr := serve(t, cfg, way, s)
			fresh, c := dial(t, addr), dial(t, addr)
			io.WriteString(c, get(""))
			patience.Recv(t, "the request", in)
			ended := make(chan error, 1)
			go func() { ended <- s.Shutdown(t.Context()) }()
			patience.Until(t, "the listener to close", func() bool {
				probe, err := net.Dial("tcp", addr)
				if err == nil {
					probe.Close()
				}
				return err != nil
			})
			select {
			case err := <-ended:
				t.Errorf("%s: Shutdown has not waited: %v", way, err)
			default:
			}
			io.WriteString(fresh, get(""))
			patience.Recv(t, "the request of who had connected", in)
			for range 2 { // whichever handler takes it
				out <- true
			}
			for _, c := range []net.Conn{c, fresh} {
				if got, _ := io.ReadAll(c); !strings.HasSuffix(string(got), "answered") {
					t.Errorf("%s: answered %q", way, got)
				}
			}
			if err := patience.Recv(t, "Shutdown", ended); err != nil {
				t.Errorf("%s: %v", way, err)
			}
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Serve(ln); err != http.ErrServerClosed {
				t.Errorf("%s: Serve again: %v", way, err)
			}
		}
	})
}

// waiting is a handler that answers once the Chan is closed, and that a task may run.
type waiting struct {
	in   chan struct{}
	goes *ringo.Chan[struct{}]
}

func (h waiting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.in <- struct{}{}
	if _, err := h.goes.RecvContext(r.Context()); err == ringo.ErrClosed {
		io.WriteString(w, "answered")
	}
}

// Shutdown lets requests under way be answered also where ListenAndServe has a Run of its own, one loop of which has
// no connections.
func TestShutdownOfRun(t *testing.T) {
	config, trusting := certified(t)
	client := trusting.Transport.(*http.Transport).TLSClientConfig.Clone()
	client.ServerName = "example.com"
	for _, way := range []string{"goroutine", "task", "TLS", "HTTP/2", "HTTP/2 by TLS"} {
		t.Run(way, func(t *testing.T) {
			socktestEach(t, func(t *testing.T, cfg ringo.Config) {
				cfg.Loops = 2
				h := waiting{make(chan struct{}, 1), ringo.NewChan[struct{}](0)}
				at, ended := make(chan net.Addr, 2), make(chan error, 1)
				s := &sockhttp.Server{Handler: h, TLSConfig: config, ErrorLog: slog.New(slog.DiscardHandler),
					BaseContext: func(ln net.Listener) context.Context {
						at <- ln.Addr()
						return context.Background()
					}}
				tr := &http.Transport{Protocols: new(http.Protocols)}
				defer tr.CloseIdleConnections()
				tr.Protocols.SetHTTP1(!strings.HasPrefix(way, "HTTP/2"))
				url := "http://"
				switch way {
				case "task":
					s.Handler = sockhttp.Task(h)
				case "HTTP/2":
					s.Protocols = clear2()
					tr.Protocols.SetUnencryptedHTTP2(true)
				case "TLS", "HTTP/2 by TLS":
					url, tr.TLSClientConfig = "https://", client
					tr.Protocols.SetHTTP2(way != "TLS")
				}
				go func() {
					if url == "https://" {
						ended <- s.ListenAndServeTLS(t.Context(), &cfg, "127.0.0.1:0", "", "")
					} else {
						ended <- s.ListenAndServe(t.Context(), &cfg, "127.0.0.1:0")
					}
				}()
				url += patience.Recv(t, "the address", at).String()
				patience.Recv(t, "the other loop", at)
				answered := make(chan string, 1)
				go func() {
					res, err := (&http.Client{Transport: tr}).Get(url)
					if err != nil {
						answered <- err.Error()
						return
					}
					defer res.Body.Close()
					got, err := io.ReadAll(res.Body)
					answered <- fmt.Sprint(string(got), " ", err)
				}()
				patience.Recv(t, "the request", h.in)
				shut := make(chan error, 1)
				go func() { shut <- s.Shutdown(context.Background()) }()
				patience.Until(t, "the end of accepts", func() bool {
					probe, err := net.Dial("tcp", url[strings.LastIndex(url, "/")+1:])
					if err == nil {
						probe.Close()
					}
					return err != nil
				})
				select {
				case err := <-ended:
					t.Errorf("ListenAndServe has not waited: %v", err)
					ended <- err
				default:
				}
				h.goes.Close()
				if got := patience.Recv(t, "the answer", answered); got != "answered <nil>" {
					t.Error(got)
				}
				if err := patience.Recv(t, "Shutdown", shut); err != nil {
					t.Errorf("Shutdown: %v", err)
				}
				if err := patience.Recv(t, "the end of Run", ended); err != http.ErrServerClosed {
					t.Errorf("ListenAndServe: %v", err)
				}
			})
		})
	}
}

// held is a request at which its handler stays until it is let go.
type held struct{ in, out chan bool }

func (h held) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/held" {
		h.in <- true
		<-h.out
	}
	io.WriteString(w, "answered")
}

// Once no connection may wait for another request, those that do are closed; the others have one answer more, also who
// has sent nothing, or a part of a head. What may wait again, does.
func TestSetKeepAlivesEnabled(t *testing.T) {
	config, trusting := certified(t)
	for _, way := range []string{"goroutine", "listener", "tls"} {
		t.Run(way, func(t *testing.T) {
			client := map[string]*http.Client{"tls": trusting}[way]
			socktestEach(t, func(t *testing.T, cfg ringo.Config) {
				h := held{make(chan bool), make(chan bool)}
				s := &sockhttp.Server{Handler: h, TLSConfig: config, ErrorLog: slog.New(slog.DiscardHandler)}
				addr := serve(t, cfg, way, s)
				connect := func(sent string) (net.Conn, *bufio.Reader) { return connect(t, addr, client, sent) }
				last := func(what string, r *bufio.Reader) {
					t.Helper()
					got, err := io.ReadAll(r)
					if text := string(got); !strings.Contains(text, "\r\nConnection: close\r\n") ||
						!strings.HasSuffix(text, "answered") || err != nil {
						t.Errorf("%s is answered %q, %v", what, got, err)
					}
				}
				_, idle := connect(get(""))
				until(t, idle, "answered")
				fresh, toFresh := connect("")
				_, busy := connect("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
				part, toPart := connect("GET / HTTP/1.1\r\n")
				patience.Recv(t, "the request", h.in)
				s.SetKeepAlivesEnabled(false)
				if _, err := idle.ReadByte(); err != io.EOF {
					t.Errorf("a connection that rests ends by %v", err)
				}
				h.out <- true
				last("a request under way", busy)
				io.WriteString(part, "Host: a\r\n\r\n")
				last("a head that had begun", toPart)
				io.WriteString(fresh, get(""))
				last("a new connection", toFresh)
				s.SetKeepAlivesEnabled(true)
				again, toAgain := connect(get(""))
				until(t, toAgain, "answered")
				io.WriteString(again, get("Connection: close\r\n"))
				last("the second request", toAgain)
			})
		})
	}
}

// A connection that begins to rest just when that is forbidden is closed.
func TestSetKeepAlivesEnabledAsItRests(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "answered") })
	set := func(s *sockhttp.Server) {
		s.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateIdle {
				s.SetKeepAlivesEnabled(false)
			}
		}
	}
	eachWay(t, h, set, func(t *testing.T, addr string) {
		c := dial(t, addr)
		io.WriteString(c, get(""))
		if got, err := io.ReadAll(c); !strings.HasSuffix(string(got), "answered") || err != nil {
			t.Errorf("answered %q, %v", got, err)
		}
	})
}

// Close ends the requests that are under way, too.
func TestClose(t *testing.T) {
	in, ended := make(chan bool), make(chan error)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in <- true
		_, err := io.ReadAll(r.Body)
		ended <- err
	})
	socktestEach(t, func(t *testing.T, cfg ringo.Config) {
		for _, way := range []string{"goroutine", "listener"} {
			s := &sockhttp.Server{Handler: h, ErrorLog: slog.New(slog.DiscardHandler)}
			addr := serve(t, cfg, way, s)
			c := dial(t, addr)
			io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
			patience.Recv(t, "the request", in)
			rests := dial(t, addr)
			if err := s.Close(); err != nil {
				t.Errorf("%s: %v", way, err)
			}
			if err := patience.Recv(t, "the handler", ended); err == nil {
				t.Errorf("%s: the body has come", way)
			}
			for _, c := range []net.Conn{c, rests} {
				if got, _ := io.ReadAll(c); len(got) > 0 {
					t.Errorf("%s: answered %q", way, got)
				}
			}
		}
	})
}

// What a handler has taken over is none of the server's, also while the handler runs.
func TestEndsLeaveWhatWasTakenOver(t *testing.T) {
	in, out := make(chan bool), make(chan bool)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		in <- true
		<-out
		io.WriteString(c, "taken over")
	})
	socktestEach(t, func(t *testing.T, cfg ringo.Config) {
		for _, way := range []string{"goroutine", "listener"} {
			s := &sockhttp.Server{Handler: h, ErrorLog: slog.New(slog.DiscardHandler)}
			addr := serve(t, cfg, way, s)
			c := dial(t, addr)
			io.WriteString(c, get(""))
			patience.Recv(t, "the request", in)
			ctx, cancel := context.WithDeadline(t.Context(), patience.Deadline())
			defer cancel()
			if err := s.Shutdown(ctx); err != nil {
				t.Errorf("%s: Shutdown: %v", way, err)
			}
			s.Close()
			out <- true
			if got, err := io.ReadAll(c); string(got) != "taken over" || err != nil {
				t.Errorf("%s: came %q, %v", way, got, err)
			}
		}
	})
}

// asking is a listener, and its connections, whose Close asks the server for something, as one of a loop does that
// waits for a task which is about to.
type asking struct {
	net.Listener
	s *sockhttp.Server
}

func (ln asking) Accept() (net.Conn, error) {
	c, err := ln.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return askingConn{c, ln.s}, nil
}

func (ln asking) Close() error {
	ln.s.RegisterOnShutdown(func() {})
	return ln.Listener.Close()
}

type askingConn struct {
	net.Conn
	s *sockhttp.Server
}

func (c askingConn) Close() error {
	c.s.RegisterOnShutdown(func() {})
	return c.Conn.Close()
}

// Whatever ends connections and listeners closes them with nothing locked that their Close may wait for.
func TestEndsHoldNoLock(t *testing.T) {
	for name, end := range map[string]func(*sockhttp.Server) error{
		"Close":    (*sockhttp.Server).Close,
		"Shutdown": func(s *sockhttp.Server) error { return s.Shutdown(context.Background()) },
		"SetKeepAlivesEnabled": func(s *sockhttp.Server) error {
			s.SetKeepAlivesEnabled(false)
			return s.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			idle := make(chan bool, 1)
			s := &sockhttp.Server{
				Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
				ConnState: func(_ net.Conn, state http.ConnState) {
					if state == http.StateIdle {
						idle <- true
					}
				},
			}
			served, ended := make(chan error, 1), make(chan error, 1)
			go func() { served <- s.Serve(asking{ln, s}) }()
			client := &http.Client{Transport: &http.Transport{}}
			answer, err := client.Get("http://" + ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			patience.Recv(t, "that the connection rests", idle)
			go func() { ended <- end(s) }()
			if err := patience.Recv(t, name, ended); err != nil {
				t.Error(err)
			}
			if err := patience.Recv(t, "the end of Serve", served); err != http.ErrServerClosed {
				t.Error(err)
			}
			client.CloseIdleConnections()
		})
	}
}

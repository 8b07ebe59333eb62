package sockhttp_test

import (
	"bufio"
	"context"
	"crypto/tls"
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

// A program that drains closes connections that rest, and answers the request that is under way, which is the last.
func TestDrain(t *testing.T) {
	config, client := certified(t)
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "plain", true: "TLS"}[secure], func(t *testing.T) {
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
				connect := func(path string) (net.Conn, *bufio.Reader) {
					c := net.Conn(dial(t, addr))
					if secure {
						config := client.Transport.(*http.Transport).TLSClientConfig.Clone()
						config.ServerName = "example.com"
						c = tls.Client(c, config)
					}
					if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
						t.Fatal(err)
					}
					return c, bufio.NewReader(c)
				}
				_, idle := connect("/")
				until(t, idle, "answered")
				_, busy := connect("/slow")
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
			io.WriteString(plain, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			if got, _ := io.ReadAll(plain); !strings.HasPrefix(string(got), "HTTP/1.0 400 ") {
				t.Errorf("a client without TLS gets %q", got)
			}
			client.CloseIdleConnections()
		})
	}
}

// Shutdown waits for the answer under way, and Serve returns ErrServerClosed, as it does ever after.
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
			c := dial(t, addr)
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
			out <- true
			if got, _ := io.ReadAll(c); !strings.HasSuffix(string(got), "answered") {
				t.Errorf("%s: answered %q", way, got)
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

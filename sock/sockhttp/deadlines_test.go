package sockhttp_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/sim"
	"ringo/sock"
	"ringo/sock/sockhttp"
	"ringo/sock/socktls"
)

// A timed is a client of a world that sends pieces, and pauses before each.
type timed struct {
	t     *testing.T
	l     *ringo.Loop
	c     net.Conn
	input *bufio.Reader
}

func (c *timed) send(pause time.Duration, pieces ...string) {
	for _, p := range pieces {
		c.l.Sleep(pause)
		if _, err := io.WriteString(c.c, p); err != nil {
			c.t.Errorf("write %q: %v", p, err)
		}
	}
}

// want reads an answer.
func (c *timed) want(status int, body string) {
	c.t.Helper()
	answer, err := http.ReadResponse(c.input, nil)
	if err != nil {
		c.t.Errorf("the answer: %v", err)
		return
	}
	got, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != status || string(got) != body {
		c.t.Errorf("%d %q, %v, want %d %q", answer.StatusCode, got, err, status, body)
	}
}

// wantEnd reads the connection's end.
func (c *timed) wantEnd() {
	c.t.Helper()
	if b, err := io.ReadAll(c.input); err != nil || len(b) > 0 {
		c.t.Errorf("%q, %v, want the end", b, err)
	}
}

// inTime plays a server, in the clear and by TLS, and a client.
func inTime(t *testing.T, s func() *sockhttp.Server, play func(c *timed)) {
	t.Helper()
	config, trusts := certified(t)
	for _, way := range []string{"clear", "tls"} {
		t.Run(way, func(t *testing.T) {
			sim.Run(t, 1, func(w *sim.World) {
				server, client := w.Host("server"), w.Host("client")
				server.Run(&ringo.Config{Loops: 1, Grace: time.Second}, func(l *ringo.Loop) error {
					ln, err := sock.Listen(l, "tcp", "server:8000")
					if err != nil {
						return err
					}
					s := s()
					s.ErrorLog = slog.New(slog.DiscardHandler)
					s.Handler = sockhttp.Task(s.Handler)
					if s.TLSConfig = config.Clone(); way == "tls" {
						err = s.ServeTLS(ln, "", "")
					} else {
						err = s.Serve(ln)
					}
					if err != http.ErrServerClosed {
						return err
					}
					return nil
				})
				w.Check(w.Wait(client.Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
					c, err := net.Conn(nil), error(nil)
					if c, err = sock.Dial(l, "tcp", "server:8000"); err != nil {
						return err
					}
					if way == "tls" {
						config := trusts.Transport.(*http.Transport).TLSClientConfig.Clone()
						config.ServerName = "example.com"
						c = socktls.Client(c, config)
					}
					defer c.Close()
					play(&timed{t, l, c, bufio.NewReader(c)})
					return nil
				})))
			})
		})
	}
}

// echoes answers with what it has read, and with the error of that, after a pause that the query says.
func echoes(w http.ResponseWriter, r *http.Request) {
	if d, err := time.ParseDuration(r.URL.RawQuery); err == nil {
		l, _ := ringo.Current()
		l.Sleep(d)
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		fmt.Fprintf(w, "%s, and %v", b, err)
		return
	}
	w.Write(b)
}

const getIt, postIt = "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"

// The time that a connection may be at rest is over with the first byte of a request.
func TestIdleTimeoutEndsWithRest(t *testing.T) {
	inTime(t, func() *sockhttp.Server {
		return &sockhttp.Server{Handler: http.HandlerFunc(echoes), IdleTimeout: 4 * time.Second}
	}, func(c *timed) {
		c.send(0, getIt)
		c.want(200, "")
		c.send(3*time.Second, postIt, "a", "b", "c", "d") // a body that takes its time
		c.want(200, "abcd")
		c.send(3*time.Second, postIt[:9], postIt[9:20], postIt[20:]+"a", "bcd") // and a head
		c.want(200, "abcd")
		c.send(3*time.Second, getIt+postIt, "a", "bcd") // and a head behind another
		c.want(200, "")
		c.want(200, "abcd")
		began := c.l.Now()
		c.wantEnd()
		if took := c.l.Now().Sub(began); took < 4*time.Second || took > 5*time.Second {
			t.Errorf("ended after %v at rest", took)
		}
	})
}

// A deadline that a handler has set is over with its answer.
func TestDeadlineOfAHandlerEndsWithIt(t *testing.T) {
	inTime(t, func() *sockhttp.Server {
		return &sockhttp.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "GET" {
				ends := http.NewResponseController(w)
				l, _ := ringo.Current()
				ends.SetReadDeadline(l.Now().Add(time.Second))
				ends.SetWriteDeadline(l.Now().Add(time.Second))
			}
			echoes(w, r)
		})}
	}, func(c *timed) {
		c.send(0, getIt)
		c.want(200, "")
		c.send(2*time.Second, postIt, "ab", "cd")
		c.want(200, "abcd")
		c.send(2*time.Second, getIt)
		c.want(200, "")
		c.send(2*time.Second, "GET\r\n") // which no handler sees
		c.want(400, "400 Bad Request")
	})
}

// What has come in time is read, however late that is.
func TestBodyThatIsHereIsInTime(t *testing.T) {
	inTime(t, func() *sockhttp.Server {
		return &sockhttp.Server{Handler: http.HandlerFunc(echoes), ReadTimeout: 3 * time.Second}
	}, func(c *timed) {
		late := strings.Replace(postIt, "/", "/?5s", 1)
		c.send(0, late+"abcd")
		c.want(200, "abcd")
		chunks := "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"
		c.send(0, strings.Replace(late, "Content-Length: 4", "Transfer-Encoding: chunked", 1)+chunks)
		c.want(200, "abcd")
		c.send(0, late+"ab")
		c.want(200, "ab, and "+c.timeout())
	})
}

// timeout is what the server says of a read whose time is over.
func (c *timed) timeout() string {
	return fmt.Sprintf("read tcp %v->%v: i/o timeout", c.c.RemoteAddr(), c.c.LocalAddr())
}

// takesNothing asks again and again, and reads nothing, until the connection ends. Deadlines of the client show that it
// does not.
func (c *timed) takesNothing(request string) {
	c.t.Helper()
	requests, began := []byte(strings.Repeat(request, 100)), c.l.Now()
	c.c.SetDeadline(began.Add(time.Hour))
	for {
		c.l.Sleep(time.Millisecond) // else most of the test is what the server drops in the half second behind its end
		if _, err := c.c.Write(requests); err != nil {
			if took := c.l.Now().Sub(began); took > time.Minute {
				c.t.Errorf("%.20q: ended after %v: %v", request, took, err)
			}
			return
		}
	}
}

// A peer that takes nothing is given up, whatever it has asked for.
func TestPeerTakesNothing(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 1800)) // so that few answers fill the buffers below
		rest := struct{ io.Reader }{strings.NewReader(strings.Repeat("x", 1<<20))}
		switch r.URL.Path {
		case "/small":
			io.WriteString(w, "ok")
		case "/none":
			http.NotFound(w, r)
		case "/flush":
			io.WriteString(w, "ok")
			http.NewResponseController(w).Flush()
		case "/large":
			io.Copy(struct{ io.Writer }{w}, rest)
		case "/copy":
			w.Header().Set("Content-Length", fmt.Sprint(1<<20))
			io.Copy(w, rest)
		case "/whole":
			w.Write(make([]byte, 4<<20))
		}
	})
	for _, request := range []string{"GET /small", "HEAD /small", "GET /none", "GET /flush", "GET /large", "GET /copy",
		"GET /whole"} {
		t.Run(request, func(t *testing.T) {
			inTime(t, func() *sockhttp.Server {
				return &sockhttp.Server{Handler: h, WriteByteTimeout: 4 * time.Second}
			}, func(c *timed) { c.takesNothing(request + " HTTP/1.1\r\nHost: a\r\n\r\n") })
		})
	}
}

// A peer that takes something in time gets all, and a handler's own deadline counts instead.
func TestPeerTakesSlowly(t *testing.T) {
	const size = 4 << 20
	inTime(t, func() *sockhttp.Server {
		return &sockhttp.Server{WriteByteTimeout: 4 * time.Second,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", fmt.Sprint(size))
				if r.URL.Path == "/own" {
					http.NewResponseController(w).SetWriteDeadline(time.Time{})
				}
				w.Write(make([]byte, size))
			})}
	}, func(c *timed) {
		take := func(pause time.Duration, piece int) {
			a, err := http.ReadResponse(c.input, nil)
			if err != nil {
				t.Fatal(err)
			}
			for left := size; left > 0; left -= piece {
				c.l.Sleep(pause)
				if _, err := io.ReadFull(a.Body, make([]byte, min(piece, left))); err != nil {
					t.Errorf("with %d bytes left: %v", left, err)
					return
				}
			}
		}
		c.send(0, getIt)
		take(3*time.Second, 1<<18)
		c.send(10*time.Second, strings.Replace(getIt, "/", "/own", 1))
		take(30*time.Second, 1<<21)
	})
}

// A peer of HTTP/2 that opens no window loses its stream, and one that opens windows slowly gets all.
func TestPeerOpensNoWindow(t *testing.T) {
	const late = 4 * time.Second
	sim.Run(t, 1, func(w *sim.World) {
		server, client := w.Host("server"), w.Host("client")
		server.Run(&ringo.Config{Loops: 1, Grace: time.Second}, func(l *ringo.Loop) error {
			ln, err := sock.Listen(l, "tcp", "server:8000")
			if err != nil {
				return err
			}
			s := &sockhttp.Server{Protocols: clear2(), WriteByteTimeout: late,
				Handler: sockhttp.Task(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					io.WriteString(w, "hello")
				}))}
			if err := s.Serve(ln); err != http.ErrServerClosed {
				return err
			}
			return nil
		})
		w.Check(w.Wait(client.Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			c, err := sock.Dial(l, "tcp", "server:8000")
			if err != nil {
				return err
			}
			defer c.Close()
			c.SetDeadline(l.Now().Add(time.Hour))
			r, began := newRaw(t, c, setting(4, 0)), l.Now()
			r.send(getOn(1))
			r.until(reset, 1)
			if took := l.Now().Sub(began); took < late || took > late+time.Second {
				t.Errorf("reset after %v, want %v", took, late)
			}
			r.send(getOn(3))
			got := ""
			for range len("hello") {
				l.Sleep(late * 3 / 4)
				r.send(made(window, 0, 3, word(1)))
				f := r.until(data, 3)
				got += string(f.payload)
			}
			if got != "hello" {
				t.Errorf("got %q", got)
			}
			return nil
		})))
	})
}

// A peer that says Connection: close gets it, whatever the handler makes of the request.
func TestCloseIsThePeers(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Close = !r.Close
		io.WriteString(w, "x")
	})
	everyWay(t, h, func(t *testing.T, addr string) {
		_, input := connect(t, addr, nil, getIt+strings.Replace(getIt, "Host: a", "Host: a\r\nConnection: close", 1))
		for _, closes := range []bool{false, true} {
			answer, err := http.ReadResponse(input, nil)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(answer.Body); string(b) != "x" || err != nil || answer.Close != closes {
				t.Errorf("%q, %v, close: %v, want %v", b, err, answer.Close, closes)
			}
		}
		if b, err := io.ReadAll(input); len(b) > 0 || err != nil {
			t.Errorf("%q, %v, want the end", b, err)
		}
	})
}

// A handler on a goroutine that waits for its peer hears of it when Grace is over, and so does one that has the
// connection for itself. Run returns without an error then.
func TestGraceEndsHandlersOnGoroutines(t *testing.T) {
	for name, wait := range map[string]func(w http.ResponseWriter, r *http.Request) error{
		"its context": func(_ http.ResponseWriter, r *http.Request) error {
			<-r.Context().Done()
			return r.Context().Err()
		},
		"a body": func(_ http.ResponseWriter, r *http.Request) error {
			_, err := io.ReadAll(r.Body)
			return err
		},
		"a peer that takes nothing": func(w http.ResponseWriter, _ *http.Request) error {
			for {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return err
				}
			}
		},
		"a connection of its own": func(w http.ResponseWriter, _ *http.Request) error {
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, err = io.ReadAll(c)
			}
			return err
		},
		"a connection of its own, afterwards": func(w http.ResponseWriter, r *http.Request) error {
			io.ReadAll(r.Body)
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, err = io.ReadAll(c)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			socktestEach(t, func(t *testing.T, cfg ringo.Config) {
				for _, way := range []string{"goroutine", "tls"} {
					t.Run(way, func(t *testing.T) {
						begun, ended := make(chan struct{}), make(chan error, 1)
						graceEnds(t, cfg, way, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
							close(begun)
							ended <- wait(w, r)
						}), begun)
						if err := patience.Recv(t, "the handler's end", ended); err == nil {
							t.Error("the handler's wait ended without an error")
						}
					})
				}
			})
		})
	}
}

// graceEnds asks a server, and has its program drain, for a moment, once the handler has begun.
func graceEnds(t *testing.T, cfg ringo.Config, way string, h http.Handler, begun <-chan struct{}) {
	t.Helper()
	cfg.Loops, cfg.Grace = 1, time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	config, trusts := certified(t)
	s := &sockhttp.Server{Handler: h, ErrorLog: slog.New(slog.DiscardHandler), TLSConfig: config}
	at, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
			ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			if at <- ln.Addr().String(); way == "tls" {
				err = s.ServeTLS(ln, "", "")
			} else {
				err = s.Serve(ln)
			}
			if err != http.ErrServerClosed {
				return err
			}
			return nil
		})
	}()
	if way != "tls" {
		trusts = nil
	}
	connect(t, patience.Recv(t, "the server", at), trusts, postIt)
	patience.Recv(t, "the handler", begun)
	cancel()
	if err := patience.Recv(t, "the end of Run", ended); err != nil {
		t.Errorf("Run: %v", err)
	}
}

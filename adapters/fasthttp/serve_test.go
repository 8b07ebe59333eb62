package ringofasthttp_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/valyala/fasthttp"

	"ringo"
	ringofasthttp "ringo/adapters/fasthttp"
	"ringo/internal/test/patience"
	"ringo/sim"
	"ringo/sock"
)

// handle answers with the body that it got, or with the path.
func handle(ctx *fasthttp.RequestCtx) {
	if ctx.IsPost() {
		ctx.Write(ctx.PostBody())
		return
	}
	ctx.Write(ctx.Path())
}

// A served is a Server that tasks serve while a test runs.
type served struct {
	address string
	drain   context.CancelFunc
	loops   chan *ringo.Loop // one of each
	ended   chan error
}

// end drains, and waits for an orderly end.
func (s *served) end(t *testing.T) {
	t.Helper()
	s.drain()
	if err := patience.Recv(t, "the server ends", s.ended); err != nil {
		t.Errorf("ListenAndServe: %v", err)
	}
	s.ended <- nil // for another call
}

// eachDriver runs f with a Server that two loops serve on each driver.
func eachDriver(t *testing.T, server *fasthttp.Server, f func(t *testing.T, s *served)) {
	for _, driver := range []string{"uring", "epoll"} {
		t.Run(driver, func(t *testing.T) { f(t, start(t, driver, server, ringofasthttp.ListenAndServe)) })
	}
}

type listenAndServe func(context.Context, *ringo.Config, string, *fasthttp.Server) error

func start(t *testing.T, driver string, server *fasthttp.Server, serve listenAndServe) *served {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &served{freeAddress(t), cancel, make(chan *ringo.Loop, 2), make(chan error, 1)}
	cfg := &ringo.Config{Driver: driver, Loops: 2, Grace: patience.Max, Start: func(l *ringo.Loop) error {
		s.loops <- l //ringo:offloaded there is room
		return nil
	}}
	go func() { s.ended <- serve(ctx, cfg, s.address, server) }()
	t.Cleanup(func() { s.end(t) })
	var setup *ringo.SetupError
	for range 2 {
		select {
		case l := <-s.loops:
			defer func() { s.loops <- l }()
		case err := <-s.ended:
			s.ended <- nil
			if errors.As(err, &setup) {
				t.Skip(err)
			}
			t.Fatal(err)
		}
	}
	return s
}

// freeAddress has a port that nobody had a moment ago.
func freeAddress(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// dial connects as a peer on package net.
func (s *served) dial(t *testing.T) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(patience.Deadline())
	return c, bufio.NewReader(c)
}

// want reads an answer, and says whether the server is to close the connection.
func want(t *testing.T, r *bufio.Reader, body string) (closes bool) {
	t.Helper()
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := io.ReadAll(answer.Body)
	if answer.StatusCode != 200 || string(p) != body || err != nil {
		t.Fatalf("%d, %.50q, %v, want %.50q", answer.StatusCode, p, err, body)
	}
	return answer.Close
}

func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n" }

// One connection has many requests: one by one, in a pipeline, and a large one that says 100-continue.
func TestConnection(t *testing.T) {
	eachDriver(t, &fasthttp.Server{Handler: handle, MaxRequestBodySize: 8 << 20}, func(t *testing.T, s *served) {
		c, r := s.dial(t)
		for i := range 5 {
			path := fmt.Sprint("/", i)
			io.WriteString(c, get(path))
			want(t, r, path)
		}
		var all strings.Builder
		for i := range 100 {
			all.WriteString(get(fmt.Sprint("/", i)))
		}
		io.WriteString(c, all.String())
		for i := range 100 {
			want(t, r, fmt.Sprint("/", i))
		}
		large := strings.Repeat("large", 1<<20)
		fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(large))
		answer, err := http.ReadResponse(r, nil)
		if err != nil || answer.StatusCode != 100 {
			t.Fatal(answer, err)
		}
		go io.WriteString(c, large)
		want(t, r, large)
		s.drain()
		if n, err := r.ReadByte(); err != io.EOF {
			t.Errorf("an idle connection in a drain: %d, %v", n, err)
		}
	})
}

// The clients of net/http send requests all the time, small and large, that must not be sent twice, while the program
// drains. Each that had a connection has its answer.
func TestDrainUnderLoad(t *testing.T) {
	defer ringofasthttp.SetPatience(time.Hour)() // no client takes as long, but a machine may
	var answers atomic.Int64
	server := &fasthttp.Server{MaxRequestBodySize: 8 << 20, Handler: func(ctx *fasthttp.RequestCtx) {
		answers.Add(1)
		handle(ctx)
	}}
	eachDriver(t, server, func(t *testing.T, s *served) {
		answers.Store(0)
		var clients sync.WaitGroup
		for i := range 16 {
			clients.Go(func() {
				if err := load(s.address, i); !errors.Is(err, errRefused) {
					t.Errorf("client %d: %v", i, err)
				}
			})
		}
		patience.Until(t, "requests come", func() bool { return answers.Load() > 200 })
		s.end(t)
		clients.Wait()
	})
}

var errRefused = errors.New("no connection")

// load sends requests until there is no connection to be had.
func load(address string, i int) error {
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			err = fmt.Errorf("%w: %w", errRefused, err)
		}
		return c, err
	}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: patience.Max}
	want := bytes.Repeat([]byte{byte(i)}, 1<<(i%8*3))
	for {
		answer, err := client.Post("http://"+address+"/", "application/octet-stream", bytes.NewReader(want))
		if err != nil {
			return err
		}
		got, err := io.ReadAll(answer.Body)
		if err = errors.Join(err, answer.Body.Close()); err != nil {
			return err
		}
		if answer.StatusCode != 200 || !bytes.Equal(got, want) {
			return fmt.Errorf("status %d with %d bytes, want %d", answer.StatusCode, len(got), len(want))
		}
	}
}

// Who is served when the drain begins has the answer, which says that it is the last, as has a peer that has connected
// and asks only then. Whoever rests is ended.
func TestDrain(t *testing.T) {
	entered, leave := make(chan struct{}, 1), ringo.NewChan[struct{}](1)
	server := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
		if string(ctx.Path()) == "/held" {
			entered <- struct{}{} //ringo:offloaded there is room
			leave.Recv()
		}
		handle(ctx)
	}}
	eachDriver(t, server, func(t *testing.T, s *served) {
		l := <-s.loops
		s.loops <- l
		held, hr := s.dial(t)
		idle, ir := s.dial(t)
		io.WriteString(idle, get("/"))
		if want(t, ir, "/") {
			t.Error("a connection ends before the drain")
		}
		fresh, fr := s.dial(t)
		io.WriteString(held, get("/held"))
		<-entered
		s.drain()
		if n, err := ir.ReadByte(); err != io.EOF {
			t.Errorf("an idle connection in a drain: %d, %v", n, err)
		}
		io.WriteString(fresh, get("/fresh"))
		if !want(t, fr, "/fresh") {
			t.Error("an answer in a drain does not say that it is the last")
		}
		leave.Send(struct{}{})
		if !want(t, hr, "/held") {
			t.Error("an answer in a drain does not say that it is the last")
		}
		if n, err := hr.ReadByte(); err != io.EOF {
			t.Errorf("behind the last answer: %d, %v", n, err)
		}
	})
}

// Whoever has just been answered when the drain begins may ask once more.
func TestAskAgain(t *testing.T) {
	defer ringofasthttp.SetPatience(time.Hour)()
	eachDriver(t, &fasthttp.Server{Handler: handle}, func(t *testing.T, s *served) {
		c, r := s.dial(t)
		io.WriteString(c, get("/"))
		want(t, r, "/")
		s.drain()
		patience.Until(t, "the drain begins", func() bool { return refused(s.address) })
		io.WriteString(c, get("/again"))
		if !want(t, r, "/again") {
			t.Error("an answer in a drain does not say that it is the last")
		}
	})
}

// An answer that was under way before the drain began, and for long in it, can't say that it is the last.
func TestSlowReader(t *testing.T) {
	defer ringofasthttp.SetPatience(time.Nanosecond)()
	large := strings.Repeat("large", 4<<20)
	handled := make(chan struct{}, 1)
	server := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
		ctx.WriteString(large)
		handled <- struct{}{} //ringo:offloaded there is room
	}}
	eachDriver(t, server, func(t *testing.T, s *served) {
		l := <-s.loops
		other := <-s.loops
		s.loops <- l
		s.loops <- other
		c, r := s.dial(t)
		io.WriteString(c, get("/"))
		<-handled
		for _, l := range []*ringo.Loop{l, other} {
			l.Go(func() {}).Wait() // which begins when the answer waits for its reader
		}
		s.drain()
		patience.Until(t, "the drain begins", func() bool { return refused(s.address) })
		for _, l := range []*ringo.Loop{l, other} {
			l.Go(func() { l.Sleep(time.Millisecond) }).Wait() // which is longer than drains wait here
		}
		if want(t, r, large) {
			t.Error("an answer knew of the drain before it began")
		}
		if n, err := r.ReadByte(); err != io.EOF {
			t.Errorf("behind the last answer: %d, %v", n, err)
		}
	})
}

func refused(address string) bool {
	c, err := net.Dial("tcp", address)
	if err == nil {
		c.Close()
	}
	return err != nil
}

// Shutdown of the Server that was given, which a listener of its own has, is none of the tasks' business.
func TestShutdown(t *testing.T) {
	server := &fasthttp.Server{Handler: handle}
	eachDriver(t, server, func(t *testing.T, s *served) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		serving := make(chan error)
		go func() { serving <- server.Serve(ln) }()
		c, r := s.dial(t)
		for range 3 {
			io.WriteString(c, get("/"))
			want(t, r, "/")
			if err := server.Shutdown(); err != nil {
				t.Error(err)
			}
		}
		if err := <-serving; err != nil {
			t.Error(err)
		}
	})
}

// What waits in Ringo is a task's; the connection that it hijacks is a goroutine's.
func TestHijack(t *testing.T) {
	server := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
		ctx.Hijack(func(c net.Conn) { io.Copy(c, c) })
	}}
	eachDriver(t, server, func(t *testing.T, s *served) {
		c, r := s.dial(t)
		io.WriteString(c, get("/"))
		want(t, r, "")
		for range 3 {
			io.WriteString(c, "hello\n")
			if line, err := r.ReadString('\n'); line != "hello\n" {
				t.Fatal(line, err)
			}
		}
		c.Close()
	})
}

// What is served by TLS is the same, with the certificates that fasthttp's own methods have added.
func TestTLS(t *testing.T) {
	server := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
		if !ctx.IsTLS() {
			ctx.SetStatusCode(500)
		}
		handle(ctx)
	}}
	certify(t, server)
	for _, driver := range []string{"uring", "epoll"} {
		t.Run(driver, func(t *testing.T) {
			s := start(t, driver, server, ringofasthttp.ListenAndServeTLS)
			plain, _ := s.dial(t)
			c := tls.Client(plain, &tls.Config{InsecureSkipVerify: true})
			r := bufio.NewReader(c)
			for _, path := range []string{"/a", "/b"} {
				io.WriteString(c, get(path))
				want(t, r, path)
			}
			s.drain()
			if n, err := r.ReadByte(); err != io.EOF {
				t.Errorf("an idle connection in a drain: %d, %v", n, err)
			}
		})
	}
}

// certify gives a Server a certificate.
func certify(t *testing.T, server *fasthttp.Server) {
	certificate, key, err := fasthttp.GenerateTestCertificate("localhost")
	if err != nil {
		t.Fatal(err)
	}
	if err := server.AppendCertEmbed(certificate, key); err != nil {
		t.Fatal(err)
	}
}

// A client of tasks has its connections by Dial, with the time that a request may take.
func TestDial(t *testing.T) {
	eachDriver(t, &fasthttp.Server{Handler: handle}, func(t *testing.T, s *served) {
		l := <-s.loops
		s.loops <- l
		client := &fasthttp.HostClient{Addr: s.address, DialTimeout: ringofasthttp.Dial(l)}
		for range 3 {
			request, answer := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			request.SetRequestURI("http://" + s.address + "/task")
			err := l.Call(func() error { return client.DoTimeout(request, answer, patience.Max) })
			if p := answer.Body(); answer.StatusCode() != 200 || string(p) != "/task" || err != nil {
				t.Errorf("%d, %q, %v", answer.StatusCode(), p, err)
			}
		}
		if n := client.ConnsCount(); n != 1 {
			t.Errorf("%d connections for one request after the other", n)
		}
		client.CloseIdleConnections()
	})
}

// A handler's panic ends its connection, and no other, in a Run that goes on.
func TestPanic(t *testing.T) {
	s := start(t, "", &fasthttp.Server{Handler: traps}, recovering(ringofasthttp.ListenAndServe))
	other, or := s.dial(t)
	io.WriteString(other, get("/"))
	want(t, or, "/")
	c, r := s.dial(t)
	io.WriteString(c, get("/panic"))
	if n, err := r.ReadByte(); err != io.EOF {
		t.Errorf("behind a panic: %d, %v", n, err)
	}
	io.WriteString(other, get("/other"))
	want(t, or, "/other")
}

// The program's own hook is told of each connection from its begin to its end, however that comes, and as fasthttp's
// own Serve tells it.
func TestConnState(t *testing.T) {
	const first, active, idle, hijacked, closed = fasthttp.StateNew, fasthttp.StateActive, fasthttp.StateIdle,
		fasthttp.StateHijacked, fasthttp.StateClosed
	for _, c := range []struct {
		path  string // none: the peer asks for nothing
		peers int    // beside it, as many as Concurrency allows
		want  []fasthttp.ConnState
	}{
		{"/", 0, []fasthttp.ConnState{first, active, idle, closed}},
		{"", 0, []fasthttp.ConnState{first, closed}},
		{"/panic", 0, []fasthttp.ConnState{first, active, closed}},
		{"/exit", 0, []fasthttp.ConnState{first, active, closed}},
		{"/hijack", 0, []fasthttp.ConnState{first, active, hijacked}},
		{"/", 1, []fasthttp.ConnState{first, closed}},
	} {
		t.Run(fmt.Sprint(c.path, " beside ", c.peers), func(t *testing.T) {
			states := make(chan fasthttp.ConnState, 10)
			server := &fasthttp.Server{Concurrency: 1, Handler: traps, Logger: new(lines), ReadTimeout: patience.Max,
				ConnState: func(_ net.Conn, s fasthttp.ConnState) { states <- s }} //ringo:offloaded there is room
			s := start(t, "", server, recovering(ringofasthttp.ListenAndServe))
			for range c.peers {
				s.dial(t)
				patience.Recv(t, "a peer beside it", states)
			}
			peer, r := s.dial(t)
			if c.path != "" {
				io.WriteString(peer, get(c.path))
				r.ReadByte()
			}
			peer.Close()
			for _, want := range c.want {
				if got := patience.Recv(t, "a state", states); got != want {
					t.Errorf("%v, want %v", got, want)
				}
			}
		})
	}
}

// traps is a Handler that ends a connection in all ways.
func traps(ctx *fasthttp.RequestCtx) {
	switch string(ctx.Path()) {
	case "/panic":
		panic("on purpose")
	case "/exit":
		runtime.Goexit()
	case "/hijack":
		ctx.Hijack(func(c net.Conn) { io.Copy(c, c) })
	default:
		handle(ctx)
	}
}

// recovering serves in a Run that panics do not end.
func recovering(serve listenAndServe) listenAndServe {
	return func(ctx context.Context, cfg *ringo.Config, addr string, s *fasthttp.Server) error {
		cfg.OnPanic = func(*ringo.Loop, any, []byte) {}
		return serve(ctx, cfg, addr, s)
	}
}

// lines is a Logger that counts.
type lines struct{ n atomic.Int64 }

func (l *lines) Printf(string, ...any) { l.n.Add(1) }

// What a panic leaves behind is nothing: the connection is not remembered.
func TestPanicLeavesNothing(t *testing.T) {
	for _, way := range []struct {
		name  string
		serve listenAndServe
	}{{"clear", ringofasthttp.ListenAndServe}, {"TLS", ringofasthttp.ListenAndServeTLS}} {
		t.Run(way.name, func(t *testing.T) {
			var conns []weak.Pointer[sock.Conn]
			server := &fasthttp.Server{ReadTimeout: patience.Max, Handler: func(ctx *fasthttp.RequestCtx) {
				conns = append(conns, weak.Make(below(ctx.Conn())))
				panic("on purpose")
			}}
			certify(t, server)
			s := start(t, "", server, recovering(way.serve))
			for range 3 {
				c, r := s.dial(t)
				if way.name == "TLS" {
					c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
					r = bufio.NewReader(c)
				}
				io.WriteString(c, get("/"))
				if n, err := r.ReadByte(); err == nil {
					t.Errorf("behind a panic: %d", n)
				}
				c.Close()
			}
			patience.Until(t, "nothing is left", func() bool {
				runtime.GC()
				return !slices.ContainsFunc(conns, func(c weak.Pointer[sock.Conn]) bool { return c.Value() != nil })
			})
		})
	}
}

// below is the socket of a connection.
func below(c net.Conn) *sock.Conn {
	for {
		of, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return c.(*sock.Conn)
		}
		c = of.NetConn()
	}
}

// Whom Concurrency has no room for hears so, and the log has a line a minute of them all.
func TestConcurrency(t *testing.T) {
	closed := make(chan struct{}, 10)
	var log lines
	server := &fasthttp.Server{Concurrency: 1, Handler: handle, Logger: &log,
		ConnState: func(_ net.Conn, state fasthttp.ConnState) {
			if state == fasthttp.StateClosed {
				closed <- struct{}{} //ringo:offloaded there is room
			}
		}}
	s := start(t, "", server, ringofasthttp.ListenAndServe)
	only, or := s.dial(t)
	io.WriteString(only, get("/"))
	want(t, or, "/")
	for range 3 {
		_, r := s.dial(t)
		answer, err := http.ReadResponse(r, nil)
		if err != nil || answer.StatusCode != 503 || !answer.Close {
			t.Fatal(answer, err)
		}
		patience.Recv(t, "its end", closed)
	}
	if n := log.n.Load(); n != 1 {
		t.Errorf("the log has %d lines, want 1", n)
	}
	io.WriteString(only, get("/again"))
	want(t, or, "/again")
	only.Close()
	patience.Recv(t, "the end of the one", closed)
	patience.Until(t, "there is room", func() bool {
		c, r := s.dial(t)
		defer c.Close()
		io.WriteString(c, get("/"))
		answer, err := http.ReadResponse(r, nil)
		return err == nil && answer.StatusCode == 200
	})
}

// Whom the end of Grace finds silent, or within a request, hears nothing, nor does the log: it is no mistake of theirs.
func TestCutOff(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n"
	for _, says := range []string{"", "GET / HT", head + "\r\nhalf", head + "Expect: 100-continue\r\n\r\n"} {
		t.Run(fmt.Sprintf("%.8q %d", says, len(says)), func(t *testing.T) {
			var log, mistakes lines
			begun := make(chan fasthttp.ConnState, 10)
			server := &fasthttp.Server{Handler: handle, Logger: &log,
				ErrorHandler: func(*fasthttp.RequestCtx, error) { mistakes.Printf("") },
				ConnState:    func(_ net.Conn, s fasthttp.ConnState) { begun <- s }} //ringo:offloaded there is room
			eachDriver(t, server, func(t *testing.T, s *served) {
				c, r := s.dial(t)
				wanted := fasthttp.StateNew
				if io.WriteString(c, says); says != "" {
					wanted = fasthttp.StateActive
				}
				for patience.Recv(t, "the connection", begun) != wanted {
				}
				if strings.Contains(says, "Expect") {
					if answer, err := http.ReadResponse(r, nil); err != nil || answer.StatusCode != 100 {
						t.Fatal(answer, err)
					}
				}
				l := <-s.loops
				l.SetGrace(0)
				s.loops <- l
				s.drain()
				if p, _ := io.ReadAll(r); len(p) > 0 {
					t.Errorf("%q", p)
				}
				s.end(t)
				if n := log.n.Load(); n != 0 {
					t.Errorf("the log has %d lines", n)
				}
				if n := mistakes.n.Load(); n != 0 && !strings.Contains(says, "Expect") { // there it always is
					t.Errorf("ErrorHandler is called %d times", n)
				}
				for len(begun) > 0 {
					<-begun
				}
			})
		})
	}
}

// A peer that says nothing does not keep a drain until the end of Grace, of which there would be a report.
func TestSilentEndsBeforeGrace(t *testing.T) {
	for _, way := range []string{"nothing", "a request"} {
		t.Run(way, func(t *testing.T) {
			sim.Run(t, 1, func(w *sim.World) {
				server := w.Host("a").Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
					ln, err := sock.Listen(l, "tcp", "a:7000")
					if err != nil {
						return err
					}
					return ringofasthttp.Serve(l, ln, &fasthttp.Server{Handler: handle})
				})
				client := w.Host("b").Run(nil, func(l *ringo.Loop) error {
					l.Sleep(1900 * time.Millisecond)
					c, err := sock.Dial(l, "tcp", "a:7000")
					if err != nil {
						return err
					}
					defer c.Close()
					l.Sleep(2*time.Second - w.Elapsed())
					server.Drain()
					l.Sleep(2 * time.Second)
					if way == "a request" {
						io.WriteString(c, get("/"))
					}
					p, err := io.ReadAll(c)
					if (len(p) > 0) != (way == "a request") || err != nil {
						w.Errorf("%q, %v", p, err)
					}
					if d := w.Elapsed() - 2*time.Second; d > 3*time.Second {
						w.Errorf("it ends %v after the drain's begin", d)
					}
					return nil
				})
				w.Check(w.Wait(client, server))
			})
		})
	}
}

// The end of a request's context is the drain's begin.
func TestDone(t *testing.T) {
	entered := make(chan *fasthttp.RequestCtx, 1)
	server := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
		entered <- ctx //ringo:offloaded there is room
		_, err := ringo.NewChan[int](0).RecvContext(ctx)
		fmt.Fprint(ctx, err, " ", ctx.Err())
	}}
	eachDriver(t, server, func(t *testing.T, s *served) {
		c, r := s.dial(t)
		io.WriteString(c, get("/"))
		ctx := patience.Recv(t, "the request", entered)
		if err := ctx.Err(); err != nil {
			t.Errorf("before the drain: %v", err)
		}
		s.drain()
		if !want(t, r, "context canceled context canceled") {
			t.Error("the answer does not say that it is the last")
		}
	})
}

// What a handler has hijacked goes on in a drain, until its end or that of Grace.
func TestHijackedDrain(t *testing.T) {
	server := &fasthttp.Server{Handler: traps}
	eachDriver(t, server, func(t *testing.T, s *served) {
		var peers []net.Conn
		for range 2 {
			c, r := s.dial(t)
			io.WriteString(c, get("/hijack"))
			want(t, r, "")
			peers = append(peers, c)
		}
		idle, ir := s.dial(t)
		io.WriteString(idle, get("/"))
		want(t, ir, "/")
		s.drain()
		if n, err := ir.ReadByte(); err != io.EOF {
			t.Errorf("an idle connection in a drain: %d, %v", n, err)
		}
		for _, c := range peers {
			p := make([]byte, 5)
			io.WriteString(c, "hello")
			if _, err := io.ReadFull(c, p); string(p) != "hello" {
				t.Errorf("a hijacked connection in a drain: %q, %v", p, err)
			}
		}
		peers[0].Close()
		l := <-s.loops
		l.SetGrace(0)
		s.loops <- l
		if p, err := io.ReadAll(peers[1]); len(p) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("at the end of Grace: %q, %v", p, err)
		}
	})
}

// Errors are told before anything listens.
func TestRefused(t *testing.T) {
	next := &fasthttp.Server{Handler: handle}
	next.NextProto("h2", func(net.Conn) error { return nil })
	for text, s := range map[string]*fasthttp.Server{
		"Handler":       {},
		"MaxConnsPerIP": {Handler: handle, MaxConnsPerIP: 1},
		"NextProto":     next,
	} {
		if err := ringofasthttp.ListenAndServe(t.Context(), nil, "127.0.0.1:0", s); !said(err, text) {
			t.Errorf("%s: %v", text, err)
		}
	}
	err := ringofasthttp.ListenAndServeTLS(t.Context(), nil, "127.0.0.1:0", &fasthttp.Server{Handler: handle})
	if !said(err, "certificate") {
		t.Error(err)
	}
	err = ringo.Run(t.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		err := ringofasthttp.ListenAndServe(t.Context(), nil, "127.0.0.1:0", &fasthttp.Server{Handler: handle})
		if err == nil {
			return errors.New("ListenAndServe by a task has no error")
		}
		ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		c, err := sock.Dial(l, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer c.Close()
		if err := ringofasthttp.Serve(l, plain{ln}, &fasthttp.Server{Handler: handle}); !said(err, "listener") {
			return fmt.Errorf("a listener whose connections can't be marked idle: %w", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func said(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }

// plain hides what a connection has beyond a net.Conn.
type plain struct{ net.Listener }

func (ln plain) Accept() (net.Conn, error) {
	c, err := ln.Listener.Accept()
	return struct{ net.Conn }{c}, err
}

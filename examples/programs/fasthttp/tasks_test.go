package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"ringo"
	ringofasthttp "ringo/adapters/fasthttp"
	"ringo/examples/programs/internal/rig"
	"ringo/sock"
)

func TestMain(m *testing.M) {
	rig.Play(map[string]rig.Role{"freeze": freeze})
	os.Exit(m.Run())
}

// hostile are peers that keep the task which serves them for as long as they like.
var hostile = map[string]func(c net.Conn) error{
	"never reads": func(c net.Conn) error { return say(c, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n") },
	"never reads what it asks for again and again": func(c net.Conn) error {
		return say(c, strings.Repeat("GET /large HTTP/1.1\r\nHost: a\r\n\r\n", 50))
	},
	"half a header": func(c net.Conn) error { return say(c, "GET / HTTP/1.1\r\nHo") },
	"half a body": func(c net.Conn) error {
		return say(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n1")
	},
	"half a chunk": func(c net.Conn) error {
		return say(c, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
	},
	"nothing": func(c net.Conn) error { return nil },
	"half a header and a reset": func(c net.Conn) error {
		return errors.Join(say(c, "GET /large HTTP/1.1\r\nHost"), c.(*net.TCPConn).SetLinger(0), c.Close())
	},
}

func say(c net.Conn, text string) error {
	_, err := io.WriteString(c, text)
	return err
}

// Tasks of a loop share a Server, whatever peers of some of them do.
func TestHostilePeers(t *testing.T) {
	rig.EachDriver(t, []string{"uring", "epoll"}, func(t *testing.T, driver string) {
		r := rig.Loops(t, driver, 1)
		ln, l := r.Listen(), r.Loop()
		large := bytes.Repeat([]byte("x"), 16<<20) // more than there is room for
		s := &fasthttp.Server{Logger: log.New(io.Discard, "", 0), Handler: func(ctx *fasthttp.RequestCtx) {
			if string(ctx.Path()) == "/large" {
				ctx.SetBody(large)
				return
			}
			handle(ctx)
		}}
		serving := l.Go(func() { ringofasthttp.Serve(l, ln, s) })
		var peers []net.Conn
		client := &fasthttp.HostClient{Addr: ln.Addr().String()}
		defer func() { // Serve waits for the last of them
			ln.Close()
			for _, c := range peers {
				c.Close()
			}
			client.CloseIdleConnections()
			serving.Wait()
		}()
		for name, attack := range hostile {
			for range 3 {
				c, err := net.Dial("tcp", ln.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				peers = append(peers, c)
				if err := attack(c); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				rig.Within(t, func() { useFast(t, client, ln.Addr().String(), 1) })
			}
		}
	})
}

// Tasks of a loop share a HostClient, while the server keeps some of them waiting.
func TestClientOfTasks(t *testing.T) {
	rig.EachDriver(t, []string{"uring", "epoll"}, func(t *testing.T, driver string) {
		server := rig.Loops(t, driver, 1)
		ln, sl := server.Listen(), server.Loop()
		held := ringo.NewChan[struct{}](0)
		s := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
			if string(ctx.Path()) == "/held" {
				held.Recv()
			}
			handle(ctx)
		}}
		serving := sl.Go(func() { ringofasthttp.Serve(sl, ln, s) })
		r := rig.Loops(t, driver, 1)
		l := r.Loop()
		client := &fasthttp.HostClient{Addr: ln.Addr().String(), DialTimeout: ringofasthttp.Dial(l)}
		url := "http://" + ln.Addr().String()
		var waiting []*ringo.Task
		var answered atomic.Int64
		for range 5 {
			waiting = append(waiting, l.Go(func() {
				if status, p, err := client.Get(nil, url+"/held"); status == 200 && string(p) == "/held" && err == nil {
					answered.Add(1)
				}
			}))
		}
		var late error
		timed := l.Go(func() {
			request := fasthttp.AcquireRequest()
			defer fasthttp.ReleaseRequest(request)
			request.SetRequestURI(url + "/held")
			late = client.DoTimeout(request, nil, 10*time.Millisecond)
		})
		rig.Within(t, func() { timed.Wait() })
		if late != fasthttp.ErrTimeout {
			t.Errorf("a request with a timeout: %v", late)
		}
		var busy sync.WaitGroup
		for i := range 5 {
			task := l.Go(func() { useFast(t, client, ln.Addr().String(), i) })
			busy.Go(func() { task.Wait() })
		}
		rig.Within(t, busy.Wait)
		if n := answered.Load(); n > 0 {
			t.Errorf("%d were answered before their time", n)
		}
		held.Close()
		rig.Within(t, func() {
			for _, task := range waiting {
				task.Wait()
			}
			l.Go(client.CloseIdleConnections).Wait()
		})
		if n := answered.Load(); n != 5 {
			t.Errorf("%d of 5 were answered", n)
		}
		ln.Close()
		serving.Wait()
	})
}

// forever is a timeout that doesn't come.
const forever = time.Hour

var traps = map[string]rig.Trap{
	"a Logger to a Conn": {Stands: "fasthttp.(*ctxLogger).Printf(", Spring: func(l *ringo.Loop) error {
		to, err := unread(l)
		if err != nil {
			return err
		}
		text := strings.Repeat("x", 1<<14)
		s := &fasthttp.Server{Logger: log.New(to, "", 0), Handler: func(ctx *fasthttp.RequestCtx) {
			for {
				ctx.Logger().Printf("%s", text)
			}
		}}
		return asked(l, s, 2)
	}},
	"a stream's writer that needs the loop": {
		Stands: "fasthttputil.(*pipeConn).Read(",
		Spring: func(l *ringo.Loop) error {
			s := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
				ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
					l.Go(func() { w.WriteString("hello") }).Wait()
				})
			}}
			return asked(l, s, 1)
		},
	},
	"a handler with a timeout that needs the loop": {
		Stands: "fasthttp.(*Server).serveConnCounted(",
		Spring: func(l *ringo.Loop) error {
			h := func(ctx *fasthttp.RequestCtx) { l.Go(func() { ctx.WriteString("hello") }).Wait() }
			s := &fasthttp.Server{Handler: fasthttp.TimeoutHandler(h, forever, "late")}
			return asked(l, s, 1)
		},
	},
	"a client that waits for a connection": {
		Stands: "fasthttp.(*HostClient).AcquireConn(",
		Spring: func(l *ringo.Loop) error {
			ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			client := &fasthttp.HostClient{Addr: ln.Addr().String(), MaxConns: 1, MaxConnWaitTimeout: forever,
				DialTimeout: ringofasthttp.Dial(l)}
			for range 2 {
				l.Go(func() { client.Get(nil, "http://"+ln.Addr().String()) })
			}
			return nil
		},
	},
	"a client's Get with a timeout that needs the loop": {
		Stands: "fasthttp.clientGetURLDeadline(",
		Spring: func(l *ringo.Loop) error {
			ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			client := &fasthttp.HostClient{Addr: ln.Addr().String(), DialTimeout: ringofasthttp.Dial(l)}
			l.Go(func() { client.GetTimeout(nil, "http://"+ln.Addr().String(), forever) })
			return nil
		},
	},
}

// unread is a connection of the loop, whose peer never reads.
func unread(l *ringo.Loop) (*sock.Conn, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return sock.Dial(l, "tcp", ln.Addr().String())
}

// asked has tasks serve so many peers that ask for something.
func asked(l *ringo.Loop, s *fasthttp.Server, peers int) error {
	ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	l.Go(func() { ringofasthttp.Serve(l, ln, s) })
	for range peers {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		if err := say(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			return err
		}
	}
	return nil
}

// What the documentation warns of freezes a loop for good. If a trap does so no more, the documentation has to say so.
func TestTraps(t *testing.T) {
	for name := range traps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rig.Trapped(t, name)
		})
	}
}

func freeze(name string, _ *bufio.Scanner) error { return traps[name].Freeze() }

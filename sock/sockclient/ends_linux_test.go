//go:build linux

package sockclient_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/socktest"
	"ringo/sim"
	"ringo/sock"
	"ringo/sock/sockclient"
	"ringo/sock/socktls"
)

// Each field of a Pool means to goroutines what it means to tasks.
func TestPoolOfGoroutines(t *testing.T) {
	t.Parallel()
	onOne(t, func(l *ringo.Loop) {
		addr, stop := served(t, l, echo)
		defer stop()
		for name, p := range map[string]*sockclient.Pool{
			"IdleTimeout": {IdleTimeout: time.Hour},
			"MaxAge":      {MaxAge: time.Hour},
			"Check":       {Check: func(c net.Conn) error { return nil }},
			"Ahead":       {Ahead: 1, Max: 2},
		} {
			p.Dial = dialTo(addr)
			elsewhere(func() {
				for range 3 {
					c := get(t, p, l)
					ask(t, c, name)
					c.Release()
					until(t, "it at rest", func() bool {
						n := p.Count(l)
						return n.Open == n.Idle && n.Idle == 1+p.Ahead
					})
				}
			})
			p.CloseIdle()
			counts(t, p, l, 0, 0)
		}
	})
}

// A server that says why it takes nobody, and ends, has not made a connection that is good.
func TestPoolGreetingAndEnd(t *testing.T) {
	t.Parallel()
	onOne(t, func(l *ringo.Loop) {
		for _, later := range []bool{false, true} {
			ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ended := false
			var all []*sock.Conn
			accepts := l.Go(func() {
				for {
					c, err := ln.AcceptConn()
					if err != nil {
						return
					}
					all = append(all, c)
					c.Write([]byte("too many\n"))
					c.Flush()
					if len(all) == 1 {
						continue
					}
					if later {
						socktest.Pause(l)
					}
					c.CloseWrite()
					ended = true
				}
			})
			p := &sockclient.Pool{Dial: dialTo(ln.Addr().String()), Ahead: 1}
			c := get(t, p, l)
			until(t, "its end", func() bool { return ended })
			socktest.Pause(l)
			p.Ahead = 0
			d := get(t, p, l)
			p.CloseIdle()
			if len(all) > 1 && d.LocalAddr().String() == all[1].RemoteAddr().String() {
				t.Error("a connection was given whose server has ended it")
			}
			c.Close()
			d.Close()
			ln.Close()
			accepts.Wait()
			for _, c := range all {
				c.Close()
			}
		}
	})
}

// tlsOf runs a server that answers each line with itself and something extra, in two records that leave together.
func tlsOf(t *testing.T, l *ringo.Loop, extra string) (
	dial func(context.Context, *ringo.Loop) (net.Conn, error), stop func()) {
	t.Helper()
	server, client := certified(t)
	server.DynamicRecordSizingDisabled = true
	ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all ringo.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.AcceptConn()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				s := socktls.Server(c, server)
				for r := bufio.NewReader(s); ; {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					s.Write([]byte(line))
					s.Write([]byte(extra))
				}
			})
		}
	})
	return func(ctx context.Context, l *ringo.Loop) (net.Conn, error) {
		c, err := dialTo(ln.Addr().String())(ctx, l)
		if err != nil {
			return nil, err
		}
		tc := socktls.Client(c, client)
		return tc, tc.HandshakeContext(ctx)
	}, func() { ln.Close(); all.Wait() }
}

// A record of which a goroutine's TLS has taken only the beginning, if that, is input as well.
func TestRecordsBehindTLS(t *testing.T) {
	t.Parallel()
	onOne(t, func(l *ringo.Loop) {
		dial, stop := tlsOf(t, l, strings.Repeat("x", 16000)+"\n")
		defer stop()
		p := &sockclient.Pool{Dial: dial}
		defer p.CloseIdle()
		c := get(t, p, l)
		elsewhere(func() { ask(t, c, "one") })
		own := c.Conn.(*socktls.Conn).NetConn().(*sock.Conn)
		until(t, "what is behind the reply", func() bool { return isUnread(t, own) })
		c.Release()
		d := get(t, p, l)
		defer d.Close()
		if same(c, d) {
			t.Error("the next user has the connection")
		}
		ask(t, d, "two")
	})
}

// What TLS holds in its own memory is input, too: a connection with it is not another user's, and a push is heard.
func TestRecordsInTLS(t *testing.T) {
	t.Parallel()
	onOne(t, func(l *ringo.Loop) {
		dial, stop := tlsOf(t, l, "extra\n")
		defer stop()
		p := &sockclient.Pool{Dial: dial}
		c := get(t, p, l)
		ask(t, c, "one")
		c.Release()
		d := get(t, p, l)
		ask(t, d, "two")
		if same(c, d) {
			t.Error("a connection was given on which something had come")
		}
		d.Close()

		pushes := 0
		how := lines()
		how.Push = func(line string) bool {
			if line == "extra" {
				pushes++
			}
			return line == "extra"
		}
		tc, err := dial(context.Background(), l)
		if err != nil {
			t.Fatal(err)
		}
		q := sockclient.NewPipeline(l, tc, how, nil)
		for i := range 3 {
			if got, err := q.Call(nil, []byte("x\n")); got != "x" || err != nil {
				t.Errorf("Call() = %q, %v", got, err)
			}
			until(t, "a push behind the reply", func() bool { return pushes == i+1 })
		}
		q.Close()
	})
}

// What is made ahead counts from the moment on at which it is begun.
func TestPoolMaxAhead(t *testing.T) {
	t.Parallel()
	onOne(t, func(l *ringo.Loop) {
		addr, stop := served(t, l, echo)
		defer stop()
		p := &sockclient.Pool{Dial: dialTo(addr), Max: 5, Ahead: 4}
		defer p.CloseIdle()
		a := get(t, p, l)
		counts(t, p, l, 5, 4)
		b, c := get(t, p, l), get(t, p, l)
		b.Close()
		c.Close()
		d := get(t, p, l)
		for range 20 {
			if n := p.Count(l); n.Open > 5 {
				t.Fatalf("%+v, of five", n)
			}
			l.Sleep(0)
		}
		counts(t, p, l, 5, 3)
		a.Close()
		d.Close()
	})
}

// A caller that ends in a Check takes no more than the connection that was asked, and returns at once.
func TestPoolEndInCheck(t *testing.T) {
	t.Parallel()
	onOne(t, func(l *ringo.Loop) {
		addr, stop := served(t, l, echo)
		defer stop()
		asked := ringo.NewChan[bool](1)
		p := &sockclient.Pool{Dial: dialTo(addr), MaxIdle: 10, Check: func(c net.Conn) error {
			asked.TrySend(true)
			_, err := c.Read(make([]byte, 1))
			return err
		}}
		defer p.CloseIdle()
		check := p.Check
		p.Check = nil
		var all []*sockclient.Conn
		for range 10 {
			all = append(all, get(t, p, l))
		}
		for _, c := range all {
			c.Release()
		}
		p.Check = check
		ends := func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			go func() { asked.Recv(); cancel() }()
			if _, err := p.Get(ctx, l); !errors.Is(err, context.Canceled) {
				t.Errorf("Get() = %v", err)
			}
		}
		ends()
		counts(t, p, l, 9, 9)
		elsewhere(ends)
		counts(t, p, l, 8, 8)
	})
}

// A loop that has ended has no connections, and no call waits for one.
func TestPoolOfEndedLoop(t *testing.T) {
	t.Parallel()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		ln, err := net.Listen("tcp", "127.0.0.1:0") // which accepts nothing, so that the connection stays
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		p := &sockclient.Pool{Dial: dialTo(ln.Addr().String()), Max: 1, Ahead: 1}
		var ended *ringo.Loop
		err = socktest.RunLoops(t, context.Background(), &cfg, func(l *ringo.Loop) error {
			ended = l
			get(t, p, l).Release()
			counts(t, p, l, 1, 1)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		for range 3 {
			if _, err := p.Get(nil, ended); !errors.Is(err, ringo.ErrEnded) {
				t.Errorf("Get() = %v", err)
			}
		}
	})
}

// A connection that was at rest in a Pool, or is one of its Conns, has a Pipeline that hears of its end.
func TestPipelineOfPool(t *testing.T) {
	t.Parallel()
	onOne(t, func(l *ringo.Loop) {
		var server *sock.Conn
		addr, stop := served(t, l, func(c *sock.Conn, lines []string) { server = c; echo(c, lines) })
		defer stop()
		p := &sockclient.Pool{Dial: dialTo(addr)}
		for _, wrapped := range []bool{false, true} {
			c := get(t, p, l)
			c.Release()
			c = get(t, p, l)
			under := c.NetConn()
			if wrapped {
				under = c
			}
			q := sockclient.NewPipeline(l, under, lines(), nil)
			if got, err := q.Call(nil, []byte("x\n")); got != "x" || err != nil {
				t.Errorf("Call() = %q, %v", got, err)
			}
			socktest.Pause(l)
			server.CloseWrite()
			until(t, "the end", func() bool { return q.Err() == io.EOF })
			c.Close()
		}
	})
}

// A Dial that gives nothing is an error; one that takes long ahead of its user holds neither a drain nor CloseIdle.
func TestPoolDialsAhead(t *testing.T) {
	t.Parallel()
	p := &sockclient.Pool{Dial: func(context.Context, *ringo.Loop) (net.Conn, error) { return nil, nil }}
	sim.Run(t, 1, func(w *sim.World) {
		h := w.Host("host")
		begun := w.Elapsed()
		w.Wait(h.Run(nil, func(l *ringo.Loop) error {
			if l.Index() != 0 {
				return nil
			}
			if _, err := p.Get(nil, l); err == nil {
				w.Errorf("Get has no error without a connection")
			}
			addr, stop := served(t, l, echo)
			defer stop()
			for _, takes := range []time.Duration{2 * time.Second, time.Hour} {
				slow := &sockclient.Pool{Ahead: 1}
				slow.Dial = func(ctx context.Context, l *ringo.Loop) (net.Conn, error) {
					if slow.Count(l).Open > 1 {
						l.Sleep(takes)
					}
					return dialTo(addr)(ctx, l)
				}
				c := get(t, slow, l)
				l.Sleep(time.Second)
				slow.CloseIdle()
				l.Sleep(15 * time.Second)
				if n := slow.Count(l); n.Open != 1 || n.Idle != 0 {
					w.Errorf("%+v after a Dial of %v", n, takes)
				}
				c.Close()
			}
			return nil
		}))
		if took := w.Elapsed() - begun; took > 2*time.Minute {
			w.Errorf("Run has waited for a Dial ahead for %v", took)
		}
	})
}

// A seed has one history, with several loops, CloseIdle, and a host whose clock is set.
func TestPoolPlaysAgain(t *testing.T) {
	histories := map[string]bool{}
	for range 8 {
		var b bytes.Buffer
		sim.Run(t, 1, func(w *sim.World) {
			w.TraceTo(&b)
			s, c := w.Host("server"), w.Host("client")
			w.Link = sim.Link{Latency: time.Millisecond}
			s.Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
				ln, err := sock.Listen(l, "tcp", ":7000")
				if err != nil {
					return err
				}
				for {
					c, err := ln.AcceptConn()
					if err != nil {
						return nil
					}
					l.Go(func() { io.Copy(c, c); c.Close() })
				}
			})
			p := &sockclient.Pool{Dial: dialTo("server:7000"), IdleTimeout: time.Minute, MaxAge: time.Hour, Ahead: 1}
			w.Wait(c.Run(&ringo.Config{Loops: 6}, func(l *ringo.Loop) error {
				conn, err := p.Get(nil, l)
				if err != nil {
					return err
				}
				conn.Release()
				l.Sleep(time.Second)
				if l.Index() == 0 {
					c.StepClock(-time.Hour)
					p.CloseIdle()
				}
				l.Sleep(time.Second)
				if conn, err = p.Get(nil, l); err != nil {
					return err
				}
				conn.Release()
				l.Sleep(2 * time.Minute)
				if n := p.Count(l); n.Idle != 0 {
					w.Errorf("loop %d has %+v after its time", l.Index(), n)
				}
				return nil
			}))
		})
		histories[fmt.Sprint(len(b.String()), b.String())] = true
	}
	if len(histories) != 1 {
		t.Errorf("one seed has %d histories", len(histories))
	}
}

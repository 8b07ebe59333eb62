//go:build linux

package sockclient_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/test/socktest"
	"ringo/sim"
	"ringo/sock"
	"ringo/sock/sockclient"
	"ringo/sock/socktls"
)

// get takes a connection.
func get(t *testing.T, p *sockclient.Pool, l *ringo.Loop) *sockclient.Conn {
	t.Helper()
	c, err := p.Get(nil, l)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ask has a line echoed.
func ask(t *testing.T, c net.Conn, line string) {
	t.Helper()
	if _, err := c.Write([]byte(line + "\n")); err != nil {
		t.Error(err)
	}
	b := make([]byte, len(line)+1)
	if _, err := io.ReadFull(c, b); string(b) != line+"\n" || err != nil {
		t.Errorf("got %q, %v, want %q", b, err, line)
	}
}

// counts wants so many connections.
func counts(t *testing.T, p *sockclient.Pool, l *ringo.Loop, open, idle int) {
	t.Helper()
	until(t, fmt.Sprintf("%d open, %d idle", open, idle), func() bool {
		return p.Count(l) == sockclient.Count{Open: open, Idle: idle}
	})
}

// same reports whether two are one connection.
func same(a, b *sockclient.Conn) bool { return a.Conn == b.Conn }

// The connection that was used last is given first, no more are kept than is said, and each is of the loop that asks.
func TestPool(t *testing.T) {
	t.Parallel()
	onTwo(t, func(l *ringo.Loop) {
		addr, stop := served(t, l, echo)
		defer stop()
		p := &sockclient.Pool{Dial: dialTo(addr), MaxIdle: 3}
		defer p.CloseIdle()
		var all []*sockclient.Conn
		for i := range 5 {
			c := get(t, p, l)
			ask(t, c, fmt.Sprint(i))
			all = append(all, c)
		}
		counts(t, p, l, 5, 0)
		for _, c := range all {
			c.Release()
		}
		counts(t, p, l, 3, 3)
		for i := range 3 { // those that found room, the last first
			c := get(t, p, l)
			if !same(c, all[2-i]) {
				t.Errorf("Get() %d is another", i)
			}
			ask(t, c, "again")
			defer c.Close()
		}
		counts(t, p, l, 3, 0)
		other := l.Loops()[1]
		other.Go(func() {
			c := get(t, p, other)
			if c.Conn.(*sock.Conn).Loop() != other {
				t.Error("it is of another loop")
			}
			ask(t, c, "from there")
			c.Release()
			if _, err := p.Get(nil, l); err == nil {
				t.Error("a task has a connection of another loop")
			}
		}).Wait()
		counts(t, p, other, 1, 1)
		elsewhere(func() {
			for range 3 {
				c := get(t, p, other)
				ask(t, c, "on a goroutine")
				c.Release()
				counts(t, p, other, 1, 1)
			}
			c := get(t, p, l)
			ask(t, c, "on a goroutine")
			c.Close()
		})
		counts(t, p, other, 1, 1)
		counts(t, p, l, 3, 0)
	})
}

// A connection is given back once, and is its next user's from then on.
func TestPoolTwice(t *testing.T) {
	t.Parallel()
	onOne(t, func(l *ringo.Loop) {
		addr, stop := served(t, l, echo)
		defer stop()
		p := &sockclient.Pool{Dial: dialTo(addr), Max: 2}
		defer p.CloseIdle()
		c := get(t, p, l)
		c.Release()
		d := get(t, p, l)
		if !same(c, d) {
			t.Error("it was not kept")
		}
		c.Release()
		if err := c.Close(); err != net.ErrClosed {
			t.Errorf("Close() after Release: %v", err)
		}
		counts(t, p, l, 1, 0)
		ask(t, d, "still open")
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		d.Release()
		if err := d.Close(); err != net.ErrClosed {
			t.Errorf("Close() again: %v", err)
		}
		counts(t, p, l, 0, 0)
		e, f := get(t, p, l), get(t, p, l) // the places were given back once
		ctx, cancel := context.WithCancel(context.Background())
		gone := l.Go(func() {
			if _, err := p.Get(ctx, l); !errors.Is(err, context.Canceled) {
				t.Errorf("Get() = %v", err)
			}
		})
		until(t, "who waits", func() bool { return strings.Contains(socktest.TasksOf(l.Loops()), "Semaphore") })
		cancel()
		gone.Wait()
		e.Close()
		f.Close()
	})
}

// No more are open than is said; who comes then waits, and gets what the first gives back.
func TestPoolMax(t *testing.T) {
	t.Parallel()
	onTwo(t, func(l *ringo.Loop) {
		addr, stop := served(t, l, echo)
		defer stop()
		p := &sockclient.Pool{Dial: dialTo(addr), Max: 3, MaxIdle: 2}
		defer p.CloseIdle()
		var all ringo.WaitGroup
		for i := range 20 {
			all.Add(1)
			use := func() {
				defer all.Done()
				for j := range 10 {
					c := get(t, p, l)
					if n := p.Count(l); n.Open > 3 || n.Idle > 2 {
						t.Errorf("%+v", n)
					}
					ask(t, c, fmt.Sprint(i, j))
					if (i+j)%3 == 0 {
						c.Close()
					} else {
						c.Release()
					}
				}
			}
			if i%2 == 0 {
				l.Go(use)
			} else {
				go use()
			}
		}
		all.Wait()
		until(t, "all at rest", func() bool { n := p.Count(l); return n.Open == n.Idle })
	})
}

// A connection that the server has closed, or on which something has come, is not given, and is closed at once.
func TestPoolStale(t *testing.T) {
	t.Parallel()
	onOne(t, func(l *ringo.Loop) {
		for _, how := range []string{"close", "speak", "speak before", "close before"} {
			var server *sock.Conn
			addr, stop := served(t, l, func(c *sock.Conn, lines []string) { server = c; echo(c, lines) })
			p := &sockclient.Pool{Dial: dialTo(addr)}
			c := get(t, p, l)
			ask(t, c, "x")
			end := func() {
				if strings.HasPrefix(how, "close") {
					server.CloseWrite()
				} else {
					server.Write([]byte("more\n"))
					server.Flush()
				}
			}
			if strings.HasSuffix(how, "before") {
				end()
				c.SetReadDeadline(time.Now().Add(time.Hour))
				if how == "speak before" {
					own := c.Conn.(*sock.Conn)
					if b, err := own.Peek(1); len(b) != 1 {
						t.Error(err)
					}
				} else if _, err := c.Read(make([]byte, 1)); err != io.EOF {
					t.Error(err)
				}
				c.Release()
			} else {
				c.Release()
				counts(t, p, l, 1, 1)
				end()
			}
			counts(t, p, l, 0, 0)
			d := get(t, p, l)
			ask(t, d, "another")
			d.Close()
			stop()
		}
	})
}

// What has come behind a reply ends the connection's use, whoever has read the reply, and however much that was: the
// next user, who comes at once, gets another.
func TestPoolBehindAReply(t *testing.T) {
	t.Parallel()
	onTwo(t, func(l *ringo.Loop) {
		addr, stop := served(t, l, func(c *sock.Conn, lines []string) {
			n, extra, _ := strings.Cut(lines[0], " ")
			size, _ := strconv.Atoi(n)
			c.Write([]byte(strings.Repeat("r", size) + extra))
		})
		defer stop()
		other := l.Loops()[1]
		for name, by := range map[string]func(func()){
			"a task":                 func(f func()) { l.Go(f).Wait() },
			"a task of another loop": func(f func()) { other.Go(f).Wait() },
			"a goroutine":            elsewhere,
		} {
			for _, size := range []int{5, 1 << 16} {
				behindAReply(t, fmt.Sprintf("%d bytes of %s", size, name), l, addr, size, by)
			}
		}
	})
}

// behindAReply has replies of one size read by somebody, something behind the last, and gives the connection back.
func behindAReply(t *testing.T, what string, l *ringo.Loop, addr string, size int, by func(func())) {
	p := &sockclient.Pool{Dial: dialTo(addr)}
	defer p.CloseIdle()
	asks := func(c *sockclient.Conn, extra string) {
		fmt.Fprintln(c, size, extra)
		b := make([]byte, size)
		if _, err := io.ReadFull(c, b); err != nil || strings.Trim(string(b), "r") != "" {
			t.Errorf("%s: got %.20q, %v", what, b, err)
		}
	}
	c := get(t, p, l)
	by(func() {
		for range 4 { // until the loop knows that replies are large
			asks(c, "")
		}
		asks(c, "extra")
	})
	until(t, "what is behind the reply", func() bool { return isUnread(t, c.Conn.(*sock.Conn)) })
	c.Release()
	d := get(t, p, l)
	defer d.Close()
	if same(c, d) {
		t.Errorf("%s: the next user has the connection", what)
	}
	by(func() { asks(d, "") })
}

// isUnread reports whether a connection has something that nobody has read, in the kernel or in the loop's buffers.
func isUnread(t *testing.T, c *sock.Conn) bool {
	t.Helper()
	n := 0
	raw, err := c.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.SIOCINQ) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return n > 0 || c.Buffered() > 0
}

// A server that speaks first is heard by who gets the connection, however long that was made before.
func TestPoolAhead(t *testing.T) {
	t.Parallel()
	onTwo(t, func(l *ringo.Loop) {
		ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var accepted []*sock.Conn
		accepts := l.Go(func() {
			for {
				c, err := ln.AcceptConn()
				if err != nil {
					return
				}
				c.Write([]byte("hello\n"))
				accepted = append(accepted, c)
			}
		})
		p := &sockclient.Pool{Dial: dialTo(ln.Addr().String()), Ahead: 2, Max: 3}
		c := get(t, p, l)
		counts(t, p, l, 3, 2)
		until(t, "three servers", func() bool { return len(accepted) == 3 })
		socktest.Pause(l) // so that all have been spoken to
		counts(t, p, l, 3, 2)
		d, e := get(t, p, l), get(t, p, l)
		counts(t, p, l, 3, 0) // and no more than Max
		for _, c := range []*sockclient.Conn{c, d, e} {
			if line, err := bufio.NewReader(c).ReadString('\n'); line != "hello\n" {
				t.Errorf("%q, %v", line, err)
			}
		}
		c.Close()
		counts(t, p, l, 2, 0) // until the next Get
		d.Release()
		counts(t, p, l, 2, 1)
		elsewhere(func() { c = get(t, p, l) })
		if !same(c, d) {
			t.Error("what was at rest was not given")
		}
		counts(t, p, l, 3, 1)
		c.Close()
		e.Close()
		p.CloseIdle()
		counts(t, p, l, 0, 0)
		ln.Close()
		accepts.Wait()
		for _, c := range accepted {
			c.Close()
		}
	})
}

// A Dial that fails leaves a place, also if it panics, and so does one whose caller is cancelled.
func TestPoolDialFails(t *testing.T) {
	t.Parallel()
	errTest := errors.New("of the test")
	onOne(t, func(l *ringo.Loop) {
		addr, stop := served(t, l, echo)
		defer stop()
		how := "error"
		p := &sockclient.Pool{Max: 1, Ahead: 1, Dial: func(ctx context.Context, l *ringo.Loop) (net.Conn, error) {
			switch how {
			case "error":
				return nil, errTest
			case "panic":
				panic(errTest)
			case "wait":
				return nil, l.Sleep(time.Hour)
			}
			return dialTo(addr)(ctx, l)
		}}
		defer p.CloseIdle()
		if _, err := p.Get(nil, l); err != errTest {
			t.Errorf("Get() = %v", err)
		}
		l.Sleep(time.Millisecond) // that of Ahead
		p.Ahead = 0
		how = "panic"
		func() {
			defer func() {
				if v := recover(); v != any(errTest) {
					t.Errorf("it panicked with %v", v)
				}
			}()
			p.Get(nil, l)
		}()
		how = "wait"
		ctx, cancel := context.WithCancel(context.Background())
		l.Go(cancel)
		if _, err := p.Get(ctx, l); !errors.Is(err, context.Canceled) {
			t.Errorf("Get() = %v", err)
		}
		if _, err := p.Get(ctx, l); !errors.Is(err, context.Canceled) {
			t.Errorf("Get() = %v of a context that has ended", err)
		}
		how = ""
		c := get(t, p, l)
		ask(t, c, "x")
		c.Release()
		counts(t, p, l, 1, 1)
		if _, err := new(sockclient.Pool).Get(nil, l); err == nil {
			t.Error("a Pool without Dial has connections")
		}
		if _, err := p.Get(nil, nil); err == nil {
			t.Error("no loop has connections")
		}
		if n := p.Count(nil); n != (sockclient.Count{}) {
			t.Errorf("Count(nil) = %v", n)
		}
	})
}

// Those that were at rest for too long, or used for too long, are not given, and time ends them.
func TestPoolTimes(t *testing.T) {
	sim.RunLoop(t, func(l *ringo.Loop) error {
		addr, stop := served(t, l, echo)
		defer stop()
		p := &sockclient.Pool{Dial: dialTo(addr), IdleTimeout: 10 * time.Second, MaxIdle: 10}
		a, b := get(t, p, l), get(t, p, l)
		a.Release()
		l.Sleep(5 * time.Second)
		b.Release()
		l.Sleep(6 * time.Second)
		counts(t, p, l, 1, 1)
		c := get(t, p, l)
		if !same(c, b) {
			t.Error("the younger was not given")
		}
		l.Sleep(time.Minute) // in use
		ask(t, c, "x")
		c.Release()
		l.Sleep(11 * time.Second)
		counts(t, p, l, 0, 0)

		old := &sockclient.Pool{Dial: dialTo(addr), MaxAge: time.Minute}
		c = get(t, old, l)
		for range 5 {
			c.Release()
			l.Sleep(10 * time.Second)
			d := get(t, old, l)
			if !same(c, d) {
				t.Error("it was ended too soon")
			}
			c = d
		}
		l.Sleep(10 * time.Second)
		ask(t, c, "in use it may be older")
		c.Release()
		counts(t, old, l, 0, 0)
		c = get(t, old, l)
		c.Release()
		l.Sleep(time.Minute)
		if d := get(t, old, l); same(c, d) {
			t.Error("it was given too late")
		} else {
			d.Close()
		}
		counts(t, old, l, 0, 0)
		return nil
	})
}

// Check is asked after CheckAfter alone, has its bound, and what fails it is ended.
func TestPoolCheck(t *testing.T) {
	sim.RunLoop(t, func(l *ringo.Loop) error {
		addr, stop := served(t, l, echo)
		defer stop()
		asked := 0
		var verdict func() error
		p := &sockclient.Pool{Dial: dialTo(addr), CheckAfter: time.Second, Max: 1, Check: func(c net.Conn) error {
			asked++
			if _, ok := c.(*sock.Conn); !ok {
				t.Errorf("Check of a %T", c)
			}
			return verdict()
		}}
		verdict = func() error { return nil }
		a := get(t, p, l)
		a.Release()
		l.Sleep(time.Second / 2)
		b := get(t, p, l)
		b.Release()
		if asked != 0 || !same(a, b) {
			t.Errorf("Check was asked %d times", asked)
		}
		l.Sleep(time.Second)
		c := get(t, p, l)
		c.Release()
		if asked != 1 || !same(b, c) {
			t.Errorf("Check was asked %d times", asked)
		}
		l.Sleep(time.Second)
		verdict = func() error { return errors.New("dead") }
		d := get(t, p, l)
		d.Release()
		if asked != 2 || same(c, d) {
			t.Errorf("Check was asked %d times", asked)
		}
		l.Sleep(time.Second)
		verdict = func() error { return l.Sleep(time.Hour) }
		begun := l.Now()
		e := get(t, p, l)
		if took := l.Now().Sub(begun); asked != 3 || same(d, e) || took < 5*time.Second || took > 6*time.Second {
			t.Errorf("Check was asked %d times, for %v", asked, took)
		}
		e.Release()
		l.Sleep(time.Second)
		verdict = func() error { panic("of the test") }
		func() {
			defer func() { recover() }()
			p.Get(nil, l)
			t.Error("Get has returned")
		}()
		counts(t, p, l, 0, 0)
		get(t, p, l).Close() // there is the place
		return nil
	})
}

// A goroutine's Check ends by the connection's deadline, which the connection does not have later.
func TestPoolCheckOnGoroutine(t *testing.T) {
	t.Parallel()
	onOne(t, func(l *ringo.Loop) {
		addr, stop := served(t, l, echo)
		defer stop()
		var got error
		p := &sockclient.Pool{Dial: dialTo(addr), Check: func(c net.Conn) error {
			c.SetReadDeadline(time.Now().Add(-time.Second))
			_, got = c.Read(make([]byte, 1))
			return nil
		}}
		defer p.CloseIdle()
		elsewhere(func() {
			get(t, p, l).Release()
			until(t, "it at rest", func() bool { return p.Count(l).Idle == 1 })
			c := get(t, p, l)
			if !errors.Is(got, os.ErrDeadlineExceeded) {
				t.Errorf("Check has read %v", got)
			}
			ask(t, c, "and has no deadline now")
			c.Close()
		})
	})
}

// TLS is no hindrance: input below it ends a connection at rest, and a Pipeline stands on one.
func TestPoolOfTLS(t *testing.T) {
	t.Parallel()
	onOne(t, func(l *ringo.Loop) {
		server, client := certified(t)
		ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var accepted *socktls.Conn
		var all ringo.WaitGroup
		all.Go(func() {
			for {
				c, err := ln.AcceptConn()
				if err != nil {
					return
				}
				all.Go(func() {
					accepted = socktls.Server(c, server)
					defer c.Close()
					io.Copy(accepted, accepted)
				})
			}
		})
		p := &sockclient.Pool{Dial: func(ctx context.Context, l *ringo.Loop) (net.Conn, error) {
			c, err := dialTo(ln.Addr().String())(ctx, l)
			if err != nil {
				return nil, err
			}
			tc := socktls.Client(c, client)
			if err := tc.HandshakeContext(ctx); err != nil {
				c.Close()
				return nil, err
			}
			return tc, nil
		}}
		c := get(t, p, l)
		ask(t, c, "secret")
		ask(t, c, "secret")
		c.Release()
		counts(t, p, l, 1, 1)
		if d := get(t, p, l); !same(c, d) {
			t.Error("it was not kept")
		} else {
			ask(t, d, "again")
			d.Release()
		}
		accepted.Close()
		counts(t, p, l, 0, 0)

		tc, err := p.Dial(context.Background(), l)
		if err != nil {
			t.Fatal(err)
		}
		q := sockclient.NewPipeline(l, tc, lines(), nil)
		for i := range 10 {
			var calls ringo.WaitGroup
			for j := range 10 {
				calls.Go(func() {
					want := fmt.Sprint(i, j)
					if got, err := q.Call(nil, []byte(want+"\n")); got != want || err != nil {
						t.Errorf("Call() = %q, %v", got, err)
					}
				})
			}
			calls.Wait()
			socktest.Pause(l)
		}
		accepted.Close()
		until(t, "the end", func() bool { return q.Err() != nil })
		ln.Close()
		all.Wait()
	})
}

// certified is the configuration of a server of TLS, and of a client that trusts it.
func certified(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	client = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	client.ServerName = "example.com"
	return &tls.Config{Certificates: s.TLS.Certificates}, client
}

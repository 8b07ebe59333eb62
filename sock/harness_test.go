package sock_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// patience is how long anything may take that must come. It is generous, because
// it passes only when a test fails.
const patience = 30 * time.Second

// eachDriver runs f for each driver that this kernel has, or for the one that the
// environment forces.
func eachDriver(t *testing.T, f func(t *testing.T, cfg ringo.Config)) {
	t.Helper()
	names := []string{"uring", "epoll"}
	if forced := os.Getenv("RINGO_DRIVER"); forced != "" {
		names = []string{forced}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			if err := available(name); err != nil {
				t.Skip(err)
			}
			f(t, ringo.Config{Driver: name, Loops: 1, Grace: 5 * time.Second})
		})
	}
}

// needNumbers skips a test that needs more descriptors than the driver can watch.
func needNumbers(t testing.TB, n int) {
	t.Helper()
	if os.Getenv("RINGO_DRIVER") == "select" && n > 1000 {
		t.Skipf("select watches descriptors below 1024 only, this needs %d", n)
	}
}

var probed sync.Map // the error by the driver's name

// available asks once whether a driver can be had.
func available(driver string) error {
	ask := sync.OnceValue(func() error {
		err := ringo.Run(context.Background(), &ringo.Config{Driver: driver, Loops: 1}, func(*ringo.Loop) error {
			return nil
		})
		var setup *ringo.SetupError
		if errors.As(err, &setup) {
			return setup
		}
		return nil // anything else is for the tests to find
	})
	once, _ := probed.LoadOrStore(driver, ask)
	return once.(func() error)()
}

// within gives f a while, and then ends the tests with all stacks, since whoever
// hangs holds what the next tests would need.
func within(d time.Duration, what string, f func()) {
	alarm := time.AfterFunc(d, func() {
		buf := make([]byte, 16<<20)
		panic(fmt.Sprintf("%s: not done within %v\n\n%s", what, d, buf[:runtime.Stack(buf, true)]))
	})
	defer alarm.Stop()
	f()
}

// onLoop runs body as the first task of one loop, and then nothing may be left.
func onLoop(t *testing.T, cfg ringo.Config, body func(l *ringo.Loop)) {
	t.Helper()
	cfg.Loops = 1
	within(patience, t.Name(), func() {
		err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
			body(l)
			settle(t, l)
			return nil
		})
		if err != nil && !t.Failed() {
			t.Errorf("Run: %v", err)
		}
	})
}

// settle waits until the calling task is alone on its loop, with no op in flight
// and no buffer held, and fails the test if that doesn't come.
func settle(t testing.TB, l *ringo.Loop) {
	t.Helper()
	var s ringo.Stats
	for end := time.Now().Add(patience / 3); time.Now().Before(end); pause(l) {
		if s = l.Stats(); s.Tasks == 1 && s.Slots == 0 && s.Buffers == 0 {
			return
		}
	}
	left.Add(int64(s.Slots + s.Buffers))
	t.Errorf("left on the loop: %d tasks beside the first, %d slots, %d buffers", s.Tasks-1, s.Slots, s.Buffers)
}

// pause lets others run for a moment, also if the calling task was cancelled, when
// only a join still waits.
func pause(l *ringo.Loop) {
	if l.Sleep(time.Millisecond) != nil {
		l.Go(func() {}).Wait()
	}
}

// pair runs body as a task that has one accepted connection and its peer, a
// connection of package net. Both are closed behind it.
func pair(t *testing.T, cfg ringo.Config, body func(l *ringo.Loop, c *sock.Conn, peer *net.TCPConn)) {
	t.Helper()
	onLoop(t, cfg, func(l *ringo.Loop) {
		c, peer := connect(t, l)
		defer peer.Close()
		defer c.Close()
		body(l, c, peer)
	})
}

// connect makes a connection to this loop, and its peer.
func connect(t *testing.T, l *ringo.Loop) (*sock.Conn, *net.TCPConn) {
	t.Helper()
	ln := listen(t, l)
	defer ln.Close()
	return accept(t, ln)
}

// listen makes a listener on a port of its own.
func listen(t *testing.T, l *ringo.Loop) *sock.Listener {
	t.Helper()
	ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// accept dials a listener from outside, and takes the connection.
func accept(t *testing.T, ln *sock.Listener) (*sock.Conn, *net.TCPConn) {
	t.Helper()
	peer := dial(t, ln.Addr().String())
	c, err := ln.AcceptConn()
	if err != nil {
		peer.Close()
		t.Fatal(err)
	}
	return c, peer
}

// dial connects as package net does, with a deadline for all that follows. The
// kernel queues the connection, so a task may call it too.
func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	peer, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	peer.SetDeadline(time.Now().Add(patience))
	return peer.(*net.TCPConn)
}

// offloaded runs f on an ordinary goroutine while the calling task is parked: what
// peers do that waits.
func offloaded(t *testing.T, l *ringo.Loop, f func() error) {
	t.Helper()
	if err := l.Offload(func(context.Context) error { return f() }); err != nil {
		t.Fatal(err)
	}
}

// others lets the tasks that are ready run until they wait, and the driver take in
// what they wait for.
func others(l *ringo.Loop) {
	l.Sleep(0)
	l.Sleep(0)
}

// A server is loops that serve one address until stop.
type server struct {
	t      testing.TB
	addr   string
	cancel context.CancelFunc
	done   chan struct{}
	err    error

	mu    sync.Mutex
	loops []*ringo.Loop
}

// serve starts a server: fn runs once per loop, with its listener. It is stopped
// with the test at the latest, and then nothing may be left of it.
func serve(t testing.TB, cfg ringo.Config, fn func(l *ringo.Loop, ln *sock.Listener) error) *server {
	t.Helper()
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &server{t: t, addr: set.Addr().String(), cancel: cancel, done: make(chan struct{})}
	started := make(chan bool, cfg.Loops)
	go func() {
		defer close(s.done)
		defer set.Close()
		s.err = ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
			ln, err := set.Listen(l)
			if err != nil {
				return err
			}
			s.mu.Lock()
			s.loops = append(s.loops, l)
			s.mu.Unlock()
			started <- true
			if err := fn(l, ln); err != nil && !errors.Is(err, net.ErrClosed) {
				return err
			}
			ln.Close()
			settle(t, l)
			return nil
		})
	}()
	t.Cleanup(s.stop)
	for range cfg.Loops {
		select {
		case <-started:
		case <-s.done:
		}
	}
	return s
}

// perConn makes the fn of a server that gives each connection a task.
func perConn(handle func(c *sock.Conn)) func(*ringo.Loop, *sock.Listener) error {
	return func(l *ringo.Loop, ln *sock.Listener) error {
		for {
			c, err := ln.AcceptConn()
			if err != nil {
				return err
			}
			l.Go(func() {
				defer c.Close()
				handle(c)
			})
		}
	}
}

// perRequest makes the fn of a server that serves a Handler.
func perRequest(h *sock.Handler) func(*ringo.Loop, *sock.Listener) error {
	return func(l *ringo.Loop, ln *sock.Listener) error { return sock.Serve(l, ln, h) }
}

// stop ends the server, which must be orderly.
func (s *server) stop() {
	s.t.Helper()
	s.cancel()
	within(patience, s.t.Name()+": the server's end", func() { <-s.done })
	if s.err != nil && !s.t.Failed() {
		s.t.Errorf("the server ended with %v", s.err)
	}
	s.err = nil
}

// dial connects to the server; the connection is closed with the test.
func (s *server) dial() *net.TCPConn {
	s.t.Helper()
	c := dial(s.t, s.addr)
	s.t.Cleanup(func() { c.Close() })
	return c
}

// stats adds up the counters of the server's loops.
func (s *server) stats() (sum ringo.Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.loops {
		one := l.Stats()
		sum.Turns += one.Turns
		sum.Parks += one.Parks
		sum.Tasks += one.Tasks
		sum.Workers += one.Workers
		sum.Slots += one.Slots
		sum.Buffers += one.Buffers
		sum.Backoffs += one.Backoffs
		sum.Driver.Enters += one.Driver.Enters
		sum.Driver.Submitted += one.Driver.Submitted
		sum.Driver.Queued += one.Driver.Queued
		sum.Driver.Overflows += one.Driver.Overflows
		sum.Driver.NoBuffers += one.Driver.NoBuffers
	}
	return sum
}

// eventually waits until ok, and fails the test if that doesn't come. It is for
// what happens in the kernel or on other threads and tells nobody.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience / 3); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience/3)
		}
	}
}

// eventuallyOn is eventually for a task, which lets the others run meanwhile.
func eventuallyOn(t *testing.T, l *ringo.Loop, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience / 3); !ok(); l.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience/3)
		}
	}
}

// byteAt is the byte at a place of the endless stream that tests send: each place
// of a few megabytes can be told from its neighbours and from places a power of
// two away.
func byteAt(i int) byte { return byte(i) ^ byte(i>>8)*29 ^ byte(i>>16)*71 ^ byte(i>>24) }

// pattern fills p with the stream from a place on.
func pattern(p []byte, at int) {
	for i := range p {
		p[i] = byteAt(at + i)
	}
}

// mismatch gives the place of the first wrong byte, -1 if p is the stream from at on.
func mismatch(p []byte, at int) int {
	for i, b := range p {
		if b != byteAt(at+i) {
			return at + i
		}
	}
	return -1
}

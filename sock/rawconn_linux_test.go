//go:build linux

package sock_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// starter begins f as a caller of some kind, and gives what is closed at its end.
type starter func(f func()) (done <-chan struct{})

// run is start and a wait.
func (start starter) run(f func()) { <-start(f) }

// eachCaller runs body with a connection and its peer for each driver and each kind of
// caller: tasks of the connection's loop, tasks of another loop, and goroutines. body
// itself runs on a goroutine.
func eachCaller(t *testing.T, body func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter)) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		for _, kind := range []string{"task", "task of another loop", "goroutine"} {
			t.Run(kind, func(t *testing.T) {
				conns := make(chan *sock.Conn, 1)
				end := make(chan bool)
				s := serve(t, cfg, perConn(func(c *sock.Conn) {
					conns <- c
					c.Loop().Offload(func(context.Context) error { <-end; return nil })
				}))
				defer s.stop()
				defer close(end)
				peer := s.dial()
				c := <-conns
				patience.Within(t.Name(), func() { body(t, c, peer, startAs(kind, s, c.Loop())) })
			})
		}
	})
}

func startAs(kind string, s *server, l *ringo.Loop) starter {
	if kind == "task of another loop" {
		l = otherLoop(s, l)
	}
	return func(f func()) <-chan struct{} {
		done := make(chan struct{})
		run := func() {
			defer close(done)
			f()
		}
		if kind == "goroutine" {
			go run()
		} else {
			l.Go(run)
		}
		return done
	}
}

func rawOf(t *testing.T, c syscall.Conn) syscall.RawConn {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// rawRead reads once through a RawConn.
func rawRead(raw syscall.RawConn, p []byte) (n int, err error) {
	var callErr error
	err = raw.Read(func(fd uintptr) bool {
		n, _, callErr = syscall.Recvfrom(int(fd), p, syscall.MSG_DONTWAIT)
		return callErr != syscall.EAGAIN
	})
	return max(n, 0), errors.Join(err, callErrOf(err, callErr))
}

// rawWrite writes all of p through a RawConn.
func rawWrite(raw syscall.RawConn, p []byte) (n int, err error) {
	var callErr error
	err = raw.Write(func(fd uintptr) bool {
		for n < len(p) {
			k, err := syscall.SendmsgN(int(fd), p[n:], nil, nil, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
			if callErr = err; err != nil {
				return err != syscall.EAGAIN
			}
			n += k
		}
		return true
	})
	return n, errors.Join(err, callErrOf(err, callErr))
}

// callErrOf is the error of the last call, unless it was not the last word.
func callErrOf(err, callErr error) error {
	if err != nil {
		return nil
	}
	return callErr
}

// isOpen reports whether fd is the socket with this address.
func isOpen(fd uintptr, addr net.Addr) bool {
	sa, err := syscall.Getsockname(int(fd))
	in4, ok := sa.(*syscall.SockaddrInet4)
	return err == nil && ok && in4.Port == addr.(*net.TCPAddr).Port
}

func TestRawControl(t *testing.T) {
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
		raw := rawOf(t, c)
		start.run(func() {
			if err := raw.Control(func(fd uintptr) {
				if !isOpen(fd, c.LocalAddr()) {
					t.Errorf("descriptor %d is not the connection's", fd)
				}
			}); err != nil {
				t.Error(err)
			}
		})
		start.run(func() { c.Close() })
		start.run(func() {
			err := raw.Control(func(uintptr) { t.Error("called after Close") })
			wantClosed(t, "Control", err)
			wantClosed(t, "Read", raw.Read(func(uintptr) bool { t.Error("called after Close"); return true }))
			wantClosed(t, "Write", raw.Write(func(uintptr) bool { t.Error("called after Close"); return true }))
		})
	})
}

// The descriptor stays what it is while a function has it: Close waits.
func TestRawControlHoldsTheDescriptor(t *testing.T) {
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
		raw := rawOf(t, c)
		in, out := make(chan uintptr), make(chan bool)
		go raw.Control(func(fd uintptr) { in <- fd; <-out })
		fd := <-in
		closed := start(func() { c.Close() })
		if _, err := peer.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		eventually(t, "the close's begin", func() bool {
			return raw.Control(func(uintptr) {}) != nil
		})
		select {
		case <-closed:
			t.Error("Close did not wait")
		default:
		}
		if !isOpen(fd, c.LocalAddr()) {
			t.Error("the descriptor was closed under a function that had it")
		}
		out <- true
		<-closed
		if isOpen(fd, c.LocalAddr()) {
			t.Error("the descriptor is still open after Close")
		}
	})
}

func TestRawRead(t *testing.T) {
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
		raw := rawOf(t, c)
		p := make([]byte, 10)
		for range 20 {
			tries := make(chan bool, 1)
			done := start(func() {
				n := 0
				err := raw.Read(func(fd uintptr) bool {
					var err error
					n, _, err = syscall.Recvfrom(int(fd), p, syscall.MSG_DONTWAIT)
					tell(tries)
					return err != syscall.EAGAIN
				})
				if err != nil || string(p[:n]) != "raw" {
					t.Errorf("read %q, %v", p[:n], err)
				}
			})
			<-tries // before, the loop may still receive for the reader before
			send(t, peer, "raw")
			<-done
			done = start(func() {
				n, err := c.Read(p)
				if err != nil || string(p[:n]) != "plain" {
					t.Errorf("Read %q, %v", p[:n], err)
				}
			})
			send(t, peer, "plain")
			<-done
		}
		peer.CloseWrite()
		start.run(func() {
			if n, err := rawRead(raw, p); n != 0 || err != nil {
				t.Errorf("at the end: %d, %v", n, err)
			}
			if _, err := c.Read(p); err != io.EOF {
				t.Errorf("Read at the end: %v", err)
			}
		})
	})
}

// What was received and not read is not passed over.
func TestRawReadUnread(t *testing.T) {
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
		send(t, peer, "abc")
		start.run(func() {
			if p, err := c.Peek(3); err != nil {
				t.Errorf("Peek: %q, %v", p, err)
			}
		})
		c.Loop().Go(func() { // who reads first does not matter
			if p, err := c.Peek(1); err != nil {
				t.Errorf("Peek: %q, %v", p, err)
			}
		}).Wait()
		raw := rawOf(t, c)
		start.run(func() {
			err := raw.Read(func(uintptr) bool { t.Error("called with bytes unread"); return true })
			if !errors.Is(err, sock.ErrUnread) {
				t.Errorf("Read: %v", err)
			}
			if err := raw.Write(func(uintptr) bool { return true }); err != nil {
				t.Errorf("Write: %v", err)
			}
			p := make([]byte, 10)
			if n, err := io.ReadFull(c, p[:3]); err != nil || string(p[:n]) != "abc" {
				t.Errorf("Read: %q, %v", p[:n], err)
			}
			send(t, peer, "d")
			if n, err := rawRead(raw, p); err != nil || string(p[:n]) != "d" {
				t.Errorf("then: %q, %v", p[:n], err)
			}
		})
	})
}

func TestRawWrite(t *testing.T) {
	t.Parallel()
	for _, half := range []string{"", ", half-closed peer"} {
		t.Run("all"+half, func(t *testing.T) {
			eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
				if half != "" {
					peer.CloseWrite()
				}
				const size = 8 << 20 // more than there is room for
				p := make([]byte, size)
				pattern(p, 0)
				done := start(func() {
					if n, err := rawWrite(rawOf(t, c), p); n != size || err != nil {
						t.Errorf("wrote %d, %v", n, err)
					}
					c.CloseWrite()
				})
				got, err := io.ReadAll(peer)
				if len(got) != size || err != nil || mismatch(got, 0) >= 0 {
					t.Errorf("%d bytes came, %v", len(got), err)
				}
				<-done
			})
		})
	}
}

// tell says once on a channel with room for it that something was reached.
func tell(ch chan bool) {
	select {
	case ch <- true:
	default:
	}
}

// again is for a function that never finds what it wants.
func again(uintptr) bool { return false }

func TestRawClose(t *testing.T) {
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
		raw := rawOf(t, c)
		reads, writes := make(chan bool, 1), make(chan bool, 1)
		in := start(func() {
			wantClosed(t, "Read", raw.Read(func(uintptr) bool { tell(reads); return false }))
		})
		out := start(func() {
			p := make([]byte, 1<<16)
			wantClosed(t, "Write", raw.Write(func(fd uintptr) bool {
				for {
					if _, err := syscall.SendmsgN(int(fd), p, nil, nil,
						syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL); err != nil {
						break
					}
				}
				tell(writes)
				return false
			}))
		})
		<-reads
		<-writes
		var fd uintptr
		raw.Control(func(n uintptr) { fd = n })
		start.run(func() { c.Close() })
		<-in
		<-out
		if isOpen(fd, c.LocalAddr()) {
			t.Error("still open")
		}
	})
}

// A function that panics, or ends its goroutine, leaves the direction to others.
func TestRawPanic(t *testing.T) {
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
		raw := rawOf(t, c)
		for _, when := range []int{1, 2} { // at once, and after a wait
			calls, called := 0, make(chan bool, 1)
			done := start(func() {
				defer func() {
					if v := recover(); v == nil {
						t.Error("no panic came through")
					}
				}()
				raw.Read(func(uintptr) bool {
					tell(called)
					if calls++; calls == when {
						panic("of a test")
					}
					return false
				})
			})
			<-called
			send(t, peer, "x")
			<-done
			start.run(func() {
				if n, err := c.Read(make([]byte, 2)); n != 1 || err != nil {
					t.Errorf("after a panic: %d, %v", n, err)
				}
			})
		}
		start.run(func() {
			func() {
				defer func() { recover() }()
				raw.Control(func(uintptr) { panic("of a test") })
			}()
			c.Close() // which would wait
		})
	})
}

// Raw reads and others take turns on one stream: no byte is lost or out of place.
func TestRawReadersAmongOthers(t *testing.T) {
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
		const records = 2000
		go func() {
			var p []byte
			for i := range uint32(records) {
				p = binary.BigEndian.AppendUint32(p, i)
				if rand.IntN(20) == 0 {
					peer.Write(p)
					p = p[:0]
				}
			}
			peer.Write(p)
			peer.CloseWrite()
		}()
		raw := rawOf(t, c)
		var mu ringo.Mutex
		var got []byte
		var over atomic.Bool
		step := func() {
			if mu.LockContext(context.Background()) != nil {
				return
			}
			defer mu.Unlock()
			p := make([]byte, 100)
			n, err := 0, sock.ErrUnread
			if rand.IntN(2) == 0 {
				if n, err = rawRead(raw, p); n == 0 && err == nil {
					err = io.EOF
				}
			}
			if errors.Is(err, sock.ErrUnread) {
				n, err = c.Read(p)
			}
			got = append(got, p[:n]...)
			switch {
			case err == nil, errors.Is(err, context.Canceled):
			default:
				if err != io.EOF {
					t.Error(err)
				}
				over.Store(true)
			}
		}
		var all sync.WaitGroup
		all.Go(func() {
			for !over.Load() {
				task := c.Loop().Go(step)
				if rand.IntN(3) == 0 {
					task.Cancel()
				}
				task.Wait()
			}
		})
		all.Go(func() {
			for !over.Load() {
				start.run(step)
			}
		})
		all.Wait()
		if len(got) != 4*records {
			t.Fatalf("%d bytes came of %d", len(got), 4*records)
		}
		for i := range records {
			if v := binary.BigEndian.Uint32(got[4*i:]); v != uint32(i) {
				t.Fatalf("record %d is %d", i, v)
			}
		}
	})
}

func TestRawListener(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		before := sockets(t)
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			raw := rawOf(t, ln)
			check := func() {
				if err := raw.Control(func(fd uintptr) {
					if !isOpen(fd, ln.Addr()) {
						t.Errorf("descriptor %d is not the listener's", fd)
					}
				}); err != nil {
					t.Error(err)
				}
				for _, err := range []error{raw.Read(again), raw.Write(again)} {
					if !errors.Is(err, syscall.EINVAL) {
						t.Errorf("Read or Write: %v", err)
					}
				}
			}
			check()
			onGoroutine(t, l, check)

			in, out := make(chan uintptr), make(chan bool)
			go raw.Control(func(fd uintptr) { in <- fd; <-out })
			fd := <-in
			closed := l.Go(func() { ln.Close() })
			others(l)
			if !isOpen(fd, ln.Addr()) {
				t.Error("closed under a function that had it")
			}
			wantClosed(t, "Control", raw.Control(func(uintptr) { t.Error("called after Close") }))
			out <- true
			closed.Wait()
			if isOpen(fd, ln.Addr()) {
				t.Error("still open after Close")
			}
		})
		if n := sockets(t); n != before {
			t.Errorf("%d sockets, %d before", n, before)
		}
	})
}

// A function may have the descriptor for longer than there is a loop.
func TestRawOutlivesTheLoop(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, what := range []string{"Conn", "Listener"} {
			before := sockets(t)
			in, out, over := make(chan uintptr), make(chan bool), make(chan bool)
			var addr net.Addr
			var end io.Closer
			var fd uintptr
			err := socktest.RunLoops(t, context.Background(), &cfg, func(l *ringo.Loop) error {
				ln := listen(t, l)
				var raw syscall.RawConn
				if what == "Conn" {
					c, peer := accept(t, ln)
					peer.Close()
					raw, addr, end = rawOf(t, c), c.LocalAddr(), c
				} else {
					raw, addr, end = rawOf(t, ln), ln.Addr(), ln
				}
				go func() {
					defer close(over)
					raw.Control(func(fd uintptr) { in <- fd; <-out })
				}()
				offloaded(t, l, func() error { fd = <-in; return nil })
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if !isOpen(fd, addr) {
				t.Errorf("%s: closed with its loop, under a function that had it", what)
			}
			close(out)
			<-over
			if err := end.Close(); err != nil {
				t.Error(err)
			}
			if n := sockets(t); n != before {
				t.Errorf("%s: %d sockets, %d before", what, n, before)
			}
		}
	})
}

func TestRawErrors(t *testing.T) {
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
		raw := rawOf(t, c)
		start.run(func() {
			c.SetReadDeadline(time.Now())
			err := raw.Read(again)
			var oe *net.OpError
			if !errors.As(err, &oe) || oe.Op != "raw-read" || oe.Addr.String() != c.RemoteAddr().String() {
				t.Errorf("%#v", err)
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "timeout") {
				t.Error(err)
			}
		})
	})
}

// A Serve that ends takes no bytes from a connection whose input a goroutine has.
func TestServeEndsBesideGoroutine(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			defer ln.Close()
			conns, requests := make(chan *sock.Conn, 1), make(chan int, 10)
			serving := l.Go(func() {
				sock.Serve(l, ln, &sock.Handler{
					Open:    func(c *sock.Conn) error { conns <- c; return nil },
					Request: func(c *sock.Conn) error { requests <- c.Buffered(); return net.ErrClosed },
				})
			})
			peer := dial(t, ln.Addr().String())
			defer peer.Close()
			offloaded(t, l, func() error {
				c := <-conns
				raw, err := c.SyscallConn()
				if err != nil {
					return err
				}
				var n int
				entered, look, looked := make(chan bool), make(chan bool), make(chan error, 1)
				go func() {
					looked <- raw.Read(func(fd uintptr) bool {
						close(entered)
						<-look
						n, _, _ = syscall.Recvfrom(int(fd), make([]byte, 16), syscall.MSG_DONTWAIT)
						return true
					})
				}()
				<-entered
				send(t, peer, "hello")
				serving.Cancel()
				eventually(t, "the connection closes, or is served", func() bool {
					return len(requests) > 0 || errors.Is(c.SetNoDelay(true), net.ErrClosed)
				})
				close(look)
				patience.Within(t.Name(), func() {
					if err := <-looked; n != 5 || err != nil {
						t.Errorf("the goroutine received %d bytes, %v; want 5", n, err)
					}
					serving.Wait()
				})
				if len(requests) > 0 {
					t.Errorf("a request was made of %d bytes", <-requests)
				}
				return nil
			})
		})
	})
}

// A function that reports false without a look at the socket is called again once it is ready, at once if it is so
// already: where package net waits for more to come.
func TestRawReadWaitsOnce(t *testing.T) {
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
		raw, p := rawOf(t, c), make([]byte, 10)
		for round := range 6 {
			before := round%2 == 0
			if before {
				send(t, peer, "before")
			}
			calls, asked := 0, make(chan bool, 1)
			var sent atomic.Bool
			done := start(func() {
				err := raw.Read(func(uintptr) bool {
					if calls++; calls == 2 && !before && !sent.Load() {
						t.Errorf("round %d: called again before there is anything", round)
					}
					tell(asked)
					return calls == 2
				})
				if before && errors.Is(err, sock.ErrUnread) { // the loop has received it
					return
				}
				if err != nil || calls != 2 {
					t.Errorf("round %d: after %d calls: %v", round, calls, err)
				}
			})
			if !before {
				<-asked
				sent.Store(true)
				send(t, peer, "behind")
			}
			<-done
			start.run(func() {
				if _, err := io.ReadFull(c, p[:6]); err != nil {
					t.Error(err)
				}
			})
			calls = 0
			start.run(func() { // there is room from the start
				if err := raw.Write(func(uintptr) bool { calls++; return calls == 2 }); err != nil || calls != 2 {
					t.Errorf("round %d: Write, after %d calls: %v", round, calls, err)
				}
			})
		}
	})
}

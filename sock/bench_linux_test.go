//go:build linux

package sock_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/sock"
)

// BenchmarkDial is a dial and a close: of a number, of a number by package net, of a
// name that a DNS server on this machine answers, and of a number while 50 names hang,
// with the longest turn of the loop meanwhile.
func BenchmarkDial(b *testing.B) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.Read(make([]byte, 1))
			}()
		}
	}()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	server := newNameServer(b, map[string][]netip.Addr{"a.test": addrsOf("127.0.0.1")})
	d := sock.Dialer{Resolver: server.resolver()}
	onOne := func(b *testing.B, body func(l *ringo.Loop)) {
		err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			body(l)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	dial := func(b *testing.B, l *ringo.Loop, address string) {
		b.ReportAllocs()
		for b.Loop() {
			c, err := d.Dial(l, "tcp", address)
			if err != nil {
				b.Fatal(err)
			}
			c.SetLinger(0)
			c.Close()
		}
	}
	b.Run("number", func(b *testing.B) {
		onOne(b, func(l *ringo.Loop) { dial(b, l, "127.0.0.1:"+port) })
	})
	b.Run("net", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c, err := net.Dial("tcp", "127.0.0.1:"+port)
			if err != nil {
				b.Fatal(err)
			}
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
	})
	b.Run("name", func(b *testing.B) {
		onOne(b, func(l *ringo.Loop) { dial(b, l, "a.test.:"+port) })
	})
	b.Run("name by net", func(b *testing.B) {
		b.ReportAllocs()
		std := net.Dialer{Resolver: server.resolver()}
		for b.Loop() {
			c, err := std.Dial("tcp", "a.test.:"+port)
			if err != nil {
				b.Fatal(err)
			}
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
	})
	b.Run("offload", func(b *testing.B) {
		onOne(b, func(l *ringo.Loop) {
			for b.Loop() {
				l.Offload(func(context.Context) error { return nil })
			}
		})
	})
	b.Run("number while names hang", func(b *testing.B) {
		onOne(b, func(l *ringo.Loop) {
			silent := newNameServer(b, nil)
			defer silent.hold(typeA)()
			defer silent.hold(typeAAAA)()
			hanging := sock.Dialer{Resolver: silent.resolver()}
			var tasks []*ringo.Task
			for range 50 {
				tasks = append(tasks, l.Go(func() { hanging.Dial(l, "tcp", "hangs.test.:1") }))
			}
			for silent.questions() < 2 {
				l.Sleep(time.Millisecond)
			}
			before := l.Stats()
			dial(b, l, "127.0.0.1:"+port)
			after := l.Stats()
			b.ReportMetric(float64(after.Stalls-before.Stalls), "stalls")
			b.ReportMetric(float64(after.Longest.Microseconds()), "longest-turn-µs")
			for _, t := range tasks {
				t.Cancel()
			}
		})
	})
}

// BenchmarkTouched compares what an echo costs tasks on connections that only tasks
// have used with what it costs on those that goroutines used before: once in a Read
// that had to wait, or for a TLS handshake. Both ends are tasks of one loop, and the two
// kinds take turns in batches; "ratio" is the median of the pairs, with its quartiles.
func BenchmarkTouched(b *testing.B) {
	for _, driver := range []string{"uring", "epoll"} {
		for _, how := range []struct {
			name  string
			touch func(c, peer *sock.Conn) error
		}{
			{"read", touchByRead},
			{"handshake", touchByHandshake(b)},
			{"nothing", func(_, _ *sock.Conn) error { return nil }},
		} {
			for _, conns := range []int{1, 50} {
				b.Run(fmt.Sprintf("driver=%s/touch=%s/conns=%d", driver, how.name, conns), func(b *testing.B) {
					if err := available(driver); err != nil {
						b.Skip(err)
					}
					benchTouched(b, driver, conns, how.touch)
				})
			}
		}
	}
}

func benchTouched(b *testing.B, driver string, conns int, touch func(c, peer *sock.Conn) error) {
	err := ringo.Run(context.Background(), &ringo.Config{Driver: driver, Loops: 1, StallLimit: -1},
		func(l *ringo.Loop) error {
			ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			var kinds [2][]echoPair
			for i := range 2 * conns {
				p, err := newEchoPair(l, ln)
				if err != nil {
					return err
				}
				defer p.close()
				if i%2 == 1 {
					if err := l.Offload(func(context.Context) error { return touch(p.c, p.peer) }); err != nil {
						return err
					}
				}
				kinds[i%2] = append(kinds[i%2], p)
			}
			ln.Close()
			const batch = 2000
			var wall, ratio []float64
			for _, kind := range kinds { // a warm-up, in which tasks take their directions back
				echoBatch(l, kind, batch)
			}
			for b.Loop() {
				untouched := echoBatch(l, kinds[0], batch)
				touched := echoBatch(l, kinds[1], batch)
				again := echoBatch(l, kinds[0], batch)
				wall = append(wall, float64(touched)/batch)
				ratio = append(ratio, 2*float64(touched)/float64(untouched+again))
			}
			slices.Sort(ratio)
			slices.Sort(wall)
			b.ReportMetric(wall[len(wall)/2], "ns/echo")
			b.ReportMetric(ratio[len(ratio)/2], "ratio")
			b.ReportMetric(ratio[len(ratio)/4], "ratio-q1")
			b.ReportMetric(ratio[len(ratio)*3/4], "ratio-q3")
			return nil
		})
	if err != nil {
		b.Fatal(err)
	}
}

// echoPair is both ends of a connection.
type echoPair struct{ c, peer *sock.Conn }

func newEchoPair(l *ringo.Loop, ln *sock.Listener) (p echoPair, err error) {
	if p.peer, err = sock.Dial(l, "tcp", ln.Addr().String()); err == nil {
		p.c, err = ln.AcceptConn()
	}
	return p, err
}

func (p echoPair) close() {
	p.peer.Close()
	p.c.Close()
}

// echoBatch has tasks do n echoes over the pairs, and gives the processor time that the
// loop's thread took for it.
func echoBatch(l *ringo.Loop, pairs []echoPair, n int) time.Duration {
	each := n / len(pairs)
	var tasks []*ringo.Task
	before := threadTime()
	for _, p := range pairs {
		tasks = append(tasks, l.Go(func() {
			buf := make([]byte, 64)
			for range each {
				if _, err := io.ReadFull(p.c, buf); err != nil {
					panic(err)
				}
				p.c.Write(buf)
			}
		}), l.Go(func() {
			buf := make([]byte, 64)
			for range each {
				p.peer.Write(buf)
				if _, err := io.ReadFull(p.peer, buf); err != nil {
					panic(err)
				}
			}
		}))
	}
	for _, t := range tasks {
		t.Wait()
	}
	return threadTime() - before
}

// touchByRead is called on a goroutine: the Read waits in Go's netpoller.
func touchByRead(c, peer *sock.Conn) error {
	got := make(chan error, 1)
	go func() {
		_, err := io.ReadFull(c, make([]byte, 5))
		got <- err
	}()
	time.Sleep(time.Millisecond) // so that it waits, most times
	if _, err := peer.Write([]byte("hello")); err != nil {
		return err
	}
	return <-got
}

// touchByHandshake makes a function that is called on a goroutine. The tasks go on in
// plain text, as if the keys were the kernel's.
func touchByHandshake(b *testing.B) func(c, peer *sock.Conn) error {
	cert, roots := certificate(b)
	return func(c, peer *sock.Conn) error {
		done := make(chan error, 1)
		go func() {
			done <- tls.Client(peer, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}).Handshake()
		}()
		// Without tickets, which would be what the tasks read first.
		err := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert},
			SessionTicketsDisabled: true}).Handshake()
		return errors.Join(err, <-done)
	}
}

// threadTime is the processor time of the calling thread.
func threadTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

// What an idle connection keeps of the Go heap and stacks, once it has echoed 64
// bytes: with a task each, with a task that used 4 KiB of its stack before, and
// with handlers per request. The stack of a parked task shrinks again in the next
// collection, if it uses less than a quarter of it. bench/idle shows the whole
// process.
func BenchmarkIdleMemory(b *testing.B) {
	const conns = 4000
	needFiles(b, 2*conns+200)
	for _, driver := range []string{"uring", "epoll"} {
		for _, c := range []struct {
			name   string
			server func(*ringo.Loop, *sock.Listener) error
		}{
			{"task", perConn(echoByTask)},
			{"task, 4 KiB of stack used", perConn(func(c *sock.Conn) {
				useStack(0)
				echoByTask(c)
			})},
			{"requests", echoes["requests"]},
		} {
			b.Run(driver+"/"+c.name, func(b *testing.B) {
				if err := available(driver); err != nil {
					b.Skip(err)
				}
				for b.Loop() {
					s := serve(b, ringo.Config{Driver: driver, Loops: 1, Grace: 5 * time.Second}, c.server)
					measureIdle(b, s, conns)
					s.stop()
				}
			})
		}
	}
}

func measureIdle(b *testing.B, s *server, conns int) {
	inUse := func() float64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapInuse + m.StackInuse)
	}
	before := inUse()
	p := make([]byte, 64)
	clients := make([]raw, conns)
	for i := range clients {
		c, err := rawDial(s.addr)
		if err != nil {
			b.Fatal(err)
		}
		clients[i] = c
		if err := c.write(p); err != nil {
			b.Fatal(err)
		}
		if err := c.read(p); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((inUse()-before)/float64(conns), "B/conn")
	for i := range clients {
		clients[i].reset()
	}
	runtime.KeepAlive(clients)
}

func echoByTask(c *sock.Conn) {
	for {
		lease, err := c.Next()
		if err != nil {
			return
		}
		_, err = c.Write(lease.Bytes())
		lease.Release()
		if err != nil {
			return
		}
	}
}

// useStack uses a little over 4 KiB of stack.
//
//go:noinline
func useStack(x byte) byte {
	var p [4096]byte
	for i := range p {
		p[i] = x + byte(i)
	}
	return p[len(p)/2] + p[x]
}

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
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/driver/open"
	"ringo/internal/test/selfsigned"
	"ringo/internal/test/testmain"
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
			{"handshake", touchByHandshake()},
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
func touchByHandshake() func(c, peer *sock.Conn) error {
	cert, roots := selfsigned.Must(selfsigned.Loopback())
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
// collection, if it uses less than a quarter of it. bench idle shows the whole
// process.
func BenchmarkIdleMemory(b *testing.B) {
	const conns = 4000
	testmain.NeedDescriptors(b, 2*conns+200)
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

// BenchmarkAccept is an accept and a close of peers that have come already, by a task and by a goroutine, on a listener
// of its own and on one whose socket other loops could share.
func BenchmarkAccept(b *testing.B) {
	const peers = 100
	listens := map[string]func() (*sock.ListenerSet, error){
		"tcp":         func() (*sock.ListenerSet, error) { return sock.Reserve("tcp", "127.0.0.1:0") },
		"unix shared": func() (*sock.ListenerSet, error) { return sock.Reserve("unix", abstractName()) },
		"tcp shared": func() (*sock.ListenerSet, error) {
			return (&sock.ListenConfig{OneSocket: true}).Reserve("tcp", "127.0.0.1:0")
		},
	}
	for _, kind := range []string{"tcp", "tcp shared", "unix shared"} {
		for _, who := range []string{"task", "goroutine"} {
			b.Run(kind+"/"+who, func(b *testing.B) {
				set, err := listens[kind]()
				if err != nil {
					b.Fatal(err)
				}
				defer set.Close()
				dialed := make([]net.Conn, peers)
				come := func(context.Context) (err error) {
					for i := range dialed {
						if dialed[i] != nil {
							dialed[i].Close()
						}
						if dialed[i], err = net.Dial(set.Addr().Network(), set.Addr().String()); err != nil {
							return err
						}
					}
					return nil
				}
				err = ringo.Run(b.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
					ln, err := set.Listen(l)
					if err != nil {
						return err
					}
					take := func(context.Context) error {
						for range peers {
							c, err := ln.AcceptConn()
							if err != nil {
								return err
							}
							c.Close()
						}
						return nil
					}
					for b.Loop() {
						b.StopTimer()
						if err := l.Offload(come); err != nil {
							return err
						}
						b.StartTimer()
						if who == "task" {
							err = take(nil)
						} else {
							err = l.Offload(take)
						}
						if err != nil {
							return err
						}
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/peers, "ns/accept")
					for _, peer := range dialed {
						peer.Close()
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

// BenchmarkBuffers writes 64 slices to a peer that answers when it has all of them: by net.Buffers to package net's
// connection and to ours, which is one Write for each slice, and by WriteV.
func BenchmarkBuffers(b *testing.B) {
	const slices = 64
	for _, size := range []int{16, 256, 1024} {
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
					for p := make([]byte, slices*size); ; {
						if _, err := io.ReadFull(c, p); err != nil {
							return
						}
						c.Write(p[:1])
					}
				}()
			}
		}()
		all := make([][]byte, slices)
		for i := range all {
			all[i] = make([]byte, size)
		}
		work := make(net.Buffers, slices)
		buffers := func(c net.Conn) (int64, error) {
			work = append(work[:0], all...)
			rest := work
			return rest.WriteTo(c)
		}
		writeV := func(c net.Conn) (int64, error) {
			n, err := c.(*sock.Conn).WriteV(all)
			return int64(n), err
		}
		turns := func(b *testing.B, c net.Conn, write func(net.Conn) (int64, error)) {
			b.ReportAllocs()
			for p := make([]byte, 1); b.Loop(); {
				if _, err := write(c); err != nil {
					b.Fatal(err)
				}
				if _, err := c.Read(p); err != nil {
					b.Fatal(err)
				}
			}
			c.Close()
		}
		eachSlice := func(c net.Conn) (int64, error) {
			rest := append(work[:0], all...)
			return rest.WriteTo(struct{ io.Writer }{c})
		}
		for how, write := range map[string]func(net.Conn) (int64, error){"Buffers": buffers, "Write": eachSlice} {
			b.Run(fmt.Sprintf("size=%d/net/%s", size, how), func(b *testing.B) {
				c, err := net.Dial("tcp", ln.Addr().String())
				if err != nil {
					b.Fatal(err)
				}
				turns(b, c, write)
			})
		}
		for _, driver := range []string{"uring", "epoll"} {
			for how, write := range map[string]func(net.Conn) (int64, error){"Buffers": buffers, "WriteV": writeV} {
				for _, who := range []string{"task", "goroutine"} {
					b.Run(fmt.Sprintf("size=%d/%s/%s/%s", size, driver, who, how), func(b *testing.B) {
						cfg := &ringo.Config{Loops: 1, Driver: driver}
						err := ringo.Run(context.Background(), cfg, func(l *ringo.Loop) error {
							c, err := sock.Dial(l, "tcp", ln.Addr().String())
							if err != nil {
								return err
							}
							if who == "task" {
								turns(b, c, write)
								return nil
							}
							return l.Offload(func(context.Context) error { turns(b, c, write); return nil })
						})
						if err != nil {
							b.Fatal(err)
						}
					})
				}
			}
		}
	}
}

// BenchmarkReceive is 64 KiB that a peer sends as fast as it can: read into the reader's memory, or taken in the
// buffers in which they came, with so many of them for the connection. "submitted" is operations that were armed.
func BenchmarkReceive(b *testing.B) {
	const size = 64 << 10
	for _, way := range []struct {
		name string
		take func(c *sock.Conn, p []byte) error
	}{
		{"read", func(c *sock.Conn, p []byte) error { _, err := io.ReadFull(c, p); return err }},
		{"next", func(c *sock.Conn, p []byte) error {
			for left := len(p); left > 0; {
				b, err := c.Next()
				if err != nil {
					return err
				}
				left -= len(b.Bytes())
				b.Release()
			}
			return nil
		}},
	} {
		for _, leases := range []int{1, 4, 16} {
			for _, driver := range open.Names()[1:3] {
				b.Run(fmt.Sprintf("way=%s/leases=%d/driver=%s", way.name, leases, driver), func(b *testing.B) {
					if err := available(driver); err != nil {
						b.Skip(err)
					}
					b.SetBytes(size)
					b.ReportAllocs()
					receiveAll(b, ringo.Config{Driver: driver, Loops: 1, Leases: leases}, size, way.take)
				})
			}
		}
	}
}

func receiveAll(b *testing.B, cfg ringo.Config, size int, take func(c *sock.Conn, p []byte) error) {
	err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		peer, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer peer.Close()
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		defer c.Close()
		go func() { // until it is closed
			for p := make([]byte, size); ; {
				if _, err := peer.Write(p); err != nil {
					return
				}
			}
		}()
		p := make([]byte, size)
		before := l.Stats().Driver.Submitted
		b.ResetTimer()
		for range b.N {
			if err := take(c, p); err != nil {
				return err
			}
		}
		b.StopTimer()
		b.ReportMetric(float64(l.Stats().Driver.Submitted-before)/float64(b.N), "submitted/op")
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkMoveTo is a read and a move to the other loop, where the next read is: of one connection, so that the loops
// sleep, and of 64 at a time; of a byte that the read waits for, and of 4 KiB out of a stream that does not end. Beside
// it what that costs without the move: each loop then has a connection of its own, and the reads take turns.
func BenchmarkMoveTo(b *testing.B) {
	for _, driver := range []string{"uring", "epoll"} {
		for _, size := range []int{1, 4096} {
			for _, conns := range []int{1, 64} {
				for _, what := range []string{"stay", "move"} {
					name := fmt.Sprintf("driver=%s/size=%d/conns=%d/%s", driver, size, conns, what)
					b.Run(name, func(b *testing.B) { benchmarkMoveTo(b, driver, size, conns, what == "move") })
				}
			}
		}
	}
}

func benchmarkMoveTo(b *testing.B, driver string, size, conns int, move bool) {
	done := make(chan struct{})
	err := ringo.Run(b.Context(), &ringo.Config{Loops: 2, Driver: driver}, func(l *ringo.Loop) error {
		if l.Index() != 0 {
			return awaitIn(l, done)
		}
		defer close(done)
		bs := make([]*bouncer, conns)
		for i := range bs {
			bs[i] = newBouncer(b, l.Loops(), size, move)
			defer bs[i].close()
		}
		n := b.N/conns + 1
		var wg sync.WaitGroup
		wg.Add(conns)
		b.ReportAllocs()
		b.ResetTimer()
		before := cpuTime(b)
		for _, x := range bs {
			l.Go(func() { x.step(0, n, wg.Done) })
		}
		l.Offload(func(context.Context) error { wg.Wait(); return nil })
		b.StopTimer()
		b.ReportMetric(float64(cpuTime(b)-before)/float64(n*conns), "cpu-ns/op")
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// cpuTime is what the process has used of processors, in ns.
func cpuTime(t testing.TB) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkBalance is a peer that connects to two loops, asks for a byte and leaves: of one at a time, so that the
// loops sleep, and of 64 at a time. Beside what ListenConfig.Balance costs, where every second connection is handed
// over, it has what the kernel's spreading costs, and one loop that accepts for both and moves every second one by
// MoveTo.
func BenchmarkBalance(b *testing.B) {
	for _, driver := range []string{"uring", "epoll"} {
		for _, peers := range []int{1, 64} {
			for _, how := range []string{"kernel", "Balance", "MoveTo"} {
				name := fmt.Sprintf("driver=%s/peers=%d/%s", driver, peers, how)
				b.Run(name, func(b *testing.B) { benchmarkBalance(b, driver, peers, how) })
			}
		}
	}
}

func benchmarkBalance(b *testing.B, driver string, peers int, how string) {
	set, err := (&sock.ListenConfig{Balance: how == "Balance"}).Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	gone, alone := make(chan struct{}), make(chan struct{})
	s := serveSet(b, ringo.Config{Driver: driver, Loops: 2}, set, func(l *ringo.Loop, ln *sock.Listener) error {
		if how != "MoveTo" {
			return perConn(answer)(l, ln)
		}
		if l.Index() != 0 {
			err := ln.Close() // which resets who waits there
			close(alone)
			awaitIn(l, gone)
			return err
		}
		defer close(gone)
		for n := 0; ; n++ {
			c, err := ln.AcceptConn()
			if err != nil {
				return err
			}
			to := l.Loops()[n%2]
			if c, err = c.MoveTo(to); err == nil {
				to.Go(func() { answer(c) })
			}
		}
	})
	if how == "MoveTo" {
		<-alone
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime(b)
	var wg sync.WaitGroup
	for i := range peers {
		wg.Go(func() {
			p := []byte("x")
			for range (b.N + i) / peers {
				c, err := rawDial(s.addr)
				if err == nil {
					if err = c.write(p); err == nil {
						err = c.read(p)
					}
					c.reset()
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
	s.stop()
}

// bouncer reads on one loop, and then on the other.
type bouncer struct {
	t     testing.TB
	loops []*ringo.Loop
	move  bool
	conns [2]*sock.Conn // where it moves they are one
	peers []int
	buf   []byte
}

func newBouncer(t testing.TB, loops []*ringo.Loop, size int, move bool) *bouncer {
	x := &bouncer{t: t, loops: loops, move: move, buf: make([]byte, size)}
	for i, l := range loops {
		if i > 0 && move {
			x.conns[i] = x.conns[0]
			break
		}
		peer, accepted := netPair[*net.TCPConn](t, "tcp")
		var err error
		if x.conns[i], err = sock.Adopt[*sock.Conn](l, accepted, nil); err != nil {
			t.Fatal(err)
		}
		fd := -1
		raw, err := peer.SyscallConn()
		if err == nil {
			raw.Control(func(n uintptr) { fd, err = unix.Dup(int(n)) })
		}
		if err != nil {
			t.Fatal(err)
		}
		peer.Close()
		x.peers = append(x.peers, fd)
		for size > 1 && err == nil { // as much as it takes
			_, err = unix.Write(fd, make([]byte, 64<<10))
		}
	}
	return x
}

func (x *bouncer) close() {
	for _, c := range x.conns {
		c.Close()
	}
	for _, peer := range x.peers {
		unix.Close(peer)
	}
}

// step is n reads and moves, the first on a loop whose task calls it.
func (x *bouncer) step(at, n int, done func()) {
	defer func() {
		if n == 0 {
			done()
		}
	}()
	c, peer := x.conns[at], x.peers[at%len(x.peers)]
	if len(x.buf) == 1 {
		c.Loop().Go(func() { unix.Write(peer, x.buf) }) // once the read waits
	} else {
		unix.Write(peer, x.buf) // in place of what is read
	}
	_, err := io.ReadFull(c, x.buf)
	next := x.loops[1-at]
	if err == nil && x.move {
		c, err = c.MoveTo(next)
		x.conns = [2]*sock.Conn{c, c}
	}
	if err != nil {
		x.t.Error(err)
		n = 0
		return
	}
	if n--; n > 0 {
		next.Go(func() { x.step(1-at, n, done) })
	}
}

// How many Ps a program with loops needs. Run raises GOMAXPROCS by the number of loops; these benchmarks undo that and
// try other numbers. docs/adr/0004-gomaxprocs.md quotes them.
//
//	go test ./sock -run '^$' -bench Procs

// withProcs runs body as an ordinary goroutine beside idle loops, with GOMAXPROCS set to procs; 0 leaves it as Run
// does.
func withProcs(b *testing.B, loops, procs int, first func(l *ringo.Loop) error, body func()) {
	b.Helper()
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	ctx, cancel := context.WithCancel(context.Background())
	up := make(chan struct{}, loops)
	ended := make(chan error, 1)
	go func() {
		ended <- ringo.Run(ctx, &ringo.Config{Loops: loops, Grace: -1}, func(l *ringo.Loop) error {
			up <- struct{}{}
			return first(l)
		})
	}()
	for range loops {
		select {
		case <-up:
		case err := <-ended:
			b.Fatal(err)
		}
	}
	if procs != 0 {
		runtime.GOMAXPROCS(procs)
	}
	body()
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}

// report gives quantiles of what the benchmark measured by itself.
func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	us := func(d time.Duration) float64 { return float64(d) / 1e3 }
	b.ReportMetric(us(took[len(took)/2]), "p50-µs")
	b.ReportMetric(us(took[len(took)*9/10]), "p90-µs")
	b.ReportMetric(us(took[len(took)*99/100]), "p99-µs")
}

func eachProcs(b *testing.B, run func(b *testing.B, loops, procs int)) {
	for _, loops := range []int{1, 2} {
		for _, procs := range slices.Compact([]int{loops, loops + 1, 2 * loops, runtime.NumCPU() + loops}) {
			b.Run(fmt.Sprintf("loops=%d/procs=%d", loops, procs), func(b *testing.B) { run(b, loops, procs) })
		}
	}
}

// BenchmarkProcsOffload is a task that hands a call to a goroutine and sleeps in the kernel until it is done: the
// goroutine was made by the thread that goes to sleep, and needs a P that another thread finds.
func BenchmarkProcsOffload(b *testing.B) {
	eachProcs(b, func(b *testing.B, loops, procs int) {
		var took []time.Duration
		start, done := make(chan struct{}), make(chan struct{})
		withProcs(b, loops, procs, func(l *ringo.Loop) error {
			if l.Index() != 0 {
				return l.Sleep(time.Hour)
			}
			awaitIn(l, start)
			defer close(done)
			for b.Loop() {
				begin := time.Now()
				if err := l.Offload(func(context.Context) error { return nil }); err != nil {
					return err
				}
				took = append(took, time.Since(begin))
			}
			return nil
		}, func() { close(start); <-done })
		report(b, took)
	})
}

// BenchmarkProcsPingPong is two goroutines that wake each other beside loops that do nothing: loops which sleep for
// long have lost their Ps, and cost nobody anything.
func BenchmarkProcsPingPong(b *testing.B) {
	eachProcs(b, func(b *testing.B, loops, procs int) {
		withProcs(b, loops, procs, func(l *ringo.Loop) error { return l.Sleep(time.Hour) }, func() {
			ping, pong := make(chan struct{}), make(chan struct{})
			go func() {
				for range ping {
					pong <- struct{}{}
				}
				close(pong)
			}()
			for b.Loop() {
				ping <- struct{}{}
				<-pong
			}
			close(ping)
			<-pong
		})
	})
}

// BenchmarkProcsEcho is goroutines, a connection each, that talk to a server on loops of the same process.
func BenchmarkProcsEcho(b *testing.B) {
	for _, conns := range []int{1, 16} {
		b.Run(fmt.Sprintf("conns=%d", conns), func(b *testing.B) {
			eachProcs(b, func(b *testing.B, loops, procs int) { procsEcho(b, conns, loops, procs) })
		})
	}
}

func procsEcho(b *testing.B, conns, loops, procs int) {
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer set.Close()
	serve := &sock.Handler{Request: func(c *sock.Conn) error {
		p, _ := c.Peek(c.Buffered())
		_, err := c.Write(p)
		c.Discard(len(p))
		return err
	}}
	var left atomic.Int64
	took := make([][]time.Duration, conns)
	withProcs(b, loops, procs, func(l *ringo.Loop) error {
		ln, err := set.Listen(l)
		if err != nil {
			return err
		}
		return sock.Serve(l, ln, serve)
	}, func() {
		clients := make([]net.Conn, conns)
		for i := range clients {
			if clients[i], err = net.Dial("tcp", set.Addr().String()); err != nil {
				b.Fatal(err)
			}
			defer clients[i].Close()
		}
		b.ResetTimer()
		left.Store(int64(b.N))
		var wg sync.WaitGroup
		for i, c := range clients {
			wg.Go(func() {
				p := make([]byte, 64)
				for left.Add(-1) >= 0 {
					begin := time.Now()
					if _, err := c.Write(p); err != nil {
						b.Error(err)
						return
					}
					if _, err := c.Read(p); err != nil {
						b.Error(err)
						return
					}
					took[i] = append(took[i], time.Since(begin))
				}
			})
		}
		wg.Wait()
		b.StopTimer()
	})
	report(b, slices.Concat(took...))
}

// BenchmarkEchoBesideBackground is how long 64 bytes take there and back, of a client that blocks in a thread of its
// own, while three tasks of the server's loop compute: in no class, or together in one with a tenth of the weight that
// the connection's task has. What the tasks get of the loop is told as well. Needs thousands of rounds: -benchtime
// 20000x.
func BenchmarkEchoBesideBackground(b *testing.B) {
	for _, c := range []struct {
		name   string
		tasks  int
		weight int // 0: no class
	}{{"alone", 0, 0}, {"no class", 3, 0}, {"class of 10", 3, 10}} {
		b.Run(c.name, func(b *testing.B) {
			ln, err := sock.Reserve("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer ln.Close()
			client := make(chan []time.Duration, 1)
			go func() {
				runtime.LockOSThread()
				client <- roundTrips(b, ln.Addr().String())
			}()
			var computed, began time.Duration
			err = ringo.Run(b.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
				ln, err := ln.Listen(l)
				if err != nil {
					return err
				}
				over, class := false, ringo.NewClass("background", max(1, c.weight))
				for range c.tasks {
					compute := func() error {
						for x := byte(0); !over; x++ {
							at := threadTime()
							useStack(x)
							computed += threadTime() - at
							if l.NeedYield() {
								l.Yield()
							}
						}
						return nil
					}
					if c.weight == 0 {
						l.Go(func() { compute() })
					} else {
						l.Go(func() { l.WithClass(class, compute) })
					}
				}
				conn, err := ln.AcceptConn()
				if err != nil {
					return err
				}
				defer conn.Close()
				began, computed = threadTime(), 0
				_, err = io.Copy(conn, conn)
				began = threadTime() - began
				over = true
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
			took := <-client
			slices.Sort(took)
			us := func(d time.Duration) float64 { return float64(d) / 1e3 }
			b.ReportMetric(us(took[len(took)/2]), "p50-µs")
			b.ReportMetric(us(took[len(took)*99/100]), "p99-µs")
			b.ReportMetric(float64(computed)/float64(began), "computed")
		})
	}
}

func roundTrips(b *testing.B, addr string) (took []time.Duration) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Error(err)
		return []time.Duration{0}
	}
	f, err := c.(*net.TCPConn).File() // which blocks
	c.Close()
	if err != nil {
		b.Error(err)
		return []time.Duration{0}
	}
	defer f.Close()
	fd := int(f.Fd())
	var p [64]byte
	for b.Loop() {
		at := time.Now()
		if _, err := unix.Write(fd, p[:]); err != nil {
			b.Error(err)
		}
		if n, err := unix.Read(fd, p[:]); err != nil || n != len(p) {
			b.Errorf("%d bytes, %v", n, err)
		}
		took = append(took, time.Since(at))
	}
	return took
}

//go:build linux

package sock_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/sock"
)

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

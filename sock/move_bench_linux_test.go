//go:build linux

package sock_test

import (
	"context"
	"fmt"
	"io"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/sock"
)

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
			return l.Offload(func(context.Context) error { <-done; return nil })
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
		peer, accepted := tcpPair(t)
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

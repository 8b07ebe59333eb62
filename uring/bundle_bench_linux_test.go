//go:build linux

package uring

import (
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/abi"
)

// BenchmarkBundle is what it costs to receive what is there by a multishot recv: a CQE a buffer, or one for all that
// come in a row (IORING_RECVSEND_BUNDLE). recv-us is the receiver's part of a turn alone.
func BenchmarkBundle(b *testing.B) {
	need(b, CheckRecvMultishot)
	for _, c := range []struct{ bytes, buffer int }{{64, 4 << 10}, {16 << 10, 4 << 10}, {64 << 10, 4 << 10},
		{64 << 10, 16 << 10}} {
		for _, bundle := range []bool{false, true} {
			b.Run(fmt.Sprintf("bytes=%d/buffer=%d/bundle=%v", c.bytes, c.buffer, bundle), func(b *testing.B) {
				receiveTurns(b, c.bytes, c.buffer, bundle)
			})
		}
	}
}

func receiveTurns(b *testing.B, bytes, size int, bundle bool) {
	r := open(b, 64, nil)
	if bundle && r.Features()&FeatRecvSendBundle == 0 {
		b.Skip("the kernel has no RECVSEND_BUNDLE (Linux 6.10)")
	}
	const buffers = 64
	bufs, err := r.BufRing(1, buffers, size)
	if err != nil {
		b.Fatal(err)
	}
	defer bufs.Close()
	x, y := tcpPair(b)
	e := r.SQE()
	e.PrepRecvMultishot(y, 1, 0)
	if bundle {
		e.IOPrio |= abi.IORING_RECVSEND_BUNDLE
	}
	if _, errno := r.Enter(0, false, -1); errno != 0 {
		b.Fatal(errno)
	}
	p := make([]byte, bytes)
	var spent time.Duration
	for b.Loop() {
		if n, err := unix.Write(x, p); n != bytes {
			b.Fatal(n, err)
		}
		begin := time.Now()
		for got := 0; got < bytes; {
			r.Enter(1, true, time.Second)
			for c, ok := r.CQE(); ok; c, ok = r.CQE() {
				if c.Res <= 0 || !c.More() {
					b.Fatalf("got %+v", c)
				}
				got += int(c.Res)
				// In the order in which they were given, which is theirs for good since they come back in it.
				for id, left := c.BufID(), int(c.Res); left > 0; id, left = (id+1)%buffers, left-size {
					bufs.Return(id)
				}
			}
		}
		spent += time.Since(begin)
	}
	b.ReportMetric(spent.Seconds()*1e6/float64(b.N), "recv-us")
}

// tcpPair is both ends of a connection on loopback.
func tcpPair(b *testing.B) (x, y int) {
	b.Helper()
	check := func(what string, err error) {
		if err != nil {
			b.Fatal(os.NewSyscallError(what, err))
		}
	}
	socket := func() int {
		s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		check("socket", err)
		b.Cleanup(func() { unix.Close(s) })
		return s
	}
	ln := socket()
	check("bind", unix.Bind(ln, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	check("listen", unix.Listen(ln, 1))
	at, err := unix.Getsockname(ln)
	check("getsockname", err)
	x = socket()
	check("connect", unix.Connect(x, at))
	y, _, err = unix.Accept4(ln, unix.SOCK_CLOEXEC)
	check("accept4", err)
	b.Cleanup(func() { unix.Close(y) })
	return x, y
}

//go:build linux

package memkernel

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/driver"
	"ringo/internal/kernel"
	"ringo/internal/op"
	"ringo/internal/sim/world"
	"ringo/internal/sys"
	"ringo/internal/test/patience"
)

// bindTo binds a socket of its own to an address, and says how that ends.
func (k *either) bindTo(at *sys.Sockaddr, reuse int) (fd, res int32) {
	fd = k.Socket(sys.AFInet, sys.SockStream, 0)
	k.Setsockopt(fd, sys.SolSocket, unix.SO_REUSEADDR, reuse)
	return fd, k.Bind(fd, at)
}

// timeWaitSteps ends a connection, and binds sockets to the addresses of both its ends.
func timeWaitSteps(t *testing.T, k *either, reuse int, clientFirst bool) (told []string) {
	any := new(sys.Sockaddr)
	any.Set(netip.MustParseAddrPort("127.0.0.1:0"))
	l, _ := k.bindTo(any, reuse)
	k.Listen(l, 1)
	c, _ := k.bindTo(any, reuse)
	server, client := new(sys.Sockaddr), new(sys.Sockaddr)
	k.Getsockname(l, server)
	k.Getsockname(c, client)
	done := uint32(0)
	k.often(func() int32 {
		return k.op(op.Connect, c, func(o *op.Op) { o.Ext.Addr, o.Done = *server, done; done = 1 })
	})
	s := k.often(func() int32 { return k.op(op.Accept, l, nil) })
	k.Close(l)
	ends := []int32{s, c}
	if clientFirst {
		ends[0], ends[1] = c, s
	}
	k.Close(ends[0])
	k.often(func() int32 { return k.op(op.Recv, ends[1], func(o *op.Op) { o.Buf = make([]byte, 1) }) })
	k.Close(ends[1])
	for _, at := range []struct {
		name string
		*sys.Sockaddr
		first bool
	}{{"client", client, clientFirst}, {"server", server, !clientFirst}} {
		for _, again := range []int{0, 1} {
			fd, res := k.bindTo(at.Sockaddr, again)
			if !at.first { // the system may still be at the end of the one that has closed last
				patience.Until(t, "the port of the one that has closed last", func() bool {
					if res != 0 {
						k.Close(fd)
						fd, res = k.bindTo(at.Sockaddr, again)
					}
					return res == 0
				})
			}
			told = append(told, fmt.Sprintf("reuse %d, client first %v: bind to the %s's, reuse %d: %d", reuse,
				clientFirst, at.name, again, res))
			k.Close(fd)
		}
	}
	return told
}

// Who can be bound to the addresses of a connection that is over is as on the system's kernel.
func TestTimeWaitAsTheSystem(t *testing.T) {
	for _, reuse := range []int{0, 1} {
		for _, clientFirst := range []bool{false, true} {
			want := timeWaitSteps(t, &either{Kernel: kernel.Host{}, do: driver.Call}, reuse, clientFirst)
			h := NewNetwork(world.New(1)).Host("here")
			got := timeWaitSteps(t, &either{Kernel: h, do: h.Attempt}, reuse, clientFirst)
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("in memory: %s\nthe system: %s", got[i], want[i])
				}
			}
		}
	}
}

// pass has time pass.
func (x *two) pass(d time.Duration) {
	end := x.w.Now() + int64(d)
	for x.w.Step(end) {
	}
	x.w.MoveTo(end)
}

// A port is free for the same peer a minute after its connection there has ended from here, and at once for others and
// where the peer has closed first.
func TestTimeWait(t *testing.T) {
	for _, peerFirst := range []bool{false, true} {
		x := newTwo(t, 1, Link{Latency: time.Millisecond})
		x.a.SetPorts(1)
		l, other := x.listen(x.b, "10.0.0.2:7000", 8), x.listen(x.b, "10.0.0.2:7001", 8)
		connect := func(to string) (c, res int32) {
			d := x.dial(x.a, to)
			return d.fd, x.until("connect", d.try)
		}
		over := func(c, l int32, peerFirst bool) {
			s := x.until("accept", func() int32 { return x.do(x.b, op.Accept, l, nil) })
			if peerFirst {
				x.b.Close(s)
				x.pass(time.Second)
				x.a.Close(c)
			} else {
				x.a.Close(c)
				x.pass(time.Second)
				x.b.Close(s)
			}
			x.pass(time.Second)
		}
		c, res := connect("10.0.0.2:7000")
		if res != 0 {
			t.Fatalf("connect = %d", res)
		}
		over(c, l, peerFirst)
		if c, res = connect("10.0.0.2:7001"); res != 0 {
			t.Errorf("connect to another = %d", res)
		}
		over(c, other, true)
		c, res = connect("10.0.0.2:7000")
		if peerFirst {
			if res != 0 {
				t.Errorf("connect again, where the peer has closed first = %d", res)
			}
			continue
		}
		if res != -sys.EADDRNOTAVAIL {
			t.Errorf("connect again = %d, want EADDRNOTAVAIL", res)
		}
		x.a.Close(c)
		x.pass(timeWait)
		if _, res := connect("10.0.0.2:7000"); res != 0 {
			t.Errorf("connect again after a minute = %d", res)
		}
		if n := len(x.a.remnants); n != 0 {
			t.Errorf("%d ports have remnants", n)
		}
	}
}

package memkernel

import (
	"testing"
	"time"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// cutBack has all that b sends get lost.
func (x *two) cutBack(cut bool) {
	x.net.Between = func(from, _ *Host) Link {
		l := x.link
		l.Cut = cut && from == x.b
		return l
	}
}

// An end that nobody has any more keeps its port from the same peer until the peer's has come, for a minute, and leaves
// no TIME_WAIT if it was in vain; others are dialled from there.
func TestFinWaitEnds(t *testing.T) {
	for _, lapses := range []bool{false, true} {
		x := newTwo(t, 1, Link{Latency: time.Millisecond})
		x.a.SetPorts(1)
		l, other := x.listen(x.b, "10.0.0.2:7000", 8), x.listen(x.b, "10.0.0.2:7001", 8)
		connect := func(to string) int32 {
			d := x.dial(x.a, to)
			defer x.a.Close(d.fd)
			return x.until("connect", d.try)
		}
		if res := connect("10.0.0.2:7000"); res != 0 {
			t.Fatalf("connect = %d", res)
		}
		s := x.until("accept", func() int32 { return x.do(x.b, op.Accept, l, nil) })
		x.pass(finWait - time.Second)
		if res := connect("10.0.0.2:7000"); res != -sys.EADDRNOTAVAIL {
			t.Errorf("connect again before the peer has closed = %d, want EADDRNOTAVAIL", res)
		}
		if res := connect("10.0.0.2:7001"); res != 0 {
			t.Errorf("connect to another = %d", res)
		}
		x.b.Close(x.until("accept", func() int32 { return x.do(x.b, op.Accept, other, nil) }))
		if lapses {
			x.pass(2 * time.Second)
		}
		x.b.Close(s)
		x.pass(time.Second)
		want := int32(0)
		if !lapses {
			want = -sys.EADDRNOTAVAIL // it is in TIME_WAIT
		}
		if res := connect("10.0.0.2:7000"); res != want {
			t.Errorf("connect again behind the peer's end, lapsed %v = %d, want %d", lapses, res, want)
		}
	}
}

// Who closes last keeps the port until it hears that its end has come.
func TestLastAck(t *testing.T) {
	x := newTwo(t, 1, Link{Latency: time.Millisecond})
	a, b := x.pair()
	at := new(sys.Sockaddr)
	x.a.Getsockname(a, at)
	k := &either{Kernel: x.a, do: x.a.Attempt}
	bind := func() int32 {
		fd, res := k.bindTo(at, 0)
		x.a.Close(fd)
		return res
	}
	x.b.Close(b)
	x.pass(time.Second)
	x.cutBack(true)
	x.a.Close(a)
	x.pass(time.Minute)
	if res := bind(); res != -sys.EADDRINUSE {
		t.Errorf("bind while the end is not acknowledged = %d, want EADDRINUSE", res)
	}
	x.cutBack(false)
	x.pass(5 * time.Minute)
	if res := bind(); res != 0 {
		t.Errorf("bind when it is = %d", res)
	}
}

// A crash takes connections along that nobody has any more: nothing of them is sent when the host runs again.
func TestCrashOfOrphans(t *testing.T) {
	x := newTwo(t, 1, Link{Latency: time.Millisecond})
	a, b := x.pair()
	sent, p := int32(0), make([]byte, 1<<16)
	for range 2 { // as much as the peer has room for, and then as much again
		for n := int32(1); n > 0; sent += max(n, 0) {
			n = x.do(x.a, op.Write, a, func(o *op.Op) { o.Buf = p })
		}
		x.pass(time.Second)
	}
	x.a.Close(a)
	x.pass(time.Second)
	x.a.Crash()
	x.a.Restart()
	got := int32(0)
	for range 100 {
		if n := x.do(x.b, op.Read, b, func(o *op.Op) { o.Buf = p }); n > 0 {
			got += n
		}
		x.pass(time.Second)
	}
	if got == 0 || got >= sent {
		t.Errorf("%d bytes of %d came from a host that has crashed", got, sent)
	}
}

// Connections of a listener's that wait for a peer's end in vain are forgotten.
func TestAcceptedAreForgotten(t *testing.T) {
	x := newTwo(t, 1, Link{Latency: time.Millisecond})
	l := x.listen(x.b, "10.0.0.2:7000", 8)
	for range 100 {
		if res := x.until("connect", x.dial(x.a, "10.0.0.2:7000").try); res != 0 {
			t.Fatalf("connect = %d", res)
		}
		x.b.Close(x.until("accept", func() int32 { return x.do(x.b, op.Accept, l, nil) }))
		x.pass(2 * finWait)
	}
	if n := len(x.b.ports[portKey{sys.SockStream, 7000}].accepted); n > 8 {
		t.Errorf("%d are kept", n)
	}
}

package memkernel

import (
	"net/netip"
	"testing"
	"time"

	"ringo/internal/cmsg"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// disconnect is connect(2) to AF_UNSPEC.
func (x *two) disconnect(h *Host, fd int32) {
	x.t.Helper()
	if res := h.Connect(fd, new(sys.Sockaddr)); res != 0 {
		x.t.Fatalf("connect to nobody = %d", res)
	}
}

// again connects a socket that was connected before.
func (x *two) again(h *Host, fd int32, to string) *dial {
	return &dial{x: x, h: h, fd: fd, to: to}
}

// What an old peer has sent, bytes or an end, does not come to a socket that has another connection by the time it
// arrives. The peer hears that nobody is there, if a reset that was sent to it got lost.
func TestReusedSocket(t *testing.T) {
	for name, speak := range map[string]func(x *two, b int32){
		"bytes":         func(x *two, b int32) { x.b.Send(b, []byte("of the old")) },
		"end":           func(x *two, b int32) { x.b.Shutdown(b, sys.ShutWr) },
		"bytes and end": func(x *two, b int32) { x.b.Send(b, []byte("of the old")); x.b.Shutdown(b, sys.ShutWr) },
	} {
		for _, lost := range []bool{false, true} {
			x := newTwo(t, 1, Link{Latency: time.Millisecond})
			slow := false
			x.net.Between = func(from, to *Host) Link {
				l := x.link
				if slow && from == x.b {
					l.Latency = time.Second
				}
				l.Cut = l.Cut || lost && slow && from == x.a
				return l
			}
			a, b := x.pair()
			l := x.listen(x.b, "10.0.0.2:7001", 8)
			slow = true
			speak(x, b)
			x.disconnect(x.a, a)
			slow = false
			if res := x.until("a connect", x.again(x.a, a, "10.0.0.2:7001").try); res != 0 {
				t.Fatalf("%s: connect = %d", name, res)
			}
			c := x.until("an accept", func() int32 { return x.do(x.b, op.Accept, l, nil) })
			x.settle(10 * time.Second)
			if n := x.a.Receive(a, make([]byte, 20)); n != -sys.EAGAIN {
				t.Errorf("%s, the reset lost %v: the new connection has %d", name, lost, n)
			}
			if mask := x.b.Ready(b); mask&sys.PollErr == 0 {
				t.Errorf("%s, the reset lost %v: the old peer is ready for %#x", name, lost, mask)
			}
			x.b.Send(c, []byte("of the new"))
			x.settle(time.Second)
			if n := x.a.Receive(a, make([]byte, 20)); n != 10 {
				t.Errorf("%s, the reset lost %v: of the new connection came %d", name, lost, n)
			}
		}
	}
}

// The question and the answer of a connect that was given up are none of the next one of the socket, to another host.
func TestReusedBeforeTheAnswer(t *testing.T) {
	for _, first := range []string{"10.0.0.2:7000", "10.0.0.2:7999"} { // somebody listens there, and nobody
		// The question is under way, or the answer.
		for _, after := range []time.Duration{time.Second / 2, 3 * time.Second / 2} {
			x := newTwo(t, 1, Link{Latency: time.Second})
			c := x.net.Host("c", netip.MustParseAddr("10.0.0.3"))
			early, l := x.listen(x.b, "0.0.0.0:7000", 8), x.listen(c, "10.0.0.3:7000", 8)
			d := x.dial(x.a, first)
			if res := d.try(); res != -sys.EAGAIN {
				t.Fatalf("connect to %s = %d", first, res)
			}
			x.settle(after)
			x.disconnect(x.a, d.fd)
			d = x.again(x.a, d.fd, "10.0.0.3:7000")
			begun := x.w.Now()
			if res := x.until("a connect", d.try); res != 0 || x.w.Now()-begun != int64(2*time.Second) {
				t.Fatalf("%v behind one to %s: connect = %d after %d ns", after, first, res, x.w.Now()-begun)
			}
			x.settle(10 * time.Second)
			x.a.Send(d.fd, []byte("hello"))
			x.settle(10 * time.Second)
			for n := x.do(x.b, op.Accept, early, nil); n >= 0; n = x.do(x.b, op.Accept, early, nil) {
				if got := x.b.Receive(n, make([]byte, 10)); got > 0 {
					t.Errorf("%v behind a connect to %s: who was asked first got %d bytes", after, first, got)
				}
			}
			n := x.do(c, op.Accept, l, nil)
			if got := c.Receive(n, make([]byte, 10)); n < 0 || got != 5 {
				t.Errorf("%v behind a connect to %s: accept = %d, and %d bytes came", after, first, n, got)
			}
		}
	}
}

// A connection that is only in a message of a Unix socket ends with its host's crash, and with a reset between the
// hosts.
func TestInAMessageAlone(t *testing.T) {
	for _, kind := range []int{sys.SockStream, sys.SockDgram, sys.SockSeqpacket} {
		for name, ends := range map[string]func(x *two, b int32){
			"crash": func(x *two, b int32) {
				x.a.Crash()
				x.settle(time.Second)
				x.a.Restart()
				x.b.Send(b, []byte("still there?"))
			},
			"reset": func(x *two, _ int32) {
				if n := x.net.Reset(x.a, x.b); n != 1 {
					t.Errorf("%d connections were reset", n)
				}
			},
		} {
			x := newTwo(t, 1, Link{Latency: time.Millisecond})
			a, b := x.pair()
			u, v, res := x.a.Socketpair(kind)
			if res != 0 {
				t.Fatal(res)
			}
			for _, fd := range []int32{a, u, v} { // a connection, and what it is in
				control := cmsg.AppendRights(nil, []int32{fd})
				if n := x.do(x.a, op.Sendmsg, u, func(o *op.Op) {
					o.Ext.SetVector([][]byte{[]byte("x")})
					o.Ext.Control = control
				}); n != 1 {
					t.Fatalf("sendmsg = %d", n)
				}
			}
			x.a.Close(a)
			x.a.Close(u)
			x.a.Close(v)
			ends(x, b)
			x.settle(time.Second)
			if n := x.b.Receive(b, make([]byte, 10)); n != -sys.ECONNRESET {
				t.Errorf("after a %s, in a message of kind %d, the peer has %d", name, kind, n)
			}
		}
	}
}

package memkernel

import (
	"testing"
	"time"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// A dial that ends before it is answered leaves the listener no connection, or one that is reset, even if no keep-alive
// asks.
func TestDialGivenUp(t *testing.T) {
	const latency = 10 * time.Millisecond
	gives := func(after time.Duration) func(x *two, d *dial) {
		return func(x *two, d *dial) {
			x.settle(after)
			x.a.Close(d.fd)
		}
	}
	dissolves := func(after time.Duration) func(x *two, d *dial) {
		return func(x *two, d *dial) {
			x.settle(after)
			unspec := new(sys.Sockaddr)
			if res := x.a.Connect(d.fd, unspec); res != 0 {
				x.t.Errorf("dissolve = %d", res)
			}
		}
	}
	for name, c := range map[string]struct {
		gives    func(x *two, d *dial)
		accepted bool // before the dial ends
		cut      bool // the way back
	}{
		"closed before the SYN has come":    {gives(latency / 2), false, false},
		"closed before the answer has come": {gives(latency * 3 / 2), true, false},
		"closed behind lost answers":        {gives(2500 * time.Millisecond), true, true},
		"dissolved before the SYN has come": {dissolves(latency / 2), false, false},
		"dissolved before the answer":       {dissolves(latency * 3 / 2), true, false},
		"its host has crashed before": {func(x *two, d *dial) {
			x.settle(latency / 2)
			x.a.Crash()
		}, false, false},
		"it has timed out behind the answer": {func(x *two, d *dial) { x.until("a connect", d.try) }, true, true},
		"and the reset was lost": {func(x *two, d *dial) {
			x.settle(time.Second / 2)
			x.link.Cut = true
			x.until("a connect", d.try)
			x.link.Cut = false
		}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTwo(t, 1, Link{Latency: latency})
			x.cutBack(c.cut)
			l := x.listen(x.b, "10.0.0.2:7000", 8)
			d := x.dial(x.a, "10.0.0.2:7000")
			d.try()
			c.gives(x, d)
			x.settle(time.Hour)
			x.cutBack(false)
			b := x.do(x.b, op.Accept, l, nil)
			if (b >= 0) != c.accepted {
				t.Fatalf("accept = %d, a connection that has begun: %v", b, c.accepted)
			}
			if b < 0 {
				return
			}
			x.wantReset(b)
		})
	}
}

// The answer to a dial that is over is refused, even if the dial's own reset was lost.
func TestAnswerIsRefused(t *testing.T) {
	const latency = 10 * time.Millisecond
	x := newTwo(t, 1, Link{Latency: latency})
	l := x.listen(x.b, "10.0.0.2:7000", 8)
	d := x.dial(x.a, "10.0.0.2:7000")
	d.try()
	x.settle(latency * 3 / 2)
	x.link.Cut = true
	x.a.Close(d.fd)
	x.link.Cut = false
	x.settle(time.Second)
	b := x.do(x.b, op.Accept, l, nil)
	if n := x.b.Receive(b, make([]byte, 1)); n != -sys.ECONNRESET {
		t.Errorf("receive from a client that has given up = %d", n)
	}
}

// A socket whose connect has failed may connect again: nothing of the first connect comes to the second.
func TestConnectAgainBehindAFailure(t *testing.T) {
	x := newTwo(t, 1, Link{Latency: 10 * time.Millisecond})
	x.cutBack(true)
	l := x.listen(x.b, "10.0.0.2:7000", 8)
	d := x.dial(x.a, "10.0.0.2:7000")
	if res := x.until("a connect", d.try); res != -sys.ETIMEDOUT {
		t.Fatalf("connect without answers = %d", res)
	}
	first := x.do(x.b, op.Accept, l, nil)
	x.b.Send(first, []byte("for the first"))
	x.cutBack(false)
	x.settle(2 * retransmitLast)
	d.done = 0
	if res := x.until("a connect", d.try); res != 0 {
		t.Fatalf("connect again = %d", res)
	}
	x.b.Send(x.do(x.b, op.Accept, l, nil), []byte("for the second"))
	p := make([]byte, 100)
	n := x.until("a receive", func() int32 { return x.a.Receive(d.fd, p) })
	if n < 0 || string(p[:n]) != "for the second" {
		t.Errorf("receive = %d, %q", n, p[:max(n, 0)])
	}
	x.wantReset(first)
}

// wantReset wants an end on b to have been reset, at the latest once it has sent something.
func (x *two) wantReset(fd int32) {
	x.t.Helper()
	n := x.b.Receive(fd, make([]byte, 1))
	if n == -sys.EAGAIN {
		x.b.Send(fd, []byte("are you there?"))
		x.settle(time.Second)
		n = x.b.Receive(fd, make([]byte, 1))
	}
	if n != -sys.ECONNRESET {
		x.t.Errorf("receive from a client that has given up = %d", n)
	}
}

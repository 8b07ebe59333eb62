package memkernel

import (
	"testing"
	"time"

	"ringo/internal/op"
	"ringo/internal/sys"
)

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

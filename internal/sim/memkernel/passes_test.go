package memkernel

import (
	"net/netip"
	"testing"
	"time"

	"ringo/internal/sys"
)

// oneWay has the way from b to a be cut, and that from a to b be open.
func (x *two) oneWay() {
	link := x.link
	x.net.Between = func(from, _ *Host) Link {
		l := link
		l.Cut = from == x.b
		return l
	}
}

// toPort makes a socket of datagrams of a's that is connected to a port of b's.
func (x *two) toPort() int32 {
	x.t.Helper()
	to := new(sys.Sockaddr)
	to.Set(netip.MustParseAddrPort("10.0.0.2:5353"))
	u := x.a.Socket(sys.AFInet, sys.SockDgram, 0)
	if res := x.a.Connect(u, to); res != 0 {
		x.t.Fatal(res)
	}
	return u
}

// An answer is lost in a cut that was made while the question was under way.
func TestAnswersInACut(t *testing.T) {
	link := Link{Latency: 100 * time.Millisecond}
	x := newTwo(t, 1, link)
	x.listen(x.b, "10.0.0.2:7000", 8)
	d := x.dial(x.a, "10.0.0.2:7000")
	d.try()
	x.w.After(50*time.Millisecond, x.oneWay)
	if res := x.until("a connect", d.try); res != -sys.ETIMEDOUT {
		t.Errorf("a connect whose answers are lost = %d", res)
	}

	x = newTwo(t, 1, link)
	x.oneWay()
	u := x.toPort()
	x.a.Send(u, []byte("x"))
	x.settle(time.Minute)
	if n := x.a.Send(u, []byte("x")); n != 1 {
		t.Errorf("the error of nobody at the port is lost, and a send = %d", n)
	}
}

// That nobody is at a port is heard when the answer has come back.
func TestRefusalTakesTime(t *testing.T) {
	x := newTwo(t, 1, Link{Latency: 100 * time.Millisecond})
	u, begun := x.toPort(), x.w.Now()
	x.a.Send(u, []byte("x"))
	res := x.until("a receive", func() int32 { return x.a.Receive(u, make([]byte, 10)) })
	if took := time.Duration(x.w.Now() - begun); res != -sys.ECONNREFUSED || took != 200*time.Millisecond {
		t.Errorf("%d after %v", res, took)
	}
}

// A host that has crashed says nothing to what was under way.
func TestDeadHostIsSilent(t *testing.T) {
	x := newTwo(t, 1, Link{Latency: 100 * time.Millisecond})
	x.listen(x.b, "10.0.0.2:7000", 8)
	u, d := x.toPort(), x.dial(x.a, "10.0.0.2:7000")
	x.a.Send(u, []byte("x"))
	d.try()
	x.w.After(50*time.Millisecond, x.b.Crash)
	x.w.After(500*time.Millisecond, x.b.Restart) // what would be under way could come
	x.settle(900 * time.Millisecond)
	if res := x.a.Receive(u, make([]byte, 10)); res != -sys.EAGAIN {
		t.Errorf("a receive = %d", res)
	}
	if res := d.try(); res != -sys.EAGAIN {
		t.Errorf("a connect = %d", res)
	}
}

// A datagram is overtaken where nothing takes time as well, and one that nothing overtakes is not counted.
func TestReorder(t *testing.T) {
	for _, link := range []Link{{}, {Bandwidth: 1 << 20}, {Latency: time.Millisecond}} {
		for _, pause := range []time.Duration{0, time.Second} {
			link.Reorder = 0.5
			x := newTwo(t, 1, link)
			counted := 0
			x.net.Overtaken = func(_, _ *Host, p float64) func() {
				if !x.w.Chance(p) {
					return nil
				}
				return func() { counted++ }
			}
			v := x.b.Socket(sys.AFInet, sys.SockDgram, 0)
			to := new(sys.Sockaddr)
			to.Set(netip.MustParseAddrPort("10.0.0.2:5353"))
			if res := x.b.Bind(v, to); res != 0 {
				t.Fatal(res)
			}
			u, swapped, last, came, p := x.toPort(), 0, -1, 0, make([]byte, 1)
			for i := range byte(200) {
				x.a.Send(u, []byte{i})
				x.settle(pause)
			}
			x.settle(time.Second)
			for x.b.Receive(v, p) == 1 {
				if came++; int(p[0]) < last {
					swapped++
				}
				last = max(last, int(p[0]))
			}
			if came != 200 || swapped != counted || (swapped > 20) != (pause == 0) {
				t.Errorf("%+v, every %v: %d came, %d of them late, %d counted", link, pause, came, swapped, counted)
			}
		}
	}
}

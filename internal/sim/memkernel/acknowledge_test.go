package memkernel

import (
	"bytes"
	"testing"
	"time"

	"ringo/internal/sys"
)

// fill writes, with the other end reading all that comes, until there is an error or d has passed.
func (x *two) fill(a, b int32, d time.Duration) (sent, read int, res int32, took time.Duration) {
	begun, p := x.w.Now(), make([]byte, 1<<16)
	for took < d {
		n := x.a.Send(a, p)
		if m := x.b.Receive(b, p); m > 0 {
			read += int(m)
		}
		if n > 0 {
			sent += int(n)
			continue
		}
		if took = time.Duration(x.w.Now() - begun); n != -sys.EAGAIN {
			return sent, read, n, took
		}
		if !x.w.Step(1 << 62) {
			x.t.Fatalf("%d sent, %d read, and nothing will ever happen", sent, read)
		}
	}
	return sent, read, 0, took
}

// Where nothing comes back, what was sent keeps its room in the send buffer, and the connection ends with its user
// timeout, or after a quarter of an hour.
func TestOneWayCut(t *testing.T) {
	for _, limit := range []time.Duration{0, 5 * time.Second} {
		x := newTwo(t, 1, Link{Latency: time.Millisecond})
		a, b := x.pair()
		least := giveUp
		if limit > 0 {
			x.a.Setsockopt(a, sys.ProtoTCP, sys.TCPUserTimeout, int(limit.Milliseconds()))
			least = limit
		}
		x.oneWay()
		sent, read, res, took := x.fill(a, b, time.Hour)
		if res != -sys.EPIPE && res != -sys.ETIMEDOUT || took < least || took > least+time.Second {
			t.Errorf("limit %v: %d after %v", limit, res, took)
		}
		if sent > sendSpace || read > sent || read == 0 {
			t.Errorf("limit %v: %d bytes were sent into a send buffer of %d, and %d read", limit, sent, sendSpace, read)
		}
	}
}

// An end that nobody acknowledges, and a window that nobody tells of, end the connection too.
func TestUnansweredEnds(t *testing.T) {
	for what, begin := range map[string]func(x *two, a, b int32){
		"an end": func(x *two, a, b int32) {
			x.oneWay()
			x.a.Shutdown(a, sys.ShutWr)
		},
		"a window": func(x *two, a, b int32) {
			p := make([]byte, 1<<16)
			for {
				for x.a.Send(a, p) > 0 {
				}
				if !x.w.Step(x.w.Now() + int64(time.Second)) {
					break
				}
			}
			x.oneWay()
			for x.b.Receive(b, p) > 0 {
			}
		},
	} {
		x := newTwo(t, 1, Link{Latency: time.Millisecond})
		a, b := x.pair()
		begin(x, a, b)
		begun := x.w.Now()
		res := x.until("a receive", func() int32 { return x.a.Receive(a, make([]byte, 1)) })
		took := time.Duration(x.w.Now() - begun)
		if res != -sys.ETIMEDOUT || took < giveUp || took > giveUp+time.Second {
			t.Errorf("%s: %d after %v", what, res, took)
		}
	}
}

// Once the way back is open again a stream goes on, and has lost nothing.
func TestOneWayCutMends(t *testing.T) {
	for _, loss := range []float64{0, 0.05} {
		x := newTwo(t, 1, Link{Latency: time.Millisecond, Loss: loss})
		a, b := x.pair()
		whole := x.net.Between
		data := random(1 << 20)
		for i := range 5 {
			x.w.After(time.Duration(1+i*20)*time.Millisecond, x.oneWay)
			x.w.After(time.Duration(10+i*20)*time.Millisecond, func() { x.net.Between = whole })
		}
		x.w.After(time.Minute, x.oneWay)
		x.w.After(2*time.Minute, func() { x.net.Between = whole })
		x.settle(2 * time.Millisecond)
		got, took := x.transfer(a, b, data)
		if !bytes.Equal(got, data) || took > 5*time.Minute {
			t.Errorf("loss %v: equal %v, in %v", loss, bytes.Equal(got, data), took)
		}
		x.settle(time.Hour)
		if s, _, _ := find[*socket](x.a, a, 0); s.state != connected || s.acked != s.sent || s.way.asks != nil {
			t.Errorf("loss %v: state %d, %d bytes of %d were acknowledged", loss, s.state, s.acked, s.sent)
		}
	}
}

// Segments that offload hands on get lost as the packets do that they are sent as.
func TestLossCountsPackets(t *testing.T) {
	lost := func(mtu int) (lost, all int) {
		x := newTwo(t, 1, Link{Latency: time.Millisecond, Loss: 0.01, MTU: mtu})
		a, b := x.pair()
		x.net.Seen = func(p Packet) {
			if all++; p.Lost {
				lost++
			}
		}
		x.transfer(a, b, make([]byte, 10<<20))
		return lost, all
	}
	small, all := lost(1500)
	large, _ := lost(65536)
	if small < 5*large || small > all/2 {
		t.Errorf("of %d segments %d got lost as packets of 1500 bytes, and %d as packets of 64 KiB", all, small, large)
	}
}

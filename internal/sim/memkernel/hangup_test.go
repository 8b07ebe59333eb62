package memkernel

import (
	"testing"
	"time"

	"ringo/internal/sys"
)

// A reset goes once: if it gets lost the peer has its half of the connection until it sends something, bytes or its
// end.
func TestLostReset(t *testing.T) {
	for name, speak := range map[string]func(x *two, b int32){
		"bytes": func(x *two, b int32) { x.b.Send(b, []byte("still there?")) },
		"end":   func(x *two, b int32) { x.b.Shutdown(b, sys.ShutWr) },
	} {
		t.Run(name, func(t *testing.T) {
			x := newTwo(t, 1, Link{Latency: time.Millisecond, Cut: true})
			x.link.Cut = false
			a, b := x.pair()
			x.a.SetLinger(a, 0)
			x.link.Cut = true
			x.a.Close(a)
			x.settle(time.Second)
			x.link.Cut = false
			x.settle(time.Hour)
			if n := x.b.Receive(b, make([]byte, 10)); n != -sys.EAGAIN {
				t.Fatalf("an hour after a reset that got lost = %d", n)
			}
			speak(x, b)
			x.settle(10 * time.Millisecond)
			if n := x.b.Receive(b, make([]byte, 10)); n != -sys.ECONNRESET {
				t.Errorf("after it has sent something = %d", n)
			}
		})
	}
}

// Keep-alive finds out that a reset got lost.
func TestLostResetBesideKeepAlive(t *testing.T) {
	x := newTwo(t, 1, Link{Latency: time.Millisecond})
	a, b := x.pair()
	x.b.Setsockopt(b, sys.SolSocket, sys.SoKeepalive, 1)
	x.a.SetLinger(a, 0)
	x.link.Loss = 1
	x.a.Close(a)
	x.settle(time.Second)
	x.link.Loss = 0
	x.settle(3 * time.Hour)
	if n := x.b.Receive(b, make([]byte, 10)); n != -sys.ECONNRESET {
		t.Errorf("three hours after a reset that got lost = %d", n)
	}
}

// A host that has crashed and runs again knows of none: an end that comes there is answered by a reset.
func TestEndAfterACrash(t *testing.T) {
	x := newTwo(t, 1, Link{Latency: time.Millisecond})
	a, _ := x.pair()
	x.b.Crash()
	x.b.Restart()
	x.a.Shutdown(a, sys.ShutWr)
	x.settle(time.Second)
	if n := x.a.Receive(a, make([]byte, 10)); n != -sys.ECONNRESET {
		t.Errorf("behind the end that was sent to who has forgotten = %d", n)
	}
}

// What a connection still had to send goes with the memory of a kernel that crashes, and so does its end, also if an
// acknowledgement arrives just then.
func TestCrashSendsNoEnd(t *testing.T) {
	x := newTwo(t, 1, Link{Latency: time.Millisecond})
	back := false
	x.net.Between = func(from, to *Host) Link {
		l := x.link
		l.Cut = l.Cut || back && from == x.a
		return l
	}
	a, b := x.pair()
	if res := x.b.Setsockopt(b, sys.SolSocket, sys.SoSndbuf, 1<<20); res != 0 {
		t.Fatal(res)
	}
	back = true
	for x.b.Send(b, make([]byte, 1<<16)) > 0 {
	}
	x.settle(10 * time.Millisecond)
	x.b.Shutdown(b, sys.ShutWr)
	p := make([]byte, 1<<20)
	for x.a.Receive(a, p) > 0 {
	}
	back = false
	x.a.Send(a, []byte("acknowledges"))
	x.b.Crash()
	x.settle(time.Second)
	x.b.Restart()
	for range 100 {
		x.settle(time.Second)
		n := x.a.Receive(a, p)
		if n == 0 {
			t.Fatal("the crashed kernel has sent an end")
		}
		if n == -sys.ECONNRESET {
			break
		}
	}
}

// A reset of all connections between two hosts is the same from either, and takes those along that one side has closed.
func TestResetOfBoth(t *testing.T) {
	for name, closes := range map[string]func(x *two, a int32){
		"open":   func(*two, int32) {},
		"closed": func(x *two, a int32) { x.a.Close(a) },
		"shut":   func(x *two, a int32) { x.a.Shutdown(a, sys.ShutWr) },
		"reset lost": func(x *two, a int32) {
			x.a.SetLinger(a, 0)
			x.link.Cut = true
			x.a.Close(a)
			x.link.Cut = false
		},
	} {
		for _, swap := range []bool{false, true} {
			x := newTwo(t, 1, Link{Latency: time.Millisecond})
			a, b := x.pair()
			closes(x, a)
			x.settle(time.Second)
			from, to := x.a, x.b
			if swap {
				from, to = to, from
			}
			if n := x.net.Reset(from, to); n != 1 {
				t.Errorf("%s, swapped %v: %d connections were reset", name, swap, n)
			}
			if mask := x.b.Ready(b); mask&sys.PollErr == 0 {
				t.Errorf("%s, swapped %v: ready %#x", name, swap, mask)
			}
			if n := x.net.Reset(from, to); n != 0 {
				t.Errorf("%s, swapped %v: %d are left", name, swap, n)
			}
		}
	}
}

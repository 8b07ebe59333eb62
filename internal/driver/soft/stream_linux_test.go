//go:build linux

package soft

import (
	"net/netip"
	"syscall"
	"testing"

	"ringo/buf"
	"ringo/internal/op"
	"ringo/internal/sys"
)

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

func TestRecvWaits(t *testing.T) {
	r := newRig(t)
	ours, peer := r.tcp()
	o := r.recv(ours, 16)
	r.quiet()
	r.send(peer, "hello")
	got := o.Buf
	if n := r.last(o); string(got[:n]) != "hello" {
		t.Errorf("received %q, want hello", got[:n])
	}
}

// One request costs one recv: the EAGAIN after a short read is saved, and the
// descriptor is registered once.
func TestEchoSyscalls(t *testing.T) {
	r := newRig(t)
	ours, peer := r.tcp()
	calls := r.countCalls(op.Recv)
	for range 10 {
		o := r.recv(ours, 64)
		r.quiet()
		r.send(peer, "ping")
		if n := r.last(o); n != 4 {
			t.Fatalf("received %d, want 4", n)
		}
	}
	if got := *calls; got != 11 { // one finds nothing, before the registration
		t.Errorf("%d recv calls for 10 requests, want 11", got)
	}
}

func TestBytesAndFINInOneEvent(t *testing.T) {
	for _, multishot := range []bool{false, true} {
		r := newRig(t)
		ours, peer := r.tcp()
		pool := buf.NewRingPool(4, 4, 64, nil)
		arm := func() *op.Op {
			if !multishot {
				return r.recv(ours, 64)
			}
			return r.submit(op.Recv, ours, func(o *op.Op) { o.Flags, o.Bufs = op.Multishot|op.Select, pool })
		}
		o := arm()
		r.quiet()
		r.send(peer, "last words")
		check(t, "shutdown", sys.Shutdown(peer.Sys(), syscall.SHUT_WR))
		n, flags := r.next(o)
		if n != 10 {
			t.Fatalf("received %d, want 10", n)
		}
		if multishot {
			pool.Put(pool.Filled(uint16(op.BufferID(flags)), int(n)))
		} else {
			r.slab.Put(o)
			o = arm()
		}
		if n := r.last(o); n != 0 {
			t.Errorf("multishot %v: %d after the FIN, want 0", multishot, n)
		}
	}
}

// A read stops short of an urgent byte, and there is no edge for what lies
// behind it.
func TestUrgentByteBetween(t *testing.T) {
	r := newRig(t)
	ours, peer := r.tcp()
	o := r.recv(ours, 64)
	r.quiet()
	r.send(peer, "before")
	check(t, "urgent", sys.Send(peer.Sys(), []byte("!"), syscall.MSG_OOB))
	r.send(peer, "behind")
	got := ""
	for got != "beforebehind" {
		p := o.Buf
		n := r.last(o)
		if n <= 0 {
			t.Fatalf("received %q and then %d", got, n)
		}
		got += string(p[:n])
		if got != "beforebehind" {
			o = r.recv(ours, 64)
		}
	}
}

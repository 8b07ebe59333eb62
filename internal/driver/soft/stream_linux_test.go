//go:build linux

package soft

import (
	"net/netip"
	"syscall"
	"testing"

	"ringo/internal/bufs"
	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/sys"
)

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// One request costs one recv: the EAGAIN after a short read is saved, and the
// descriptor is registered once.
func TestOneRecvPerRequest(t *testing.T) {
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
	if *calls != 11 { // one finds nothing, before the registration
		t.Errorf("%d recv calls for 10 requests, want 11", *calls)
	}
}

// A read that filled its buffer proves nothing, nor does a short one on a socket
// that keeps messages apart: both end with EAGAIN.
func TestReadsUntilEAGAIN(t *testing.T) {
	r := newRig(t)
	calls := r.countCalls(op.Recv)
	stream, streamPeer := r.tcp()
	dgram, dgramPeer := r.unix(syscall.SOCK_DGRAM)
	for name, c := range map[string]struct {
		ours, peer *fd.FD
		size       int
	}{
		"full buffer": {stream, streamPeer, 4},
		"datagram":    {dgram, dgramPeer, 64},
	} {
		o := r.recv(c.ours, c.size)
		r.quiet()
		*calls = 0
		r.send(c.peer, "ping")
		if n := r.last(o); n != 4 {
			t.Fatalf("%s: received %d, want 4", name, n)
		}
		o = r.recv(c.ours, c.size)
		r.quiet()
		if *calls != 2 {
			t.Errorf("%s: %d recv calls, want one with data and one with EAGAIN", name, *calls)
		}
		r.cancel(o, -sys.ECANCELED)
	}
}

// What the owner has just tried is not tried again.
func TestTried(t *testing.T) {
	r := newRig(t)
	ours, peer := r.tcp()
	calls := r.countCalls(op.Recv)
	for range 3 {
		o := r.get(op.Recv, ours)
		o.Buf, o.Flags = make([]byte, 64), op.Tried
		if res, ok := r.d.Try(o); ok {
			t.Fatalf("try = %d with nothing there", res)
		}
		*calls = 0
		r.d.Submit(o)
		r.quiet()
		if *calls != 0 {
			t.Errorf("%d recv calls although the op was tried, want 0", *calls)
		}
		r.send(peer, "ping")
		if n := r.last(o); n != 4 {
			t.Fatalf("received %d, want 4", n)
		}
	}
}

// The head of a direction is cancelled while there is data that only it was to get.
func TestCancelPassesTheTurnOn(t *testing.T) {
	r := newRig(t)
	ours, peer := r.tcp()
	pool := bufs.NewRingPool(1, 1, 4, nil)
	head := r.stream(ours, pool)
	behind := r.recv(ours, 64)
	r.quiet()
	r.send(peer, "abcdefgh")
	_, flags := r.more(head)
	if n := r.last(head); n != -sys.ENOBUFS {
		t.Fatalf("the multishot ended with %d, want -ENOBUFS", n)
	}
	pool.Put(pool.Filled(uint16(op.BufferID(flags)), 4))
	p := behind.Buf
	if n := r.last(behind); string(p[:n]) != "efgh" {
		t.Errorf("the one behind got %q, want efgh", p[:n])
	}
}

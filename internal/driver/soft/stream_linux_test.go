//go:build linux

package soft

import (
	"bytes"
	"net/netip"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ringo/internal/bufs"
	"ringo/internal/fd"
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

func TestBytesAndFINInOneEvent(t *testing.T) {
	for _, multishot := range []bool{false, true} {
		r := newRig(t)
		ours, peer := r.tcp()
		pool := bufs.NewRingPool(4, 4, 64, nil)
		arm := func() *op.Op {
			if !multishot {
				return r.recv(ours, 64)
			}
			return r.stream(ours, pool)
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
	for got := ""; ; {
		p := o.Buf
		n := r.last(o)
		if n <= 0 {
			t.Fatalf("received %q and then %d", got, n)
		}
		if got += string(p[:n]); got == "beforebehind" {
			return
		}
		o = r.recv(ours, 64)
	}
}

// A receive that waits behind another gets what the first one left.
func TestReceivesInOrder(t *testing.T) {
	r := newRig(t)
	ours, peer := r.tcp()
	first, second, third := r.recv(ours, 3), r.recv(ours, 3), r.recv(ours, 3)
	r.quiet()
	r.cancel(second, -sys.ECANCELED)
	r.send(peer, "abcdef")
	a, b := first.Buf, third.Buf
	if n := r.last(first); string(a[:n]) != "abc" {
		t.Errorf("the first got %q, want abc", a[:n])
	}
	if n := r.last(third); string(b[:n]) != "def" {
		t.Errorf("the one behind got %q, want def", b[:n])
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

func TestFullSend(t *testing.T) {
	payload := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // more than any socket buffer
	begin := func(t *testing.T) (*rig, *op.Op, *fd.FD) {
		r := newRig(t)
		ours, peer := r.tcp()
		for sock, option := range map[*fd.FD]int{ours: unix.SO_SNDBUF, peer: unix.SO_RCVBUF} { // which else may grow
			if err := unix.SetsockoptInt(int(sock.Sys()), unix.SOL_SOCKET, option, 64<<10); err != nil {
				t.Fatal(err)
			}
		}
		o := r.submit(op.Send, ours, func(o *op.Op) { o.Buf, o.Flags = payload, op.Full })
		r.quiet()
		if o.Done == 0 || int(o.Done) == len(payload) {
			t.Fatalf("%d of %d bytes went out, want a part", o.Done, len(payload))
		}
		return r, o, peer
	}
	t.Run("all", func(t *testing.T) {
		r, o, peer := begin(t)
		got, p := 0, make([]byte, 1<<20)
		for got < len(payload) {
			r.poll()
			n := sys.Recv(peer.Sys(), p, 0)
			if n == -sys.EAGAIN {
				continue
			}
			check(t, "recv", n)
			if !bytes.Equal(p[:n], payload[got:got+int(n)]) {
				t.Fatalf("other bytes than were sent, at %d", got)
			}
			got += int(n)
		}
		if n := r.last(o); int(n) != len(payload) {
			t.Errorf("send = %d, want %d", n, len(payload))
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		r, o, _ := begin(t)
		r.cancel(o, int32(o.Done))
	})
	t.Run("reset", func(t *testing.T) {
		r, o, peer := begin(t)
		check(t, "linger", sys.SetLinger(peer.Sys(), true, 0))
		sys.Close(peer.Take())
		sent := int32(o.Done)
		if n := r.last(o); n != sent {
			t.Errorf("send = %d after the reset, want the %d that went out", n, sent)
		}
	})
}

func TestConnect(t *testing.T) {
	ln, sa := listener(t)
	dial := func(r *rig) *op.Op {
		f := r.own(int(check(t, "socket", sys.Socket(sys.AFInet, sys.SockStream|sys.SockNonblock, 0))))
		o := r.get(op.Connect, f)
		r.slab.Ext(o).Addr = *sa
		r.d.Submit(o)
		return o
	}
	r := newRig(t)
	if res := r.last(dial(r)); res != 0 {
		t.Errorf("connect = %d, want 0", res)
	}
	sys.Close(ln)
	if res := r.last(dial(r)); res != -int32(syscall.ECONNREFUSED) {
		t.Errorf("connect to nobody = %d, want -ECONNREFUSED", res)
	}
}

//go:build linux

package soft

import (
	"syscall"
	"testing"

	"ringo/internal/bufs"
	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// Past the cap a descriptor waits for the next Wait, which does not sleep, and
// another descriptor has its turn in this one.
func TestFairnessCap(t *testing.T) {
	const messages = 2*attemptsMax + 7
	r := newRig(t)
	pool := bufs.NewRingPool(256, 256, 16, nil)
	busy, busyPeer := r.unix(syscall.SOCK_DGRAM)
	check(t, "buffer size", sys.SetsockoptInt(busyPeer.Sys(), sys.SolSocket, syscall.SO_SNDBUF, 1<<20))
	calm, calmPeer := r.unix(syscall.SOCK_DGRAM)
	a, b := r.stream(busy, pool), r.stream(calm, pool)
	r.quiet()
	sent := 0
	for ; sent < messages; sent++ {
		if res := sys.Send(busyPeer.Sys(), []byte{byte(sent)}, 0); res == -sys.EAGAIN {
			break // net.unix.max_dgram_qlen
		} else if res != 1 {
			t.Fatalf("send = %d", res)
		}
	}
	r.send(calmPeer, "x")

	seen := map[*op.Op]int{}
	for turn := 0; seen[a] < messages || seen[b] < 1; turn++ {
		before := seen[a]
		if err := r.d.Wait(driver.Forever, &r.done); err != nil {
			t.Fatal(err)
		}
		for c, ok := r.done.Pop(); ok; c, ok = r.done.Pop() {
			mem := pool.Filled(uint16(op.BufferID(c.Flags)), int(c.Res))
			if c.Op == a && int(mem.Unread()[0]) != seen[a] {
				t.Fatalf("message %d came where %d should", mem.Unread()[0], seen[a])
			}
			pool.Put(mem)
			seen[c.Op]++
		}
		if n := seen[a] - before; n > attemptsMax {
			t.Fatalf("%d messages of one descriptor in one Wait, want at most %d", n, attemptsMax)
		}
		if turn == 0 && seen[b] == 0 {
			t.Error("the busy descriptor kept the other one waiting")
		}
		for ; sent < messages; sent++ {
			if sys.Send(busyPeer.Sys(), []byte{byte(sent)}, 0) != 1 {
				break
			}
		}
	}
	r.cancel(a, -sys.ECANCELED)
	r.cancel(b, -sys.ECANCELED)
}

func TestMultishotIsRefused(t *testing.T) {
	r := newRig(t)
	ours, _ := r.tcp()
	for _, code := range []op.Code{op.Recv, op.Send, op.Read, op.Connect} { // a receive without a pool
		o := r.submit(code, ours, func(o *op.Op) { o.Flags = op.Multishot })
		if res := r.last(o); res != -sys.EINVAL {
			t.Errorf("%s: %d, want -EINVAL", op.Table[code].Name, res)
		}
	}
}

func TestWatch(t *testing.T) {
	r := newRig(t)
	ours, peer := r.tcp()
	in := r.submit(op.Poll, ours, func(o *op.Op) { o.Events, o.Flags = sys.PollIn, op.Multishot })
	once := r.submit(op.Poll, ours, func(o *op.Op) { o.Events = sys.PollIn })
	r.quiet() // writable, which nobody asked for
	out := r.submit(op.Poll, ours, func(o *op.Op) { o.Events = sys.PollOut })
	if mask := r.last(out); mask != sys.PollOut {
		t.Errorf("poll for out = %#x, want %#x", mask, sys.PollOut)
	}
	attempts := r.countCalls(op.Poll)
	r.send(peer, "x")
	if mask, _ := r.more(in); mask != sys.PollIn {
		t.Errorf("the watcher was told %#x, want %#x", mask, sys.PollIn)
	}
	if mask := r.last(once); mask != sys.PollIn {
		t.Errorf("the single poll was told %#x, want %#x", mask, sys.PollIn)
	}
	r.quiet() // nobody has read, and there is no other edge
	r.send(peer, "y")
	r.more(in)
	check(t, "shutdown", sys.Shutdown(peer.Sys(), syscall.SHUT_WR))
	if mask, _ := r.more(in); mask&sys.PollRdhup == 0 {
		t.Errorf("the watcher was told %#x at the peer's end, want RDHUP with it", mask)
	}
	if *attempts != 0 {
		t.Errorf("%d poll calls for edges, want 0", *attempts)
	}
	r.cancel(in, -sys.ECANCELED)
}

// A poll that comes when the descriptor is known asks for the present state, for
// the edge is long gone; unless its owner has just looked.
func TestPollOfTheReady(t *testing.T) {
	r := newRig(t)
	ours, peer := r.tcp()
	first := r.submit(op.Poll, ours, func(o *op.Op) { o.Events, o.Flags = sys.PollIn, op.Multishot })
	r.quiet()
	r.send(peer, "x")
	r.more(first)
	second := r.submit(op.Poll, ours, func(o *op.Op) { o.Events, o.Flags = sys.PollIn, op.Multishot })
	if mask, _ := r.more(second); mask != sys.PollIn {
		t.Errorf("poll of what is readable = %#x, want %#x", mask, sys.PollIn)
	}
	tried := r.submit(op.Poll, ours, func(o *op.Op) { o.Events, o.Flags = sys.PollIn, op.Tried })
	r.quiet()
	for _, o := range []*op.Op{first, second, tried} {
		r.cancel(o, -sys.ECANCELED)
	}
}

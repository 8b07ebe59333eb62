//go:build linux && !portable

package memkernel

import (
	"testing"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// The end of reading ends no more than that: what comes is queued, as far as there is room, and can be read; a close
// that leaves it unread resets the peer.
func TestCloseReadAsTheSystem(t *testing.T) {
	system, memory := bothKernels(t)
	for what, k := range map[string]*either{"the system": system, "memory": memory} {
		defer k.closeAll()
		if made := k.connect(sys.AFInet); made != "0 true" {
			t.Fatalf("%s: %s", what, made)
		}
		a, b, p := k.fds[0], k.fds[1], make([]byte, 1<<16)
		read := func(fd int32) int32 {
			return k.often(func() int32 { return k.op(op.Read, fd, func(o *op.Op) { o.Buf = p }) })
		}
		if res := k.Shutdown(b, sys.ShutRd); res != 0 {
			t.Fatalf("%s: shutdown = %d", what, res)
		}
		if n := read(b); n != 0 {
			t.Errorf("%s: a read of nothing = %d", what, n)
		}
		if n := k.op(op.Write, a, func(o *op.Op) { o.Buf = p[:3] }); n != 3 {
			t.Errorf("%s: a write to it = %d", what, n)
		}
		n := k.often(func() int32 {
			if n := k.op(op.Read, b, func(o *op.Op) { o.Buf = p }); n != 0 {
				return n
			}
			return -sys.EAGAIN // it has not come
		})
		if n != 3 {
			t.Errorf("%s: a read of what came behind the end of reading = %d", what, n)
		}
		sent := 0
		for sent < 64<<20 {
			n := k.op(op.Write, a, func(o *op.Op) { o.Buf = p })
			if n < 0 {
				break
			}
			sent += int(n)
		}
		if sent >= 64<<20 {
			t.Errorf("%s: nobody reads, and %d bytes were accepted", what, sent)
		}
		k.Close(b)
		if n := read(a); n != -sys.ECONNRESET {
			t.Errorf("%s: the peer of one that has left bytes unread = %d", what, n)
		}
		k.fds = k.fds[:1]
	}
}

// often makes a call until it need not wait.
func (k *either) often(call func() int32) (res int32) {
	for range 10_000 {
		if res = k.soon(call); res != -sys.EAGAIN {
			break
		}
	}
	return res
}

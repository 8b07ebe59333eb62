package drivertest

import (
	"os"
	"time"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// Ops whose calls may wait for a disk. They need no registration, and do not take turns.
var diskCases = []testCase{
	{name: "read and write at an offset", run: onWays(diskTransfer)},
	{name: "read and write at the position", run: onWays(diskPosition)},
	{name: "past the page cache", run: onWays(diskDirect)},
	{name: "what is in memory can be tried", run: diskCached},
	{name: "calls", run: diskCalls},
	{name: "cancel at once", run: diskCancel},
	{name: "cancel at any moment", run: diskCancelAnytime},
	{name: "many beside a stream", run: diskBeside},
	{name: "vectors", run: onWays(diskVectors)},
	{name: "length and durability", run: diskLength},
	{name: "cancel of every row at once", run: diskCancelAll},
}

// onWays runs a case with the driver's own way to run the op, and with the offload.
func onWays(run func(h *harness, flags op.Flags)) func(h *harness) {
	return func(h *harness) {
		run(h, 0)
		run(h, op.Offload)
	}
}

func (h *harness) readAt(f *desc, p []byte, off int64) *call { return h.op(op.ReadAt, f).on(p, off) }

func (h *harness) writeAt(f *desc, p []byte, off int64) *call {
	return h.op(op.WriteAt, f).on(p, off)
}

func diskTransfer(h *harness, flags op.Flags) {
	f := h.file("0123456789")
	b := make([]byte, 4)
	h.readAt(f, b, 3).with(flags).submit().wantBytes(b, "3456")
	h.readAt(f, b, 8).with(flags).submit().wantBytes(b, "89")
	h.readAt(f, b, 10).with(flags).submit().want(0)
	h.writeAt(f, []byte("abc"), 9).with(flags).submit().want(3)
	h.writeAt(f, []byte("far"), 5<<30).with(flags | op.Full).submit().want(3)
	h.readAt(f, b, 5<<30).with(flags).submit().wantBytes(b, "far")
	h.readAt(f, b, 9).with(flags).submit().wantBytes(b, "abc\x00")
	h.readAt(h.readOnly(f), b, 0).with(flags).submit().want(4)
	h.writeAt(h.readOnly(f), b, 0).with(flags).submit().want(-sys.EBADF)
}

// readOnly opens f's file once more, for reading.
func (h *harness) readOnly(f *desc) *desc {
	h.Helper()
	return h.open(f.name, os.O_RDONLY)
}

func diskPosition(h *harness, flags op.Flags) {
	f := h.file("0123456789")
	b := make([]byte, 6)
	h.readAt(f, b, atPosition).with(flags).submit().wantBytes(b, "012345")
	h.readAt(f, b, 0).with(flags).submit().wantBytes(b, "012345")
	h.readAt(f, b, atPosition).with(flags).submit().wantBytes(b, "6789")
	h.readAt(f, b, atPosition).with(flags).submit().want(0)
	h.writeAt(f, []byte("ab"), atPosition).with(flags).submit().want(2)
	if got := h.content(f); got != "0123456789ab" {
		h.Errorf("the file has %q, want %q", got, "0123456789ab")
	}
}

func diskDirect(h *harness, flags op.Flags) {
	f, p := h.direct(4), h.blocks(2)
	h.readAt(f, p[:block], 2*block).with(flags).submit().wantBytes(p, string(letters(2)))
	h.readAt(f, p, 3*block).with(flags).submit().wantBytes(p, string(letters(3)))
	copy(p, letters(7))
	h.writeAt(f, p[:block], block).with(flags | op.Full).submit().want(block)
	if got, want := h.content(f),
		string(letters(0))+string(letters(7))+string(letters(2))+string(letters(3)); got != want {
		h.Errorf("the file has %s, want %s", abbreviate(got), abbreviate(want))
	}
}

// A Try of an op that may wait for a disk answers from what the kernel has in memory, where the kernel can be asked for
// that.
func diskCached(h *harness) {
	f := h.file("0123456789")
	b := make([]byte, 4)
	h.readAt(f, b, 0).submit().want(4) // now it is in the page cache
	h.needsFound(f)
	switch res, ok := h.try(&op.Op{Code: op.ReadAt, FD: &f.FD, Buf: b, Off: 2}); {
	case ok && res == -sys.EOPNOTSUPP:
	case !ok || res != 4 || string(b) != "2345":
		h.Errorf("Try of a read gave %s, %v and %q, want what is in memory", show(res), ok, b)
	}
	h.wantTry(&op.Op{Code: op.Call, Ext: &op.Ext{Call: func() { h.Error("Try makes a call that may wait") }}},
		-sys.EOPNOTSUPP)
}

// needsFound skips the case on a kernel whose nowait reads fail even for what was just read or written: ext4 of Linux
// 5.10 is like that.
func (h *harness) needsFound(f *desc) {
	if !h.m.found(f.Sys()) {
		h.Skipf("preadv2(RWF_NOWAIT) does not find here what is in memory")
	}
}

func diskCalls(h *harness) {
	n := 0
	for range 10 {
		h.call(func() { n++ }).submit().want(0)
	}
	if n != 10 {
		h.Errorf("10 calls were made %d times", n)
	}
	h.call(func() {}).submit().cancel().end()
}

func (h *harness) call(f func()) *call {
	c := h.op(op.Call, nil)
	h.slab.Ext(c.o).Call = f
	return c
}

// A cancel meets a thread that is about to find out that its op has to wait for readiness. The thread must not forget
// the cancel.
func diskCancelAnytime(h *harness) {
	_, w := h.pipe()
	w.plain().fill()
	b := []byte("########")
	for i := range scaled(500) {
		c := h.writeAt(w, b, atPosition).submit()
		h.wait(driver.Poll)
		h.m.spend(time.Duration(i%100) * 300 * time.Nanosecond)
		if !c.ended {
			c.cancel()
		}
		if res := c.end(); res >= 0 {
			h.Fatalf("a write to a full pipe gave %s", show(res))
		}
	}
}

// Before the first Wait an op has not begun, so a cancel ends it.
func diskCancel(h *harness) {
	r, w := h.pipe()
	b := []byte("########")
	h.readAt(r, b, atPosition).submit().wantCanceled()
	h.readAt(r, b, atPosition).with(op.Offload).submit().wantCanceled()
	w.plain().fill()
	h.writeAt(w, b, atPosition).submit().wantCanceled()
	h.writeAt(w, b, atPosition).with(op.Offload).submit().wantCanceled()
	h.call(func() { h.Error("a call that was cancelled at once was made") }).submit().wantCanceled()
}

func diskBeside(h *harness) {
	a, p := h.pair()
	f := h.file(pattern(3, 0, 4000))
	q := make([]byte, 4)
	for range 10 {
		r := h.recv(a, q).submit()
		var calls []*call
		var bufs [][]byte
		for i := range 40 {
			b := make([]byte, 100)
			c := h.readAt(f, b, int64(i*100))
			if i%2 == 0 {
				c.with(op.Offload)
			}
			calls, bufs = append(calls, c.submit()), append(bufs, b)
		}
		for i, c := range calls {
			c.wantBytes(bufs[i], pattern(3, i*100, 100))
		}
		p.write("data")
		r.wantBytes(q, "data")
	}
}

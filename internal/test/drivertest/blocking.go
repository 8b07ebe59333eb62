package drivertest

import (
	"strings"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// Descriptors in blocking mode, such as those that a program is started with. Since Linux 6.4 a flag of the call makes
// a read or write of a pipe non-blocking; a FIFO has no such flag. For files without it a ring checks readiness first,
// since 6.10.
var blockingCases = []testCase{
	{name: "read what comes", run: onBlocking(blockingRead)},
	{name: "write waits for room", run: onBlocking(blockingWrite)},
	{name: "cancel of a read takes nothing", run: onBlocking(blockingCancel)},
	{name: "close ends a read", run: onBlocking(blockingClose)},
}

// onBlocking runs a case on a pipe and on a FIFO.
func onBlocking(run func(h *harness, r, w *desc)) func(h *harness) {
	return func(h *harness) {
		r, w, res := h.m.blockingPipe()
		h.checkRes(res)
		run(h, h.desc(r), h.desc(w))
		if h.closed {
			return
		}
		name := h.m.folder(h.T) + "/fifo"
		h.checkRes(h.m.fifo(name))
		both := h.open(name, sys.ORdwr) // with a writer, so that the next open does not wait
		run(h, both, h.open(name, sys.OWronly))
	}
}

func blockingRead(h *harness, r, w *desc) {
	b := make([]byte, 8)
	h.wantNoTry(&op.Op{Code: op.Read, FD: &r.FD, Buf: b, Off: atPosition})
	c := h.read(r, b, atPosition).submit().wantPending()
	h.write(w, []byte("hello"), atPosition).submit().want(5)
	c.wantBytes(b, "hello")
}

func blockingWrite(h *harness, r, w *desc) {
	filled := 0
	h.unblocked(w, func() { filled = w.plain().fill() })
	c := h.write(w, []byte("after"), atPosition).submit().wantPending()
	h.write(w, []byte("never"), atPosition).submit().wantPending().wantCanceled()
	r.plain().take(filled)
	c.want(5)
	r.plain().want("after")
	h.unblocked(r, func() { blockingMore(h, r, w) })
}

// unblocked calls f with d's open file in non-blocking mode, so that plain calls on it don't wait.
func (h *harness) unblocked(d *desc, f func()) {
	flags := h.m.Getfl(d.Sys())
	h.checkRes(flags)
	h.checkRes(h.m.Setfl(d.Sys(), flags|sys.ONonblock))
	f()
	h.checkRes(h.m.Setfl(d.Sys(), flags))
}

// blockingMore writes more than there is room for, and expects a short count, at once. The exception is a ring whose
// kernel can't be told not to wait for this kind of file: a worker of the ring makes the call, which continues as room
// appears and returns its count when it is cancelled, or when a reader has taken everything.
func blockingMore(h *harness, r, w *desc) {
	text := pattern(3, 0, 1<<20)
	c := h.write(w, []byte(text), atPosition).submit()
	const begun = 4096
	r.plain().want(text[:begun])
	if h.settle(); !c.ended {
		c.cancel()
	}
	n := int(c.end())
	if n < begun || n >= len(text) {
		h.Fatalf("a write of 1 MiB completed with %s, want a short count", show(int32(n)))
	}
	r.plain().want(text[begun:n])

	c = h.write(w, []byte(text), atPosition).submit()
	var got strings.Builder
	take := func() {
		s, err := r.plain().read(1 << 16)
		h.check(err)
		got.WriteString(s)
	}
	h.untilPeer("the end of a write whose reader goes on", func() bool { take(); return c.ended })
	take() // what the write had put there last
	if n := int(c.end()); n <= 0 || got.String() != text[:n] {
		h.Fatalf("a write of 1 MiB completed with %s, and its reader has %d bytes", show(int32(n)), got.Len())
	}
}

// A cancelled read ends at once. After that its memory is its owner's again, and data that comes later goes to later
// reads.
func blockingCancel(h *harness, r, w *desc) {
	b, next := []byte(strings.Repeat("#", 8)), make([]byte, 8)
	for range 10 {
		h.read(r, b, atPosition).submit().wantPending().wantCanceled()
		h.write(w, []byte("late"), atPosition).submit().want(4)
		h.settle()
		if string(b) != "########" {
			h.Fatalf("a cancelled read wrote %q to its memory", b)
		}
		h.read(r, next, atPosition).submit().wantBytes(next, "late")
	}
}

func blockingClose(h *harness, r, w *desc) {
	b := []byte("####")
	c := h.read(r, b, atPosition).submit().wantPending()
	h.close()
	c.wantEnd(-sys.ECANCELED)
	w.plain().write("late")
	if got, err := r.plain().read(8); got != "late" || err != nil || string(b) != "####" {
		h.Errorf("after Close the pipe has %q (%v), and the memory of its read %q", got, err, b)
	}
}

//go:build linux

package drivertest

import (
	"strings"

	"golang.org/x/sys/unix"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// Descriptors in blocking mode, such as a program is started with. A pipe can be
// asked not to wait by a flag of the call, a FIFO can't on any kernel up to now.
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
		both := h.open(name, unix.O_RDWR) // with a writer, or the open would wait
		run(h, both, h.open(name, unix.O_WRONLY))
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
	flags := h.m.Getfl(w.Sys())
	h.checkRes(flags)
	h.checkRes(h.m.Setfl(w.Sys(), flags|unix.O_NONBLOCK))
	filled := w.plain().fill()
	h.checkRes(h.m.Setfl(w.Sys(), flags))
	c := h.write(w, []byte("after"), atPosition).submit().wantPending()
	h.write(w, []byte("never"), atPosition).submit().wantPending().wantCanceled()
	r.plain().take(filled)
	c.want(5)
	r.plain().want("after")
	text := pattern(3, 0, 1<<20) // more than it holds: a short count
	n := h.write(w, []byte(text), atPosition).submit().end()
	if n <= 0 || n >= 1<<20 {
		h.Fatalf("a write of 1 MiB completed with %s, want a short count", show(n))
	}
	r.plain().want(text[:n])
}

// The read ends at once, its memory is its owner's again, and what comes later
// goes to who reads later.
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

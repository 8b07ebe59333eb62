package drivertest

import (
	"strings"

	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/test/linux"
)

// Bytes that go through a pipe, and not through the program's memory.
var spliceCases = []testCase{
	{name: "in what is there", run: spliceInThere},
	{name: "in what comes", run: spliceInComes},
	{name: "in the end", run: spliceInEnd},
	{name: "in a reset", run: spliceInReset},
	{name: "in to a full pipe", run: spliceInFull},
	{name: "out", run: spliceOutOne},
	{name: "out of an empty pipe", run: spliceOutEmpty},
	{name: "out waits for room", run: spliceOutWaits},
	{name: "out to nobody", run: spliceOutBroken},
	{name: "socket to socket", run: spliceThrough},
	{name: "sendfile", run: sendfileOne},
	{name: "sendfile waits for room", run: sendfileWaits},
}

func (h *harness) spliceIn(f, pipe *desc, n uint32) *call {
	return h.op(op.SpliceIn, f).limit(n).other(pipe)
}

func (h *harness) spliceOut(pipe, f *desc, n uint32) *call {
	return h.op(op.SpliceOut, f).limit(n).other(pipe)
}

// sendfile builds an op that sends n bytes of a file from off on.
func (h *harness) sendfile(f, file *desc, off int64, n uint32) *call {
	c := h.op(op.Sendfile, f).limit(n).other(file)
	c.o.Off = off
	return c
}

func spliceInThere(h *harness) {
	f, p := h.tcp()
	r, w := h.pipe()
	p.write("hello world")
	h.spliceIn(f, w, 5).submit().want(5)
	h.spliceIn(f, w, 100).submit().want(6)
	r.plain().want("hello world")
}

func spliceInComes(h *harness) {
	for _, connect := range []func() (*desc, *peer){h.tcp, h.pair} {
		f, p := connect()
		r, w := h.pipe()
		c := h.spliceIn(f, w, 1<<16).submit().wantPending()
		p.write("late")
		c.want(4)
		r.plain().want("late")
		h.spliceIn(f, w, 1<<16).submit().wantPending().wantCanceled()
		p.write("kept")
		b := []byte("....")
		h.recv(f, b).submit().wantBytes(b, "kept")
	}
}

func spliceInEnd(h *harness) {
	f, p := h.tcp()
	_, w := h.pipe()
	c := h.spliceIn(f, w, 100).submit().wantPending()
	p.shutdown()
	c.want(0)
}

func spliceInReset(h *harness) {
	f, p := h.tcp()
	_, w := h.pipe()
	c := h.spliceIn(f, w, 100).submit().wantPending()
	p.reset()
	c.want(-int32(linux.ECONNRESET))
}

// The splice would have to wait for the pipe and not for the socket, so it does not wait.
func spliceInFull(h *harness) {
	f, p := h.tcp()
	r, w := h.pipe()
	w.plain().fill()
	p.write("kept")
	h.spliceIn(f, w, 100).submit().want(-sys.ENOSPC)
	r.plain().drain()
	h.spliceIn(f, w, 100).submit().want(4)
}

func spliceOutOne(h *harness) {
	f, p := h.tcp()
	r, w := h.pipe()
	w.plain().write("hello world")
	h.spliceOut(r, f, 5).submit().want(5)
	h.spliceOut(r, f, 100).submit().want(6)
	p.want("hello world")
}

func spliceOutEmpty(h *harness) {
	f, _ := h.tcp()
	r, w := h.pipe()
	h.spliceOut(r, f, 100).submit().want(0)
	w.release()
	w.Init(-1)
	h.spliceOut(r, f, 100).submit().want(0)
}

// fullMeansFull skips a case on kernels where splice and sendfile exceed the limit of a full Unix socket: those before
// Linux 6.5.
func (h *harness) fullMeansFull() {
	h.Helper()
	f, _ := h.pair()
	r, w := h.pipe()
	w.plain().write("x")
	f.plain().fill()
	if n := h.m.call(opOn(op.SpliceOut, f.Sys(), func(o *op.Op) { o.Other, o.Limit = r.Sys(), 1 })); n >= 0 {
		h.Skipf("this kernel splices into a full Unix socket (%d bytes), so nothing would have to wait", n)
	}
}

func spliceOutWaits(h *harness) {
	h.fullMeansFull()
	f, p := h.pair()
	r, w := h.pipe()
	w.plain().write("after")
	filled := f.plain().fill()
	c := h.spliceOut(r, f, 100).submit().wantPending()
	p.take(filled)
	c.want(5)
	p.want("after")
}

func spliceOutBroken(h *harness) {
	f, p := h.pair()
	r, w := h.pipe()
	w.plain().write("unsent")
	p.close()
	h.spliceOut(r, f, 100).submit().want(-sys.EPIPE)
}

// A small proxy: whatever the peer at one end writes comes out at the other.
func spliceThrough(h *harness) {
	from, in := h.tcp()
	to, out := h.pair()
	h.smallBuffers(to)
	r, w := h.pipe()
	text := pattern(50, 0, 300_000)
	var got strings.Builder
	for left := text; ; {
		if n := min(len(left), 50_000); n > 0 {
			if m := h.m.write(in.n, []byte(left[:n])); m != -sys.EAGAIN {
				h.checkRes(m)
				left = left[m:]
			}
		} else if in.n >= 0 {
			in.close()
		}
		n := h.spliceIn(from, w, 1<<16).submit().end()
		if n <= 0 {
			h.gave("splice at the end", n, 0)
			break
		}
		for n > 0 {
			c := h.spliceOut(r, to, uint32(n)).submit()
			h.untilPeer("room", func() bool {
				s, err := out.read(1 << 16)
				h.check(err)
				got.WriteString(s)
				return c.ended
			})
			if m := c.end(); m <= 0 {
				h.Fatalf("%s completed with %s", c, show(m))
			} else {
				n -= m
			}
		}
	}
	for got.Len() < len(text) {
		s, err := out.read(1 << 16)
		if h.check(err); s == "" {
			break
		}
		got.WriteString(s)
	}
	if got.String() != text {
		h.Errorf("%d bytes came through of %d, or others", got.Len(), len(text))
	}
}

func sendfileOne(h *harness) {
	f, p := h.tcp()
	file := h.file("0123456789")
	h.sendfile(f, file, 2, 3).submit().want(3)
	p.want("234")
	h.sendfile(f, file, atPosition, 4).submit().want(4)
	h.sendfile(f, file, atPosition, 100).submit().want(6)
	p.want("0123456789")
	h.sendfile(f, file, 10, 100).submit().want(0)
	c := h.op(op.Sendfile, f).limit(100)
	c.o.Other = badFD
	c.submit().want(-sys.EBADF)
}

func sendfileWaits(h *harness) {
	h.fullMeansFull()
	f, p := h.pair()
	file := h.file("after")
	filled := f.plain().fill()
	c := h.sendfile(f, file, 0, 5).submit().wantPending()
	p.take(filled)
	c.want(5)
	p.want("after")
	f.plain().fill()
	h.sendfile(f, file, 0, 5).submit().wantPending().wantCanceled()
}

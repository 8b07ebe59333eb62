package drivertest

import (
	"encoding/binary"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// Plain reads and writes on descriptors that can be waited for.
var pipeCases = []testCase{
	{name: "read what is there", run: readThere},
	{name: "read what comes", run: readComes},
	{name: "read the end", run: readEnd},
	{name: "write waits for room", run: writeWaits},
	{name: "write comes short", run: writeShort},
	{name: "full write to a slow reader", run: writeFullSlow},
	{name: "write to nobody", run: writeEPIPE},
	{name: "eventfd", run: eventfdCounts},
}

func readThere(h *harness) {
	r, w := h.pipe()
	w.plain().write("hello")
	b := make([]byte, 8)
	h.read(r, b, atPosition).submit().wantBytes(b, "hello")
}

func readComes(h *harness) {
	r, w := h.pipe()
	b := make([]byte, 8)
	c := h.read(r, b, atPosition).submit().wantPending()
	h.write(w, []byte("hello"), atPosition).submit().want(5)
	c.wantBytes(b, "hello")
}

func readEnd(h *harness) {
	r, w := h.pipe()
	c := h.read(r, make([]byte, 8), atPosition).submit().wantPending()
	h.closeDesc(w)
	c.want(0)
}

func writeWaits(h *harness) {
	r, w := h.pipe()
	filled := w.plain().fill()
	c := h.write(w, []byte("after"), atPosition).submit().wantPending()
	r.plain().take(filled)
	c.want(5)
	r.plain().want("after")
}

func writeShort(h *harness) {
	r, w := h.pipe()
	text := pattern(3, 0, 1<<20)
	n := h.write(w, []byte(text), atPosition).submit().end()
	if n <= 0 || n >= 1<<20 {
		h.Fatalf("a write of 1 MiB to a pipe completed with %s, want a short count", show(n))
	}
	r.plain().want(text[:n])
}

func writeFullSlow(h *harness) {
	r, w := h.pipe()
	text := pattern(4, 0, 300_000)
	c := h.write(w, []byte(text), atPosition).with(op.Full).submit().wantPending()
	r.plain().want(text)
	c.want(int32(len(text)))
}

func writeEPIPE(h *harness) {
	r, w := h.pipe()
	h.closeDesc(r)
	h.write(w, []byte("hello"), atPosition).submit().want(-sys.EPIPE)
}

func eventfdCounts(h *harness) {
	f := h.eventfd()
	b := make([]byte, 8)
	c := h.read(f, b, atPosition).submit().wantPending()
	one := binary.NativeEndian.AppendUint64(nil, 3)
	h.write(f, one, atPosition).submit().want(8)
	c.want(8)
	if n := binary.NativeEndian.Uint64(b); n != 3 {
		h.Errorf("read %d from an eventfd, want 3", n)
	}
}

package drivertest

import (
	"bytes"

	"ringo/buf"
	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// Reads and writes of regular files, which are always ready and may take long.
var fileCases = []testCase{
	{name: "read at an offset", run: readAt},
	{name: "read at the end", run: readAtEnd},
	{name: "read from the position", run: readPosition},
	{name: "write at an offset", run: writeAt},
	{name: "many at once", run: manyFileOps},
	{name: "a file keeps nothing waiting", run: fileBeside},
	{name: "read past the page cache", run: readDirect},
	{name: "read past the page cache, not aligned", run: readUnaligned},
	{name: "write past the page cache", run: writeDirect},
	{name: "many past the page cache", run: manyDirect},
	{name: "cancel lets go of the memory", run: cancelLetsGo},
}

func readAt(h *harness) {
	f := h.file("0123456789")
	b := make([]byte, 4)
	h.read(f, b, 3).submit().wantBytes(b, "3456")
	h.read(f, b, 0).submit().wantBytes(b, "0123")
}

func readAtEnd(h *harness) {
	f := h.file("0123456789")
	b := make([]byte, 100)
	h.read(f, b, 8).submit().wantBytes(b, "89")
	h.read(f, b, 10).submit().want(0)
	h.read(f, b, 1000).submit().want(0)
}

func readPosition(h *harness) {
	f := h.file("0123456789")
	b := make([]byte, 6)
	h.read(f, b, atPosition).submit().wantBytes(b, "012345")
	h.read(f, b, 0).submit().wantBytes(b, "012345")
	h.read(f, b, atPosition).submit().wantBytes(b, "6789")
}

// content returns what is in the file now.
func (h *harness) content(f *desc) string {
	h.Helper()
	text, res := h.m.content(f.Sys())
	h.checkRes(res)
	return text
}

func writeAt(h *harness) {
	f := h.file("0123456789")
	h.write(f, []byte("abc"), 4).submit().want(3)
	h.write(f, []byte("xyz"), 9).submit().want(3)
	h.write(f, []byte("!"), atPosition).submit().want(1)
	if got := h.content(f); got != "!123abc78xyz" {
		h.Errorf("the file has %q, want %q", got, "!123abc78xyz")
	}
}

// Ops on a file do not form a stream: they may run concurrently, and each has an offset of its own.
func manyFileOps(h *harness) {
	f := h.file("")
	const n, size = 50, 100
	calls := make([]*call, n)
	for i := range calls {
		calls[i] = h.write(f, []byte(pattern(5, i*size, size)), int64(i*size)).submit()
	}
	h.untilEnded(calls...)
	if h.content(f) != pattern(5, 0, n*size) {
		h.Error("the file is not what was written")
	}
	bufs := make([][]byte, n)
	for i := range calls {
		bufs[i] = make([]byte, size)
		calls[i] = h.read(f, bufs[i], int64(i*size)).submit()
	}
	for i, c := range calls {
		c.wantBytes(bufs[i], pattern(5, i*size, size))
	}
}

// An op on a file ends a sleep as any other does, and a stream goes on beside it.
func fileBeside(h *harness) {
	a, p := h.pair()
	f := h.file("content")
	b, q := make([]byte, 7), make([]byte, 4)
	for range 20 {
		r := h.recv(a, q).submit()
		c := h.read(f, b, 0).submit()
		for !c.ended {
			h.wait(driver.Forever)
		}
		c.wantBytes(b, "content")
		p.write("data")
		r.wantBytes(q, "data")
	}
}

// block is an alignment that O_DIRECT accepts everywhere.
const block = 4096

// direct makes a file that is open past the page cache, with blocks of one letter each. It skips the case where the
// file system does not support that. The content is on the disk already: a read past dirty pages would first have to
// write them.
func (h *harness) direct(blocks int) *desc {
	h.Helper()
	var all []byte
	for i := range blocks {
		all = append(all, letters(i)...)
	}
	f := h.file(string(all))
	h.checkRes(h.m.call(opOn(op.Sync, f.Sys(), nil)))
	if oDirect == 0 {
		h.Skip("this system has no O_DIRECT")
	}
	n := h.m.open(f.name, sys.ORdwr|oDirect, 0)
	if n == -sys.EINVAL {
		h.Skipf("no O_DIRECT for %s", f.name)
	}
	h.checkRes(n)
	return h.desc(n)
}

// letters returns the content of block i of a direct file.
func letters(i int) []byte { return bytes.Repeat([]byte{byte('a' + i%26)}, block) }

// blocks returns memory that O_DIRECT accepts, for as long as the driver is open.
func (h *harness) blocks(n int) []byte {
	h.Helper()
	p := buf.Aligned(n*block, block)
	h.Cleanup(h.finish)
	return p
}

func readDirect(h *harness) {
	f, p := h.direct(4), h.blocks(2)
	for _, i := range []int{3, 0, 2} {
		h.read(f, p[:block], int64(i)*block).submit().wantBytes(p, string(letters(i)))
	}
	h.read(f, p, 3*block).submit().wantBytes(p, string(letters(3))) // the read stops at the file's end
	h.read(f, p, 4*block).submit().want(0)
	h.read(f, p[:block], atPosition).submit().wantBytes(p, string(letters(0)))
}

// For memory or an offset that the file does not accept, every driver returns what a plain call returns.
func readUnaligned(h *harness) {
	f := h.direct(2)
	p, q := make([]byte, 101), make([]byte, 101)
	want := h.m.call(opOn(op.ReadAt, f.Sys(), func(o *op.Op) { o.Buf, o.Off = q[1:], block+1 }))
	if got := h.read(f, p[1:], block+1).submit().end(); got != want || !bytes.Equal(p, q) {
		h.Errorf("read of 100 bytes at %d gave %s %q, a plain call %s %q", block+1, show(got), abbreviate(string(p)),
			show(want), abbreviate(string(q)))
	}
	aligned := h.blocks(1)
	h.read(f, aligned, block).submit().wantBytes(aligned, string(letters(1)))
}

func writeDirect(h *harness) {
	f, p := h.direct(4), h.blocks(2)
	copy(p, bytes.Repeat([]byte("0123456789abcdef"), len(p)/16))
	h.write(f, p, block).submit().want(int32(len(p)))
	h.write(f, p, 4*block).with(op.Full).submit().want(int32(len(p))) // the file grows
	want := string(letters(0)) + string(p) + string(letters(3)) + string(p)
	if got := h.content(f); got != want {
		h.Errorf("the file has %d bytes, %s, want %d, %s", len(got), abbreviate(got), len(want), abbreviate(want))
	}
}

// More ops at once than the kernel's queue for them holds.
func manyDirect(h *harness) {
	const blocks, n = 26, 200
	f, p := h.direct(blocks), h.blocks(n)
	calls := make([]*call, n)
	for i := range calls {
		calls[i] = h.read(f, p[i*block:][:block], int64(i%blocks)*block).submit()
	}
	for i, c := range calls {
		c.wantBytes(p[i*block:], string(letters(i)))
	}
}

// However a cancelled read ends, from then on its memory is its owner's: nothing is written to it later.
func cancelLetsGo(h *harness) {
	for _, f := range []*desc{h.direct(16), h.file(pattern(9, 0, 16*block))} {
		p, q := h.blocks(16), h.blocks(1)
		calls := make([]*call, 16)
		for i := range calls {
			if calls[i] = h.read(f, p[i*block:][:block], int64(i)*block).submit(); i%4 == 0 {
				calls[i].cancel()
			}
		}
		h.wait(driver.Poll) // by then some of the others are under way
		for _, c := range calls {
			if !c.ended && !c.canceled {
				c.cancel()
			}
		}
		for _, c := range calls {
			if got := c.end(); got != block && got != -sys.ECANCELED {
				h.Errorf("a cancelled read completed with %s", show(got))
			}
		}
		mine := bytes.Repeat([]byte("mine"), len(p)/4)
		copy(p, mine)
		for range 20 {
			h.read(f, q, 0).submit().want(block)
		}
		if !bytes.Equal(p, mine) {
			h.Error("a read wrote to its memory after its last completion")
		}
	}
}

func allocFile(h *harness) { h.allocReads(h.file("content"), make([]byte, 7)) }

func allocDirect(h *harness) { h.allocReads(h.direct(1), h.blocks(1)) }

func (h *harness) allocReads(f *desc, p []byte) {
	h.Helper()
	o := h.raw(op.Read, f)
	o.Buf = p
	h.wantNoAllocs(func() { h.wantRes(h.run(o), int32(len(p))) })
}

//go:build linux

package drivertest

import (
	"os"
	"strconv"

	"ringo/internal/driver"
)

// Reads and writes of regular files, which are always ready and may take long.
var fileCases = []testCase{
	{name: "read at an offset", run: readAt},
	{name: "read at the end", run: readAtEnd},
	{name: "read from the position", run: readPosition},
	{name: "write at an offset", run: writeAt},
	{name: "many at once", run: manyFileOps},
	{name: "a file keeps nothing waiting", run: fileBeside},
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

// content is what is in the file now.
func (h *harness) content(f *desc) string {
	h.Helper()
	b, err := os.ReadFile("/proc/self/fd/" + strconv.Itoa(int(f.Sys())))
	h.check(err)
	return string(b)
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

// Ops on a file are not a stream: they may run side by side, and each has its
// own offset.
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

// A file's op ends a sleep as any other does, and a stream goes on beside it.
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

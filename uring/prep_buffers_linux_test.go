//go:build linux

package uring

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func init() {
	prepTests = append(prepTests,
		prepTest{"PrepProvideBuffers", nil, testProvideBuffers},
		prepTest{"PrepRemoveBuffers", nil, testProvideBuffers},
		prepTest{"SetBufGroup", nil, testProvideBuffers},
	)
}

// testProvideBuffers lends buffers in two pieces, takes from them, and takes the rest back.
func testProvideBuffers(t *testing.T, r *Ring) {
	needOp(t, OpProvideBuffers, "5.7")
	const group = 5
	want(t, do(t, r, func(e *SQE) { e.PrepRemoveBuffers(group, 1) }), syscall.ENOENT)
	mem := make([]byte, 32)
	provide := func(first uint16, mem []byte, n int) CQE {
		return do(t, r, func(e *SQE) { e.PrepProvideBuffers(group, first, mem, n) })
	}
	for _, c := range []CQE{provide(10, mem[:24], 3), provide(20, mem[24:], 1)} {
		if c.Res < 0 {
			t.Fatal(result(c.Res))
		}
	}
	if c := provide(0, mem, 0); c.Res >= 0 {
		t.Errorf("no buffers were provided: %d", c.Res)
	}
	if newerThan("5.19") { // one of no bytes was taken before, and would be given to a receive
		if c := provide(0, nil, 1); c.Res >= 0 {
			t.Errorf("a buffer of nothing was provided: %d", c.Res)
		}
	}
	a, b := socketpair(t, unix.SOCK_STREAM)
	took := map[uint16]bool{}
	for _, text := range []string{"one", "two"} {
		tag := start(t, r, func(e *SQE) { e.PrepRecvSelect(a, group, 8, 0) })
		write(t, b, text)
		c := finish(t, r, tag)
		want(t, c, len(text))
		at := map[uint16]int{10: 0, 11: 8, 12: 16, 20: 24}
		if i, ok := at[c.BufID()]; !ok || c.Flags&CQEBuffer == 0 || string(mem[i:i+3]) != text || took[c.BufID()] {
			t.Errorf("%q came by %+v: %q", text, c, mem)
		}
		took[c.BufID()] = true
	}
	want(t, do(t, r, func(e *SQE) { e.PrepRemoveBuffers(group, 1) }), 1)
	want(t, do(t, r, func(e *SQE) { e.PrepRemoveBuffers(group, 9) }), 1)
	write(t, b, "none")
	want(t, do(t, r, func(e *SQE) {
		e.PrepRecv(a, nil, 0)
		e.SetBufGroup(group)
	}), syscall.ENOBUFS)
}

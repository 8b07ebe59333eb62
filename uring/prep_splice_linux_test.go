//go:build linux

package uring

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func init() {
	prepTests = append(prepTests,
		prepTest{"PrepSplice", nil, testSplice},
		prepTest{"PrepTee", nil, testTee},
		prepTest{"PrepPipe", nil, testPipe},
	)
}

// testSplice moves bytes from a file through a pipe into another file, by descriptors and by the table.
func testSplice(t *testing.T, r *Ring) {
	needOp(t, OpSplice, "5.7")
	_, from := openNew(t)
	to, toFD := openNew(t)
	rd, wr := pipe(t)
	splice := func(from int, fromOff int64, to int, toOff int64, n, flags uint32) CQE {
		return do(t, r, func(e *SQE) { e.PrepSplice(from, fromOff, to, toOff, n, flags) })
	}
	want(t, splice(from, 1, wr, -1, 9, 0), 3)
	want(t, splice(rd, -1, toFD, 2, 3, unix.SPLICE_F_MOVE), 3)
	wantContent(t, to, "teext")
	want(t, splice(from, 0, toFD, 0, 4, 0), syscall.EINVAL) // neither is a pipe
	want(t, splice(rd, 0, toFD, 0, 4, 0), syscall.ESPIPE)   // a pipe has no offset
	want(t, splice(9999, 0, wr, -1, 4, 0), syscall.EBADF)
	if err := r.RegisterFiles([]int{-1, from, wr}); err != nil {
		t.Fatal(err)
	}
	want(t, do(t, r, func(e *SQE) {
		e.PrepSplice(1, 0, 2, -1, 4, SpliceInFixed)
		e.SetFlags(SQEFixedFile)
	}), 4)
	p := make([]byte, 8)
	if n, err := unix.Read(rd, p); err != nil || string(p[:n]) != "text" {
		t.Errorf("through the pipe: %q, %v", p[:n], err)
	}
}

// testTee copies what is in a pipe into another, where it stays.
func testTee(t *testing.T, r *Ring) {
	needOp(t, OpTee, "5.8")
	rd, wr := pipe(t)
	rd2, wr2 := pipe(t)
	write(t, wr, "hello")
	want(t, do(t, r, func(e *SQE) { e.PrepTee(rd, wr2, 4, 0) }), 4)
	if err := r.RegisterFiles([]int{rd}); err != nil {
		t.Fatal(err)
	}
	want(t, do(t, r, func(e *SQE) { e.PrepTee(0, wr2, 9, SpliceInFixed) }), 5)
	p := make([]byte, 16)
	for fd, text := range map[int]string{rd: "hello", rd2: "hellhello"} {
		if n, err := unix.Read(fd, p); err != nil || string(p[:n]) != text {
			t.Errorf("a pipe holds %q, %v, want %q", p[:n], err, text)
		}
	}
	_, fd := openNew(t)
	want(t, do(t, r, func(e *SQE) { e.PrepTee(fd, wr2, 4, 0) }), syscall.EINVAL)
}

func testPipe(t *testing.T, r *Ring) {
	needOp(t, OpPipe, "6.16")
	fds := &[2]int32{-1, -1}
	want(t, do(t, r, func(e *SQE) { e.PrepPipe(fds, unix.O_CLOEXEC|unix.O_NONBLOCK) }), 0)
	rd, wr := int(fds[0]), int(fds[1])
	closeLater(t, rd, wr)
	write(t, wr, "hello")
	p := make([]byte, 8)
	if n, err := unix.Read(rd, p); err != nil || string(p[:n]) != "hello" {
		t.Errorf("through the pipe: %q, %v", p[:n], err)
	}
	if _, err := unix.Read(rd, p); err != unix.EAGAIN {
		t.Errorf("read of an empty pipe that is not to block: %v", err)
	}
	want(t, do(t, r, func(e *SQE) { e.PrepPipe(fds, 1<<30) }), syscall.EINVAL)
	want(t, do(t, r, func(e *SQE) { e.PrepPipe(nil, 0) }), syscall.EFAULT)
}

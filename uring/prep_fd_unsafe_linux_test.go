//go:build linux

package uring

import (
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func init() {
	prepTests = append(prepTests,
		prepTest{"SetDirect", nil, testSetDirect},
		prepTest{"PrepClose", nil, testClose},
		prepTest{"PrepCloseDirect", nil, testCloseDirect},
		prepTest{"PrepFilesUpdate", nil, testFilesUpdate},
		prepTest{"PrepFixedFDInstall", nil, testFixedFDInstall},
		prepTest{"PrepMsgRingFD", nil, testMsgRingFD},
		prepTest{"PrepMsgRing", []string{CheckMsgRing}, testMsgRing},
		prepTest{"PrepMsgRingFlags", []string{CheckMsgRing}, testMsgRingFlags},
		prepTest{"PrepNop", nil, testNop},
		prepTest{"PrepNopFlags", nil, testNopFlags},
		prepTest{"PrepNop128", nil, testNop128},
	)
}

// readFixed reads what is at an index of the table.
func readFixed(t *testing.T, r *Ring, index int) string {
	t.Helper()
	p := make([]byte, 16)
	c := do(t, r, func(e *SQE) {
		e.PrepRead(index, p, 0)
		e.SetFlags(SQEFixedFile)
	})
	if c.Res < 0 {
		return result(c.Res)
	}
	return string(p[:c.Res])
}

func testSetDirect(t *testing.T, r *Ring) {
	_, dir := openDir(t)
	how := &unix.OpenHow{Flags: unix.O_RDONLY}
	open := func(index uint32) CQE {
		return do(t, r, func(e *SQE) {
			e.PrepOpenat(dir, path("f"), unix.O_RDONLY, 0)
			e.SetDirect(index)
		})
	}
	want(t, needDirect(t, open(0)), syscall.ENXIO)
	table(t, r, 3)
	want(t, open(3), syscall.EINVAL)
	want(t, open(DirectAlloc-1), syscall.EINVAL)
	before := openFDs(t)
	want(t, open(1), 0)
	if got := readFixed(t, r, 1); got != "text" {
		t.Errorf("index 1 reads %q", got)
	}
	want(t, do(t, r, func(e *SQE) {
		e.PrepOpenat2(dir, path("f"), unsafe.Pointer(how))
		e.SetDirect(1) // takes the place of the other
	}), 0)
	want(t, do(t, r, func(e *SQE) {
		e.PrepOpenat(dir, path("f"), unix.O_CLOEXEC, 0)
		e.SetDirect(1)
	}), syscall.EINVAL)
	if now := openFDs(t); now != before {
		t.Errorf("%d descriptors, %d before", now, before)
	}
	needOp(t, OpSocket, "5.19") // and with it the allocation of places
	file := open(DirectAlloc).Res
	socket := do(t, r, func(e *SQE) {
		e.PrepSocket(unix.AF_INET, unix.SOCK_STREAM, 0)
		e.SetDirect(DirectAlloc)
	}).Res
	if file+socket != 2 || file*socket != 0 {
		t.Errorf("the file is at %s, the socket at %s, free were 0 and 2", result(file), result(socket))
	}
	want(t, open(DirectAlloc), syscall.ENFILE)
	want(t, do(t, r, func(e *SQE) {
		e.PrepShutdown(int(socket), unix.SHUT_RD)
		e.SetFlags(SQEFixedFile)
	}), syscall.ENOTCONN)

	ln, addr := listener(t)
	peer := dial(t, addr)
	want(t, do(t, r, func(e *SQE) {
		e.PrepAccept(ln, 0)
		e.SetDirect(2)
	}), 0)
	write(t, peer, "hello")
	p := make([]byte, 8)
	want(t, do(t, r, func(e *SQE) {
		e.PrepRecv(2, p, 0)
		e.SetFlags(SQEFixedFile)
	}), 5)
	want(t, do(t, r, func(e *SQE) { e.PrepCloseDirect(2) }), 0)
	if n, err := unix.Read(peer, p); n != 0 || err != nil {
		t.Errorf("the peer reads %d, %v, want the end", n, err)
	}
	tag := start(t, r, func(e *SQE) {
		e.PrepAcceptMultishot(ln, 0)
		e.SetDirect(DirectAlloc)
	})
	dial(t, addr)
	if c := finish(t, r, tag); c.Res != 2 || !c.More() {
		t.Errorf("multishot accept: %+v, want 2 and more", c)
	}
	dial(t, addr)
	if c := finish(t, r, tag); c.Res != -int32(syscall.ENFILE) || c.More() {
		t.Errorf("multishot accept into a full table: %+v, want ENFILE", c)
	}
	pipeDirect(t, r)
}

// pipeDirect: a pipe takes two places.
func pipeDirect(t *testing.T, r *Ring) {
	if ops, err := r.ProbeOps(); err != nil || !ops.Has(OpPipe) {
		return
	}
	for i := range uint32(3) {
		want(t, do(t, r, func(e *SQE) { e.PrepCloseDirect(i) }), 0)
	}
	for _, index := range []uint32{DirectAlloc, 1} {
		fds := &[2]int32{-1, -1}
		c := do(t, r, func(e *SQE) {
			e.PrepPipe(fds, 0)
			e.SetDirect(index)
		})
		if c.Res == -int32(syscall.EINVAL) && index != DirectAlloc {
			t.Logf("pipe at index %d: %s", index, result(c.Res))
			return
		}
		want(t, c, 0)
		if index == 1 && *fds != [2]int32{1, 2} {
			t.Errorf("a pipe at 1 is at %v", *fds)
		}
		text, p := []byte("through"), make([]byte, 16)
		want(t, do(t, r, func(e *SQE) { e.PrepWrite(int(fds[1]), text, -1); e.SetFlags(SQEFixedFile) }), 7)
		want(t, do(t, r, func(e *SQE) { e.PrepRead(int(fds[0]), p, -1); e.SetFlags(SQEFixedFile) }), 7)
		for _, fd := range fds {
			want(t, do(t, r, func(e *SQE) { e.PrepCloseDirect(uint32(fd)) }), 0)
		}
	}
}

// needDirect skips the test if the kernel knows of no direct descriptors: then it opens the file.
func needDirect(t *testing.T, c CQE) CQE {
	t.Helper()
	if c.Res >= 0 {
		syscall.Close(int(c.Res))
	}
	if !newerThan("5.15") && (c.Res >= 0 || c.Res == -int32(syscall.EINVAL)) {
		t.Skip(&FeatureError{"direct descriptors", "5.15"})
	}
	return c
}

func testClose(t *testing.T, r *Ring) {
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	want(t, do(t, r, func(e *SQE) { e.PrepClose(fd) }), 0)
	want(t, do(t, r, func(e *SQE) { e.PrepClose(fd) }), syscall.EBADF)
	want(t, do(t, r, func(e *SQE) { e.PrepClose(r.FD()) }), syscall.EBADF)
}

func testCloseDirect(t *testing.T, r *Ring) {
	c := do(t, r, func(e *SQE) { e.PrepCloseDirect(0) })
	if !newerThan("5.15") && c.Res != -int32(syscall.ENXIO) {
		t.Skip(&FeatureError{"direct descriptors", "5.15"})
	}
	want(t, c, syscall.ENXIO)
	rd, wr := pipe(t)
	if err := r.RegisterFiles([]int{-1, wr}); err != nil {
		t.Fatal(err)
	}
	unix.Close(wr)
	want(t, do(t, r, func(e *SQE) { e.PrepCloseDirect(1) }), 0)
	if n, err := unix.Read(rd, make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("the pipe reads %d, %v: its end is still open", n, err)
	}
	want(t, do(t, r, func(e *SQE) { e.PrepCloseDirect(1) }), syscall.EBADF)
	want(t, do(t, r, func(e *SQE) { e.PrepCloseDirect(2) }), syscall.EINVAL)
	// The result of what failed is no index, and above all not the process's descriptor 0.
	if _, err := unix.FcntlInt(0, unix.F_GETFD, 0); err != nil {
		t.Fatal("there is no descriptor 0 that could be closed: ", err)
	}
	zero, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(zero)
	for _, errno := range []syscall.Errno{syscall.EPERM, syscall.ENOENT, syscall.ENFILE} {
		c := do(t, r, func(e *SQE) { e.PrepCloseDirect(uint32(-int32(errno))) })
		if _, err := unix.FcntlInt(0, unix.F_GETFD, 0); err != nil {
			unix.Dup3(zero, 0, 0)
			t.Errorf("%v for an index has closed descriptor 0", errno)
		}
		want(t, c, syscall.EINVAL)
	}
}

func testFilesUpdate(t *testing.T, r *Ring) {
	needOp(t, OpFilesUpdate, "5.6")
	_, a := openNew(t)
	fds := []int32{int32(a), -1}
	want(t, do(t, r, func(e *SQE) { e.PrepFilesUpdate(fds, 0) }), syscall.ENXIO)
	table(t, r, 3)
	want(t, do(t, r, func(e *SQE) { e.PrepFilesUpdate(fds, 1) }), 2)
	if got := readFixed(t, r, 1); got != "text" {
		t.Errorf("index 1 reads %q", got)
	}
	none := []int32{-1}
	want(t, do(t, r, func(e *SQE) { e.PrepFilesUpdate(none, 1) }), 1)
	if got := readFixed(t, r, 1); got != syscall.EBADF.Error() {
		t.Errorf("emptied, index 1 reads %q", got)
	}
	want(t, do(t, r, func(e *SQE) { e.PrepFilesUpdate(fds, 3) }), syscall.EINVAL)
	bad := []int32{9999}
	want(t, do(t, r, func(e *SQE) { e.PrepFilesUpdate(bad, 0) }), syscall.EBADF)
	needOp(t, OpSocket, "5.19")
	fds = []int32{int32(a), int32(a)}
	want(t, do(t, r, func(e *SQE) { e.PrepFilesUpdate(fds, DirectAlloc) }), 2)
	if fds[0] == fds[1] || min(fds[0], fds[1]) < 0 || max(fds[0], fds[1]) > 2 {
		t.Errorf("the places are %v", fds)
	}
	for _, i := range fds {
		if got := readFixed(t, r, int(i)); got != "text" {
			t.Errorf("index %d reads %q", i, got)
		}
	}
}

func testFixedFDInstall(t *testing.T, r *Ring) {
	needOp(t, OpFixedFDInstall, "6.8")
	_, a := openNew(t)
	if err := r.RegisterFiles([]int{-1, a}); err != nil {
		t.Fatal(err)
	}
	for flags, cloexec := range map[uint32]int{0: unix.FD_CLOEXEC, FixedFDNoCloexec: 0} {
		fd := fdOf(t, do(t, r, func(e *SQE) { e.PrepFixedFDInstall(1, flags) }))
		if got, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || got != cloexec {
			t.Errorf("with flags %d the descriptor has %d, %v", flags, got, err)
		}
		p := make([]byte, 8)
		if n, err := unix.Pread(fd, p, 0); err != nil || string(p[:n]) != "text" {
			t.Errorf("the descriptor reads %q, %v", p[:n], err)
		}
	}
	want(t, do(t, r, func(e *SQE) { e.PrepFixedFDInstall(0, 0) }), syscall.EBADF)
	want(t, do(t, r, func(e *SQE) { e.PrepFixedFDInstall(1, 1<<8) }), syscall.EINVAL)
}

// ringOf opens one more ring on the test's thread.
func ringOf(t *testing.T, entries int) *Ring {
	t.Helper()
	r, err := Open(entries, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func testMsgRingFD(t *testing.T, r *Ring) {
	needOp(t, OpMsgRing, "5.18")
	other := ringOf(t, 4)
	_, a := openNew(t)
	give := func(from, to, flags uint32) CQE {
		return do(t, r, func(e *SQE) { e.PrepMsgRingFD(other.FD(), from, to, 77, flags) })
	}
	needFlag(t, give(1, 0, 0), "MSG_SEND_FD", "6.0")
	if err := r.RegisterFiles([]int{-1, a}); err != nil {
		t.Fatal(err)
	}
	want(t, give(1, 0, 0), syscall.ENXIO)
	table(t, other, 2)
	want(t, give(0, 0, 0), syscall.EBADF)
	want(t, give(1, DirectAlloc-1, 0), syscall.EINVAL)
	want(t, give(1, 1, 0), 0)
	if _, err := other.Wait(1, waitMax); err != nil {
		t.Fatal(err)
	}
	if c, ok := other.CQE(); !ok || c.UserData != 77 || c.Res != 0 {
		t.Errorf("the other ring has %+v, %v", c, ok)
	}
	if got := readFixed(t, other, 1); got != "text" {
		t.Errorf("over there index 1 reads %q", got)
	}
	want(t, give(1, DirectAlloc, MsgRingCQESkip), 0)
	if got := readFixed(t, other, 0); got != "text" {
		t.Errorf("over there index 0 reads %q", got)
	}
	if c, ok := other.CQE(); ok {
		t.Errorf("the other ring has %+v, but it was to be skipped", c)
	}
	want(t, give(1, DirectAlloc, 0), syscall.ENFILE)
	want(t, do(t, r, func(e *SQE) { e.PrepMsgRingFD(r.FD(), 1, 0, 77, 0) }), syscall.EINVAL)
}

func testMsgRing(t *testing.T, r *Ring) {
	other := ringOf(t, 2)
	want(t, do(t, r, func(e *SQE) { e.PrepMsgRing(other.FD(), -5, 77) }), 0)
	if _, err := other.Wait(1, waitMax); err != nil {
		t.Fatal(err)
	}
	if c, ok := other.CQE(); !ok || c != (CQE{UserData: 77, Res: -5}) {
		t.Errorf("want 77 and -5, got %+v, %v", c, ok)
	}
	want(t, do(t, r, func(e *SQE) { e.PrepMsgRing(eventfd(t), 0, 0) }), syscall.EBADFD)
}

func testMsgRingFlags(t *testing.T, r *Ring) {
	other := ringOf(t, 2)
	c := do(t, r, func(e *SQE) { e.PrepMsgRingFlags(other.FD(), 5, 77, CQESockNonempty) })
	want(t, needFlag(t, c, "MSG_RING_FLAGS_PASS", "6.3"), 0)
	if _, err := other.Wait(1, waitMax); err != nil {
		t.Fatal(err)
	}
	if c, ok := other.CQE(); !ok || c != (CQE{UserData: 77, Res: 5, Flags: CQESockNonempty}) {
		t.Errorf("want 77, 5 and flags, got %+v, %v", c, ok)
	}
}

func testNop(t *testing.T, r *Ring) {
	for range 5 * r.CQEntries() {
		want(t, do(t, r, (*SQE).PrepNop), 0)
	}
}

func testNopFlags(t *testing.T, r *Ring) {
	nop := func(flags uint32, fill func(e *SQE)) CQE {
		return do(t, r, func(e *SQE) {
			e.PrepNopFlags(flags)
			fill(e)
		})
	}
	c := nop(NopInject, func(e *SQE) { e.Len = 77 })
	want(t, needFlag(t, c, "NOP_INJECT_RESULT", "6.10"), 77)
	want(t, nop(NopInject, func(e *SQE) { e.Len = ^uint32(0) - 4 }), -5)
	want(t, nop(1<<31, func(*SQE) {}), syscall.EINVAL)

	_, fd := openNew(t)
	c = nop(NopFile, func(e *SQE) { e.FD = int32(fd) })
	want(t, needFlag(t, c, "NOP_FILE", "6.13"), 0)
	want(t, nop(NopFile, func(e *SQE) { e.FD = 9999 }), syscall.EBADF)
	if err := r.RegisterFiles([]int{-1, fd}); err != nil {
		t.Fatal(err)
	}
	want(t, nop(NopFile|NopFixedFile, func(e *SQE) { e.FD = 1 }), 0)
	want(t, nop(NopFile|NopFixedFile, func(e *SQE) { e.FD = 0 }), syscall.EBADF)
	fixed(t, r)
	want(t, nop(NopFixedBuffer, func(e *SQE) { e.BufIndex = 1 }), 0)
	want(t, nop(NopFixedBuffer, func(e *SQE) { e.BufIndex = 2 }), syscall.EFAULT)
	want(t, needFlag(t, nop(NopTaskWork|NopInject, func(e *SQE) { e.Len = 3 }), "NOP_TW", "6.16"), 3)
}

func testNop128(t *testing.T, r *Ring) {
	needOp(t, OpNop128, "6.19")
	want(t, do(t, r, (*SQE).PrepNop128), syscall.EINVAL) // no such entries on this ring
}

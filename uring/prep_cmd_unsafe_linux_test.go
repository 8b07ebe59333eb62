//go:build linux

package uring

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func init() {
	prepTests = append(prepTests,
		prepTest{"PrepUringCmd", nil, testUringCmd},
		prepTest{"Command", nil, testUringCmd},
		prepTest{"PrepUringCmd128", nil, testUringCmd128},
		prepTest{"PrepSockUnread", nil, testSockQueues},
		prepTest{"PrepSockUnsent", nil, testSockQueues},
		prepTest{"PrepGetsockopt", nil, testSockopt},
		prepTest{"PrepSetsockopt", nil, testSockopt},
		prepTest{"PrepTxTimestamp", nil, testTxTimestamp},
		prepTest{"PrepGetsockname", nil, testGetsockname},
		prepTest{"PrepDiscard", nil, testDiscard},
		prepTest{"PrepZoneResetAll", nil, testZoneResetAll},
	)
}

// needSockCmd skips the test if sockets have no commands.
func needSockCmd(t *testing.T, r *Ring) {
	t.Helper()
	needOp(t, OpUringCmd, "5.19")
	a, _ := stream(t)
	if c := do(t, r, func(e *SQE) { e.PrepSockUnread(a) }); c.Res == -int32(syscall.EOPNOTSUPP) && !newerThan("6.7") {
		t.Skip(&FeatureError{"URING_CMD of sockets", "6.7"})
	}
}

// testUringCmd: a command reaches what has commands, here a socket whose option is set by hand, and nothing else.
func testUringCmd(t *testing.T, r *Ring) {
	needSockCmd(t, r)
	a, _ := socketpair(t, unix.SOCK_STREAM)
	val := new(int32)
	*val = 1
	byHand := func(cmd uint32) CQE {
		return do(t, r, func(e *SQE) {
			e.PrepUringCmd(a, cmd)
			e.Addr = word(unix.SOL_SOCKET, unix.SO_OOBINLINE)
			e.FileIndex = 4
			binary.NativeEndian.PutUint64(e.Command()[:8], ptr(unsafe.Pointer(val)))
		})
	}
	want(t, byHand(3), 0)
	if got, err := unix.GetsockoptInt(a, unix.SOL_SOCKET, unix.SO_OOBINLINE); got != 1 || err != nil {
		t.Errorf("the option is %d, %v", got, err)
	}
	want(t, byHand(999), syscall.EOPNOTSUPP)
	want(t, do(t, r, func(e *SQE) { e.PrepUringCmd(eventfd(t), 0) }), syscall.EOPNOTSUPP)
}

func testUringCmd128(t *testing.T, r *Ring) {
	needOp(t, OpUringCmd128, "6.19")
	a, _ := socketpair(t, unix.SOCK_STREAM)
	want(t, do(t, r, func(e *SQE) { e.PrepUringCmd128(a, 0) }), syscall.EINVAL) // no such entries on this ring
}

func testSockQueues(t *testing.T, r *Ring) {
	needSockCmd(t, r)
	a, b := stream(t)
	want(t, do(t, r, func(e *SQE) { e.PrepSockUnread(a) }), 0)
	write(t, b, "hello")
	p := make([]byte, 8)
	want(t, do(t, r, func(e *SQE) { e.PrepRecv(a, p, unix.MSG_PEEK) }), 5) // so that it has arrived
	want(t, do(t, r, func(e *SQE) { e.PrepSockUnread(a) }), 5)
	want(t, do(t, r, func(e *SQE) { e.PrepSockUnsent(a) }), 0)
	full := make([]byte, 1<<16)
	for err := error(nil); err == nil; { // until neither end takes more
		_, err = unix.SendmsgN(a, full, nil, nil, unix.MSG_DONTWAIT)
	}
	if c := do(t, r, func(e *SQE) { e.PrepSockUnsent(a) }); c.Res <= 0 {
		t.Errorf("unsent: %s, want bytes", result(c.Res))
	}
	ln, _ := listener(t)
	want(t, do(t, r, func(e *SQE) { e.PrepSockUnread(ln) }), syscall.EINVAL)
}

func testSockopt(t *testing.T, r *Ring) {
	needSockCmd(t, r)
	a, _ := stream(t)
	val := make([]byte, 4)
	set := func(level, name, n uint32) CQE {
		binary.NativeEndian.PutUint32(val, n)
		return do(t, r, func(e *SQE) { e.PrepSetsockopt(a, level, name, val) })
	}
	want(t, set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1), 0)
	want(t, set(unix.IPPROTO_TCP, unix.TCP_NODELAY, 0), 0)
	clear(val)
	want(t, do(t, r, func(e *SQE) { e.PrepGetsockopt(a, unix.SOL_SOCKET, unix.SO_KEEPALIVE, val) }), 4)
	if got := binary.NativeEndian.Uint32(val); got != 1 {
		t.Errorf("SO_KEEPALIVE is %d", got)
	}
	if got, err := unix.GetsockoptInt(a, unix.IPPROTO_TCP, unix.TCP_NODELAY); got != 0 || err != nil {
		t.Errorf("TCP_NODELAY is %d, %v", got, err)
	}
	want(t, do(t, r, func(e *SQE) { e.PrepGetsockopt(a, unix.IPPROTO_TCP, unix.TCP_NODELAY, val) }), syscall.EOPNOTSUPP)
	want(t, set(unix.SOL_SOCKET, 9999, 1), syscall.ENOPROTOOPT)
}

// testTxTimestamp: a ring whose CQEs have 16 bytes has no place for the time.
func testTxTimestamp(t *testing.T, r *Ring) {
	needSockCmd(t, r)
	a, _ := stream(t)
	c := do(t, r, func(e *SQE) { e.PrepTxTimestamp(a) })
	if c.Res == -int32(syscall.EOPNOTSUPP) && !newerThan("6.17") {
		t.Skip(&FeatureError{"SOCKET_URING_OP_TX_TIMESTAMP", "6.17"})
	}
	want(t, c, syscall.EINVAL)
}

func testGetsockname(t *testing.T, r *Ring) {
	needSockCmd(t, r)
	a, b := stream(t)
	addr, size := new(syscall.RawSockaddrInet4), new(uint32)
	for fd, peer := range map[int]bool{a: false, b: true} {
		*size = uint32(unsafe.Sizeof(*addr))
		c := do(t, r, func(e *SQE) { e.PrepGetsockname(fd, unsafe.Pointer(addr), size, peer) })
		if c.Res == -int32(syscall.EOPNOTSUPP) && !newerThan("6.19") {
			t.Skip(&FeatureError{"SOCKET_URING_OP_GETSOCKNAME", "6.19"})
		}
		want(t, c, 0)
		port := (*[2]byte)(unsafe.Pointer(&addr.Port))
		if got := uint16(port[0])<<8 | uint16(port[1]); got != sockname(t, a).AddrPort().Port() || *size != 16 {
			t.Errorf("the port is %d, %d bytes; want that of %v", got, *size, sockname(t, a).AddrPort())
		}
	}
}

// loopDevice is a block device whose bytes are in a file.
func loopDevice(t *testing.T, size int) int {
	t.Helper()
	control, err := unix.Open("/dev/loop-control", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip("no loop devices:", err)
	}
	defer unix.Close(control)
	file, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Truncate(int64(size)); err != nil {
		t.Fatal(err)
	}
	for range 8 { // others look for a free one, too
		n, err := unix.IoctlRetInt(control, unix.LOOP_CTL_GET_FREE)
		if err != nil {
			t.Skip("no loop device:", err)
		}
		dev, err := unix.Open(fmt.Sprint("/dev/loop", n), unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Skip("no loop device:", err)
		}
		if unix.IoctlSetInt(dev, unix.LOOP_SET_FD, int(file.Fd())) == nil {
			t.Cleanup(func() {
				unix.IoctlSetInt(dev, unix.LOOP_CLR_FD, 0)
				unix.Close(dev)
			})
			return dev
		}
		unix.Close(dev)
	}
	t.Skip("no free loop device")
	return -1
}

func testDiscard(t *testing.T, r *Ring) {
	needOp(t, OpUringCmd, "5.19")
	dev := loopDevice(t, 1<<20)
	full := make([]byte, 8192)
	for i := range full {
		full[i] = 0xff
	}
	if _, err := unix.Pwrite(dev, full, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fsync(dev); err != nil {
		t.Fatal(err)
	}
	c := do(t, r, func(e *SQE) { e.PrepDiscard(dev, 4096, 4096) })
	if c.Res == -int32(syscall.EOPNOTSUPP) && !newerThan("6.12") {
		t.Skip(&FeatureError{"BLOCK_URING_CMD_DISCARD", "6.12"})
	}
	want(t, c, 0)
	p := make([]byte, 8192)
	if n, err := unix.Pread(dev, p, 0); n != len(p) || err != nil {
		t.Fatal(n, err)
	}
	if got := []byte{p[0], p[4095], p[4096], p[8191]}; string(got) != "\xff\xff\x00\x00" {
		t.Errorf("the ends of both pages are %x, want ff, ff, 0, 0", got)
	}
	want(t, do(t, r, func(e *SQE) { e.PrepDiscard(dev, 1, 4096) }), syscall.EINVAL)
	want(t, do(t, r, func(e *SQE) { e.PrepDiscard(dev, 1<<30, 4096) }), syscall.EINVAL)
	_, fd := openNew(t)
	want(t, do(t, r, func(e *SQE) { e.PrepDiscard(fd, 0, 4096) }), syscall.EOPNOTSUPP)
}

// testZoneResetAll: a block device without zones refuses the command, as a kernel that does not know it.
func testZoneResetAll(t *testing.T, r *Ring) {
	needOp(t, OpUringCmd, "5.19")
	dev := loopDevice(t, 1<<20)
	c := do(t, r, func(e *SQE) { e.PrepZoneResetAll(dev) })
	if c.Res >= 0 {
		t.Fatalf("the zones of a device that has none were reset: %d", c.Res)
	}
	t.Skipf("no zoned block device: %s", result(c.Res))
}

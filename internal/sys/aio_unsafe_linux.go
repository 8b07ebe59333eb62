//go:build linux && !portable

package sys

import (
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringo/internal/abi"
)

// AIO names a context of Linux native AIO: a number of requests that may be in
// flight at once, and the queue of their completions. The zero AIO is none.
type AIO uintptr

// Iocb is struct iocb of linux/aio_abi.h: one request. The kernel copies it when it is submitted, and identifies the
// request by its address until the completion.
type Iocb struct {
	data     uint64
	keyFlags [2]uint32 // aio_key, which the kernel writes, and aio_rw_flags
	opcode   uint16
	prio     int16
	fd       uint32
	buf      uint64
	size     uint64
	off      int64
	_        uint64
	flags    uint32
	eventFD  uint32
}

// AIOEvent is struct io_event of linux/aio_abi.h: one completion.
type AIOEvent struct {
	Data uint64
	obj  uint64
	res  int64
	res2 int64
}

// Res returns the result of the request: a value or a negated errno.
func (e *AIOEvent) Res() int32 { return int32(e.res) }

// NewAIOEvent makes an event, for code that plays the kernel.
func NewAIOEvent(data uint64, res int32) AIOEvent { return AIOEvent{Data: data, res: int64(res)} }

const (
	iocbPread   = 0
	iocbPwrite  = 1
	iocbFsync   = 2 // since Linux 4.18
	iocbFdsync  = 3 // since Linux 4.18
	iocbPreadv  = 7
	iocbPwritev = 8
	iocbResFD   = 1
)

// PrepRead makes b a read of p at off, PrepWrite a write. The event carries data, and eventFD is signalled. The caller
// keeps p and b reachable until then.
//
// RWF_NOWAIT (Linux 4.13) makes the kernel end the request with -EAGAIN if its submission would have to wait: for
// blocks to be allocated, for a lock, or for room in the device's queue. A file system that does not support the flag
// answers -EOPNOTSUPP.
func (b *Iocb) PrepRead(fd int32, p []byte, off int64, data uint64, eventFD int32) {
	b.prep(iocbPread, fd, base(p), int(clampLen(p)), off, data, eventFD)
}

// PrepWrite is described at PrepRead.
func (b *Iocb) PrepWrite(fd int32, p []byte, off int64, data uint64, eventFD int32) {
	b.prep(iocbPwrite, fd, base(p), int(clampLen(p)), off, data, eventFD)
}

// PrepReadv and PrepWritev are PrepRead and PrepWrite for several slices. The kernel copies v when b is submitted, but
// not the slices.
func (b *Iocb) PrepReadv(fd int32, v []Iovec, off int64, data uint64, eventFD int32) {
	b.prep(iocbPreadv, fd, unsafe.Pointer(unsafe.SliceData(v)), len(v), off, data, eventFD)
}

// PrepWritev is described at PrepReadv.
func (b *Iocb) PrepWritev(fd int32, v []Iovec, off int64, data uint64, eventFD int32) {
	b.prep(iocbPwritev, fd, unsafe.Pointer(unsafe.SliceData(v)), len(v), off, data, eventFD)
}

// PrepSync makes b an fsync, or an fdatasync, which a thread of the kernel does; before Linux 4.18 the kernel refuses
// it with -EINVAL.
func (b *Iocb) PrepSync(fd int32, dataOnly bool, data uint64, eventFD int32) {
	*b = Iocb{data: data, opcode: iocbFsync, fd: uint32(fd), flags: iocbResFD, eventFD: uint32(eventFD)}
	if dataOnly {
		b.opcode = iocbFdsync
	}
}

// Data returns the value that the event will carry.
func (b *Iocb) Data() uint64 { return b.data }

func (b *Iocb) prep(opcode uint16, fd int32, at unsafe.Pointer, n int, off int64, data uint64, eventFD int32) {
	*b = Iocb{data: data, opcode: opcode, fd: uint32(fd), off: off, flags: iocbResFD, eventFD: uint32(eventFD),
		buf: uint64(uintptr(at)), size: uint64(n)}
	i := 1
	if abi.BigEndian {
		i = 0
	}
	b.keyFlags[i] = unix.RWF_NOWAIT
}

// AIOSetup is io_setup(2): a context for at least so many requests, counted against fs.aio-max-nr; -EAGAIN beyond
// that. Children don't inherit it.
func AIOSetup(requests uint32, ctx *AIO) int32 {
	return result(syscall.Syscall(unix.SYS_IO_SETUP, uintptr(requests), uintptr(unsafe.Pointer(ctx)), 0))
}

// AIOSubmit is io_submit(2). It returns how many requests the kernel took, from the first on, or if it took none the
// error of the first. With an empty list it returns 0 if the call is allowed. RWF_NOWAIT keeps the call from waiting
// for a disk, but it still does the whole preparation, so the scheduler is told.
func AIOSubmit(ctx AIO, list []*Iocb) int32 {
	return result(syscall.Syscall(unix.SYS_IO_SUBMIT, uintptr(ctx), uintptr(len(list)),
		uintptr(unsafe.Pointer(unsafe.SliceData(list)))))
}

// aioRing is the head of the memory at whose address a context's queue of events lies: struct aio_ring of the kernel's
// fs/aio.c. The value of an AIO is that address.
type aioRing struct {
	_, _, head, tail, magic uint32 // id and nr first
}

const aioMagic = 0xa10a10a1

// AIOPending reports whether AIOEvents may find an event. It looks at the queue's memory and makes no call; if the
// memory has an unknown layout, it returns true. If a caller has seen a signal, it also sees the completions before
// that.
func AIOPending(ctx AIO) bool {
	r := *(**aioRing)(unsafe.Pointer(&ctx))
	return r.magic != aioMagic || atomic.LoadUint32(&r.head) != atomic.LoadUint32(&r.tail)
}

// AIOEvents is io_getevents(2) without waiting. It returns how many events it took.
func AIOEvents(ctx AIO, events []AIOEvent) int32 {
	var now unix.Timespec
	if len(events) == 0 {
		return 0
	}
	for {
		res := result(syscall.RawSyscall6(unix.SYS_IO_GETEVENTS, uintptr(ctx), 0, uintptr(len(events)),
			uintptr(unsafe.Pointer(&events[0])), uintptr(unsafe.Pointer(&now)), 0))
		if res != eintr {
			return res
		}
	}
}

// AIOWait is io_getevents(2) that waits for at least one event, or the timeout. It returns how many events it took,
// and may return early, with 0.
func AIOWait(ctx AIO, events []AIOEvent, timeoutNS int64) int32 {
	ts := unix.NsecToTimespec(timeoutNS)
	res := result(syscall.Syscall6(unix.SYS_IO_GETEVENTS, uintptr(ctx), 1, uintptr(len(events)),
		uintptr(unsafe.Pointer(&events[0])), uintptr(unsafe.Pointer(&ts)), 0))
	if res == eintr {
		return 0
	}
	return res
}

// AIOCancel is io_cancel(2). -EINPROGRESS means success: the event comes later. Reads and writes of files can't be
// cancelled, for which it returns -EINVAL.
func AIOCancel(ctx AIO, b *Iocb) int32 {
	var event AIOEvent // before Linux 3.10 the event went here
	return result(syscall.Syscall(unix.SYS_IO_CANCEL, uintptr(ctx), uintptr(unsafe.Pointer(b)),
		uintptr(unsafe.Pointer(&event))))
}

// AIODestroy is io_destroy(2). It waits for every request in flight, however long that takes, so there should be none.
func AIODestroy(ctx AIO) int32 {
	return result(syscall.Syscall(unix.SYS_IO_DESTROY, uintptr(ctx), 0, 0))
}

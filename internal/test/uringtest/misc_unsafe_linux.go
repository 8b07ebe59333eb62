//go:build linux

package uringtest

import (
	"math"

	"golang.org/x/sys/unix"

	"ringo/internal/abi"
)

func (k *Kernel) nop(r *Request) bool { return k.once(r, 0) }

// position is the offset that stands for the file's own position.
const position = math.MaxUint64

func (k *Kernel) read(r *Request) bool {
	k.check(r)
	if k.wouldBlock(r) {
		return false
	}
	n := r.SQE.Len
	if short := k.choose(Short, int(min(n, 64)), r); short > 0 {
		n = uint32(short)
	}
	if r.SQE.Off == position {
		return k.once(r, call(unix.SYS_READ, uintptr(r.SQE.Fd), uintptr(r.SQE.Addr), uintptr(n), 0, 0, 0))
	}
	low, high := halves(r.SQE.Off)
	return k.once(r, call(unix.SYS_PREAD64, uintptr(r.SQE.Fd), uintptr(r.SQE.Addr), uintptr(n), low, high, 0))
}

func (k *Kernel) write(r *Request) bool {
	k.check(r)
	if k.wouldBlock(r) {
		return false
	}
	n := r.SQE.Len
	if r.SQE.Off == position {
		if mode, err := unix.FcntlInt(uintptr(r.SQE.Fd), unix.F_GETFL, 0); err == nil && mode&unix.O_NONBLOCK == 0 &&
			k.pipes(r.SQE.Fd) {
			n = min(n, pipeBuf)
		}
		return k.once(r, call(unix.SYS_WRITE, uintptr(r.SQE.Fd), uintptr(r.SQE.Addr), uintptr(n), 0, 0, 0))
	}
	if short := k.choose(Short, int(min(n, 64)), r); short > 0 {
		n = uint32(short)
	}
	low, high := halves(r.SQE.Off)
	return k.once(r, call(unix.SYS_PWRITE64, uintptr(r.SQE.Fd), uintptr(r.SQE.Addr), uintptr(n), low, high, 0))
}

// pipeBuf is how much a writable pipe surely has room for: PIPE_BUF. A longer write in blocking mode ends with a short
// count, like that of a worker that is told to end.
const pipeBuf = 4096

// pipes reports whether a descriptor is a pipe or FIFO.
func (*Kernel) pipes(fd int32) bool {
	var st unix.Stat_t
	return unix.Fstat(int(fd), &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO
}

// halves returns an offset as 32-bit x86 passes it; elsewhere low is all of it.
func halves(off uint64) (low, high uintptr) {
	if math.MaxInt == math.MaxInt32 {
		return uintptr(uint32(off)), uintptr(off >> 32)
	}
	return uintptr(off), 0
}

// close closes a descriptor. It is a fault if another request names that descriptor.
func (k *Kernel) close(r *Request) bool {
	k.Live(func(other *Request) {
		if other != r && other.def != nil && other.def.fd && other.SQE.Fd == r.SQE.Fd {
			k.failf("a close of fd %d while there is %v", r.SQE.Fd, other)
		}
	})
	res := call(unix.SYS_CLOSE, uintptr(r.SQE.Fd), 0, 0, 0, 0, 0)
	if res == 0 && k.choose(NotReady, 3, r) == 2 {
		res = -int32(unix.EINTR) // it is closed all the same
	}
	return k.once(r, res)
}

func pollEvents(r *Request) uint32 {
	if abi.BigEndian {
		return r.SQE.Rw_flags<<16 | r.SQE.Rw_flags>>16
	}
	return r.SQE.Rw_flags
}

// poll reports which of the requested events are ready, and which of those that are always reported.
func (k *Kernel) poll(r *Request) bool {
	mask := k.mask(r) & (r.events | always)
	switch {
	case mask == 0:
		return false
	case mask&unix.POLLNVAL != 0:
		k.complete(r, -int32(unix.EBADF), 0)
		return true
	case r.multishot():
		return !k.more(r, int32(mask), 0)
	}
	k.complete(r, int32(mask), 0)
	return true
}

// timeout begins to wait for a time.
func (k *Kernel) timeout(r *Request) bool {
	k.check(r)
	r.deadline = after(k.now(), *(*abi.Kernel_timespec)(pointer(r.SQE.Addr)))
	return false
}

// expire ends the timeouts whose time has come, and makes the notifications that are due.
func (k *Kernel) expire() {
	now := k.now()
	for i := 0; i < len(k.live); {
		r := k.live[i]
		switch { // complete takes it off the list
		case r.owes && r.deadline <= now:
			k.complete(r, 0, abi.IORING_CQE_F_NOTIF)
		case r.SQE.Opcode == abi.IORING_OP_TIMEOUT && r.deadline <= now:
			k.complete(r, -int32(unix.ETIME), 0)
		default:
			i++
		}
	}
}

// nextTimer returns when the next timeout expires or the next notification is due.
func (k *Kernel) nextTimer() int64 {
	next := int64(forever)
	for _, r := range k.live {
		if r.owes || r.SQE.Opcode == abi.IORING_OP_TIMEOUT {
			next = min(next, r.deadline)
		}
	}
	return next
}

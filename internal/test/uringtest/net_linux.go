//go:build linux

package uringtest

import (
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/abi"
)

const again = -int32(unix.EAGAIN)

// fairness is how many results a multishot request may produce before other requests get their turn.
const fairness = 32

// once ends a request with a result, unless the result says that the request has to wait.
func (k *Kernel) once(r *Request, res int32) bool {
	if res == again && r.SQE.Rw_flags&unix.MSG_DONTWAIT == 0 {
		return false
	}
	k.complete(r, res, 0)
	return true
}

func (k *Kernel) accept(r *Request) bool {
	k.check(r)
	for range fairness {
		if k.wouldBlock(r) {
			return false
		}
		res := call(unix.SYS_ACCEPT4, uintptr(r.SQE.Fd), uintptr(r.SQE.Addr), uintptr(r.SQE.Off),
			uintptr(r.SQE.Rw_flags), 0, 0)
		switch {
		case res == again:
			return false
		case res < 0 || !r.multishot():
			k.complete(r, res, 0)
			return true
		case !k.more(r, res, 0):
			return true
		}
	}
	k.requeue(r)
	return false
}

// wouldBlock reports whether a plain call that has no flag against it would wait.
func (k *Kernel) wouldBlock(r *Request) bool {
	mode, err := unix.FcntlInt(uintptr(r.SQE.Fd), unix.F_GETFL, 0)
	return err == nil && mode&unix.O_NONBLOCK == 0 && k.mask(r) == 0
}

// requeue queues a request again, behind the work of others. The request also waits for its descriptor.
func (k *Kernel) requeue(r *Request) {
	k.arm(r)
	k.queue(r)
}

func (k *Kernel) connect(r *Request) bool {
	k.check(r)
	if !r.started {
		res := call(unix.SYS_CONNECT, uintptr(r.SQE.Fd), uintptr(r.SQE.Addr), uintptr(r.SQE.Off), 0, 0, 0)
		if res == -int32(unix.EINPROGRESS) {
			r.started = true
			return false
		}
		k.complete(r, res, 0)
		return true
	}
	if k.mask(r)&(unix.POLLOUT|unix.POLLERR|unix.POLLHUP) == 0 {
		return false
	}
	value, err := unix.GetsockoptInt(int(r.SQE.Fd), unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		value = int(err.(unix.Errno))
	}
	k.complete(r, -int32(value), 0)
	return true
}

func (k *Kernel) recv(r *Request) bool {
	for range fairness {
		at, n, flags := r.SQE.Addr+uint64(r.done), r.SQE.Len-r.done, uint32(0)
		if r.selects() {
			b, ok := k.pick(r)
			if !ok {
				return true
			}
			if at, flags = b.Addr, abi.IORING_CQE_F_BUFFER|uint32(b.Bid)<<abi.IORING_CQE_BUFFER_SHIFT; n == 0 ||
				n > b.Len {
				n = b.Len
			}
		}
		if n > 1 {
			if short := k.choose(Short, int(min(n, 64)), r); short > 0 {
				n = uint32(short)
			}
		}
		k.check(r)
		res := call(unix.SYS_RECVFROM, uintptr(r.SQE.Fd), uintptr(at), uintptr(n),
			uintptr(r.SQE.Rw_flags|unix.MSG_DONTWAIT)&^unix.MSG_WAITALL, 0, 0)
		switch {
		case res == again && r.SQE.Rw_flags&unix.MSG_DONTWAIT == 0:
			return false
		case res > 0 && r.selects():
			k.groups[r.SQE.Buf_index].take()
			if !r.multishot() {
				k.complete(r, res, flags)
				return true
			}
			nonempty := k.mask(r) != 0
			if nonempty {
				flags |= abi.IORING_CQE_F_SOCK_NONEMPTY
			}
			if r.brought += uint32(res); r.SQE.Splice_fd_in != 0 && r.brought >= uint32(r.SQE.Splice_fd_in) {
				k.complete(r, res, flags)
				return true
			}
			if !k.more(r, res, flags) {
				return true
			}
			if !nonempty {
				return false
			}
		case k.partly(r, res):
		default:
			return true
		}
	}
	k.requeue(r)
	return false
}

// partly adds to what an op has moved, and reports whether it should go on because it has to move everything. If not,
// it ends the op.
func (k *Kernel) partly(r *Request, res int32) bool {
	if r.SQE.Rw_flags&unix.MSG_WAITALL != 0 && res > 0 {
		if r.done += uint32(res); r.done < r.SQE.Len {
			return true
		}
	}
	if r.done > 0 {
		res = int32(r.done)
	}
	k.complete(r, res, 0)
	return false
}

func (k *Kernel) send(r *Request) bool {
	n := r.SQE.Len
	if r.impatient() && n > 1 {
		if short := k.choose(SendShort, int(min(n, 64)), r); short > 0 {
			n = uint32(short)
		}
	}
	for {
		k.check(r)
		res := call(unix.SYS_SENDTO, uintptr(r.SQE.Fd), uintptr(r.SQE.Addr+uint64(r.done)), uintptr(n-r.done),
			uintptr(r.SQE.Rw_flags|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)&^unix.MSG_WAITALL, 0, 0)
		if res == again && r.SQE.Rw_flags&unix.MSG_DONTWAIT == 0 {
			return false
		}
		if n < r.SQE.Len && res >= 0 && r.done+uint32(res) == n {
			k.complete(r, int32(n), 0)
			return true
		}
		if !k.partly(r, res) {
			return true
		}
	}
}

// notifyLater is how long after its CQE a notification may come.
const notifyLater = 20 * time.Millisecond

// sendZC sends, and keeps the memory as a real kernel may do; the script decides whether, and for how long.
func (k *Kernel) sendZC(r *Request) bool {
	k.check(r)
	how, res := k.choose(Notify, 4, r), -int32(unix.ENOMEM)
	if how != 3 {
		res = call(unix.SYS_SENDTO, uintptr(r.SQE.Fd), uintptr(r.SQE.Addr), uintptr(r.SQE.Len),
			uintptr(r.SQE.Rw_flags|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL), 0, 0)
	}
	switch {
	case res == again && r.SQE.Rw_flags&unix.MSG_DONTWAIT == 0:
		return false
	case how == 1:
		k.complete(r, res, 0)
		return true
	}
	k.leave(r)
	k.hold(r, res, abi.IORING_CQE_F_MORE, false)
	if how == 2 {
		r.owes, r.deadline = true, k.now()+int64(notifyLater)
		return true
	}
	k.complete(r, 0, abi.IORING_CQE_F_NOTIF)
	return true
}

func (k *Kernel) sendmsg(r *Request) bool {
	k.check(r)
	return k.once(r, call(unix.SYS_SENDMSG, uintptr(r.SQE.Fd), uintptr(r.SQE.Addr),
		uintptr(r.SQE.Rw_flags|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL), 0, 0, 0))
}

func (k *Kernel) shutdown(r *Request) bool {
	return k.once(r, call(unix.SYS_SHUTDOWN, uintptr(r.SQE.Fd), uintptr(r.SQE.Len), 0, 0, 0, 0))
}

func (k *Kernel) socket(r *Request) bool {
	return k.once(r, call(unix.SYS_SOCKET, uintptr(r.SQE.Fd), uintptr(r.SQE.Off), uintptr(r.SQE.Len), 0, 0, 0))
}

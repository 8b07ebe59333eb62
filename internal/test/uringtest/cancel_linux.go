//go:build linux

package uringtest

import (
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"ringo/internal/abi"
)

// cancel ends the request whose user data is in Addr, if there is one and the script does not decide otherwise. The
// CQEs of the two requests may come in any order.
func (k *Kernel) cancel(r *Request) bool {
	target := k.find(r)
	if target == nil {
		return k.once(r, -int32(unix.ENOENT))
	}
	if target.worker {
		return k.once(r, -int32(unix.EALREADY))
	}
	choices := 5
	if target.def.wants == nil && !target.def.slow { // a timeout: only time can end it
		choices = 1
	}
	switch k.choose(AnswerCancel, choices, target) {
	case 1:
		// The kernel is trying the op at this moment, and finds that it has to wait again:
		// https://github.com/axboe/liburing/issues/1375. This can't happen every time.
		if target.misses++; target.misses <= 3 {
			k.queue(target)
			return k.once(r, -int32(unix.ENOENT))
		}
	case 2:
		// A worker runs the op and is signalled: the op ends with its result or because of the signal.
		target.worker = true
		k.queue(target)
		return k.once(r, -int32(unix.EALREADY))
	case 4:
		// A worker runs the op and is signalled, but has just found that the op has to wait for readiness: it hands the
		// op over, and the signal is forgotten.
		if target.misses++; target.misses <= 3 && target.def.wants != nil {
			return k.once(r, -int32(unix.EALREADY))
		}
	case 3:
		if target.def.run(k, target) {
			return k.once(r, -int32(unix.ENOENT))
		}
	}
	k.once(r, 0)
	k.complete(target, cancelled(target), 0)
	return true
}

// cancelAll ends what waits for readiness or for time. Ops that a thread of the kernel runs go on: success of the call
// says nothing about them. The CQEs are there at once, even where Linux would wait for an enter.
func (k *Kernel) cancelAll(reg *abi.Io_uring_sync_cancel_reg) syscall.Errno {
	if reg.Flags != abi.IORING_ASYNC_CANCEL_ANY|abi.IORING_ASYNC_CANCEL_ALL {
		return syscall.EINVAL
	}
	for _, r := range slices.Clone(k.live) {
		if !r.worker && !r.def.slow && !r.owes {
			k.complete(r, cancelled(r), 0)
		}
	}
	k.post(false)
	k.show()
	return 0
}

// find returns the request that a cancel is for, or nil.
func (k *Kernel) find(r *Request) *Request {
	if k.byData[r.SQE.Addr] == 0 {
		return nil
	}
	for _, t := range k.live {
		switch {
		case t == r || t.owes || t.SQE.User_data != r.SQE.Addr:
		case r.SQE.Opcode == abi.IORING_OP_TIMEOUT_REMOVE && t.SQE.Opcode != abi.IORING_OP_TIMEOUT:
		case r.SQE.Opcode == abi.IORING_OP_POLL_REMOVE && t.SQE.Opcode != abi.IORING_OP_POLL_ADD:
		default:
			return t
		}
	}
	return nil
}

// cancelled returns the result of a cancelled request: how much it has moved, or ECANCELED if that is nothing.
func cancelled(r *Request) int32 {
	if r.done > 0 {
		return int32(r.done)
	}
	return -int32(unix.ECANCELED)
}

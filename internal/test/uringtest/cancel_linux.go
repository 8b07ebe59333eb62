//go:build linux

package uringtest

import (
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"ringo/internal/abi"
)

// cancel ends the request whose user data is in Addr, if there is one and the
// script does not have it otherwise. The two last CQEs come in any order.
func (k *Kernel) cancel(r *Request) bool {
	target := k.find(r)
	if target == nil {
		return k.once(r, -int32(unix.ENOENT))
	}
	if target.worker {
		return k.once(r, -int32(unix.EALREADY))
	}
	choices := 5
	if target.def.wants == nil && !target.def.slow { // a timeout, which nothing but time can end
		choices = 1
	}
	switch k.choose(AnswerCancel, choices, target) {
	case 1:
		// The kernel is at work on it, and finds out that it has to wait again:
		// https://github.com/axboe/liburing/issues/1375. That it is so each time
		// is not to be believed.
		if target.misses++; target.misses <= 3 {
			k.queue(target)
			return k.once(r, -int32(unix.ENOENT))
		}
	case 2:
		// A worker has it, and is told: it ends with what it gets or with the
		// signal.
		target.worker = true
		k.queue(target)
		return k.once(r, -int32(unix.EALREADY))
	case 4:
		// A worker has it, is told, and has just found out that the op has to wait for
		// readiness: it lets go of it, and nobody remembers.
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

// cancelAll ends what waits for readiness or for time. What a thread of the kernel's is at goes on: that the call has
// succeeded says nothing of it. The CQEs are there at once, also where Linux would wait for an enter.
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

// find is the request that a cancel is for.
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

// cancelled is what a cancelled request ends with: what it has moved, if that is
// anything.
func cancelled(r *Request) int32 {
	if r.done > 0 {
		return int32(r.done)
	}
	return -int32(unix.ECANCELED)
}

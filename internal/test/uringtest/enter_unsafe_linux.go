//go:build linux

package uringtest

import (
	"math"
	"syscall"
	"unsafe"

	"ringo/internal/abi"
)

const enterFlags = abi.IORING_ENTER_GETEVENTS | abi.IORING_ENTER_EXT_ARG |
	abi.IORING_ENTER_REGISTERED_RING | abi.IORING_ENTER_NO_IOWAIT

// forever is a time that never comes.
const forever = math.MaxInt64

// Enter takes entries, makes completions, and waits for them. As in Linux, a call that did not take all entries that it
// was told to neither waits nor looks for events, and a call that took any reports no error.
func (k *Kernel) Enter(fd int, submit, wait, flags uint32, arg *abi.Io_uring_getevents_arg) syscall.Errno {
	if errno := k.checkCall(fd, flags); errno != 0 {
		return errno
	}
	k.checkRings(submit)
	if k.fault != "" {
		return syscall.EBADF
	}
	defer k.show()
	if errno := k.refuse(); errno != 0 {
		return errno
	}
	before := k.rings.sqHead
	for n := submit - uint32(k.choose(TakeLess, int(submit)+1, nil)); n > 0; n-- {
		if !k.take() && k.flags&abi.IORING_SETUP_SUBMIT_ALL == 0 {
			break // Linux stops after an entry that was refused
		}
	}
	taken := k.rings.sqHead - before
	if flags&abi.IORING_ENTER_GETEVENTS == 0 || taken < submit {
		k.post(true)
		return 0
	}
	k.round()
	if wait == 0 {
		return 0
	}
	limit := int64(forever)
	if flags&abi.IORING_ENTER_EXT_ARG != 0 {
		if arg == nil {
			k.failf("an enter with EXT_ARG and no argument")
			return syscall.EFAULT
		}
		if arg.Ts != 0 {
			limit = after(k.now(), *(*abi.Kernel_timespec)(pointer(arg.Ts)))
		}
	}
	if errno := k.wait(wait, limit); taken == 0 {
		return errno
	}
	return 0
}

// checkCall checks what does not depend on the rings.
func (k *Kernel) checkCall(fd int, flags uint32) syscall.Errno {
	want := ringFD
	if flags&abi.IORING_ENTER_REGISTERED_RING != 0 {
		want = ringIndex
	}
	switch {
	case !k.open || fd != want || k.fault != "":
		return syscall.EBADF
	case flags&^uint32(enterFlags) != 0:
		return syscall.EINVAL
	case !k.onThread("enter"):
		return syscall.EEXIST
	}
	return 0
}

// checkRings checks what the program has written to the rings.
func (k *Kernel) checkRings(submit uint32) {
	shown := k.word(sqTailAt).Load() - k.rings.sqHead
	switch {
	case shown > k.rings.entries:
		k.failf("the SQ's tail is %d entries ahead of its head, and the SQ has %d", shown, k.rings.entries)
	case submit > shown:
		k.failf("an enter submits %d entries, and %d are there", submit, shown)
	case k.ready() > k.rings.cqSize:
		k.failf("the CQ's head %d is not among the %d CQEs behind %d", k.word(cqHeadAt).Load(),
			k.rings.cqSize, k.rings.cqTail)
	case k.word(sqHeadAt).Load() != k.rings.sqHead, k.word(cqTailAt).Load() != k.rings.cqTail:
		k.failf("the program has written to the kernel's words of the rings")
	default:
		k.scribbleCQ()
	}
}

// scribbleCQ overwrites the CQEs that the program has given back and the kernel has not used again.
func (k *Kernel) scribbleCQ() {
	if unused := k.rings.cqTail - k.rings.cqSize - 1; int32(unused-k.rings.scribble) > 0 {
		k.rings.scribble = unused
	}
	for end := k.word(cqHeadAt).Load() - 1; int32(end-k.rings.scribble) > 0; {
		k.rings.scribble++
		*k.cqe(k.rings.scribble) = abi.Io_uring_cqe{User_data: garbage, Res: math.MinInt32, Flags: math.MaxUint32}
	}
}

const garbage = 0xdeadbeef_deadbeef

// refuse lets the script make an enter fail before it takes anything.
func (k *Kernel) refuse() syscall.Errno {
	switch k.choose(EnterFails, 3, nil) {
	case 1:
		return syscall.EAGAIN
	case 2:
		return syscall.EBUSY
	}
	return 0
}

// take takes one entry, and overwrites it: its place is the program's again. It returns false if the entry was refused
// before it was tried.
func (k *Kernel) take() bool {
	e := k.sqe(k.rings.sqHead)
	r := k.request()
	*r = Request{SQE: *e}
	words := (*[unsafe.Sizeof(*e) / 8]uint64)(unsafe.Pointer(e))
	for i := range words {
		words[i] = garbage
	}
	k.rings.sqHead++
	k.taken++
	return k.issue(r)
}

// round does all work that there is to do, and posts the results.
func (k *Kernel) round() {
	k.flush()
	k.look()
	k.run()
	k.post(false)
}

// wait waits until n CQEs are in the ring. CQEs that are late come during it.
func (k *Kernel) wait(n uint32, limit int64) syscall.Errno {
	for k.ready() < n && k.fault == "" {
		if k.choose(Interrupt, 2, nil) != 0 {
			return syscall.EINTR
		}
		if len(k.held) == 0 && len(k.work) == 0 {
			now := k.now()
			if limit <= now {
				return syscall.ETIME
			}
			if errno := k.sleep(min(limit, k.nextTimer())); errno != 0 {
				return errno
			}
		}
		k.round()
	}
	return 0
}

// show makes the changes visible to the program.
func (k *Kernel) show() {
	if !k.open || k.rings.base == nil {
		return
	}
	k.word(sqHeadAt).Store(k.rings.sqHead)
	var flags uint32
	if len(k.overflow) > 0 {
		flags |= abi.IORING_SQ_CQ_OVERFLOW
	}
	work := len(k.work) > 0 || len(k.held) > 0
	if k.flags&abi.IORING_SETUP_TASKRUN_FLAG != 0 && (work || k.choose(LieTaskrun, 2, nil) != 0) {
		flags |= abi.IORING_SQ_TASKRUN
	}
	k.word(sqFlagsAt).Store(flags)
}

// Tick does what happens outside of Enter: descriptors become ready, timeouts expire, and the program sees that there
// is work for its next Enter. Without DEFER_TASKRUN the work is done at once, as on any return from the kernel to the
// program. Code that looks at the rings without entering calls Tick before.
func (k *Kernel) Tick() {
	if !k.open || k.fault != "" || !k.onThread("Tick") {
		return
	}
	k.look()
	if !k.defers {
		k.run()
		k.post(false)
	}
	k.show()
}

// after returns the time that is ts later than now.
func after(now int64, ts abi.Kernel_timespec) int64 {
	const day = 86400
	if ts.Tv_sec > 1e6*day {
		return forever
	}
	return now + ts.Tv_sec*1e9 + ts.Tv_nsec
}

//go:build linux && !portable

package sys

import (
	"bytes"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// ThreadCPU returns the processor time that a thread of this process has used, in nanoseconds. The clock of another
// thread is named by its id, see pthread_getcpuclockid(3).
func ThreadCPU(tid int32) (ns int64, ok bool) {
	const perThread, sched = 4, 2
	var ts unix.Timespec
	if err := unix.ClockGettime(^tid<<3|perThread|sched, &ts); err != nil {
		return 0, false
	}
	return ts.Nano(), true
}

// Monotonic is CLOCK_MONOTONIC, by a system call.
func Monotonic() (ns int64) {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}

// ThreadState returns the state of a thread of this process, as in proc(5): 'R' is running or waiting for a processor,
// 'S' and 'D' asleep, 'T' stopped. It returns 0 if /proc does not have it.
func ThreadState(tid int32) byte {
	var path [48]byte
	name := append(strconv.AppendInt(append(path[:0], "/proc/self/task/"...), int64(tid), 10), "/stat\x00"...)
	var text [512]byte
	n := readSmall(name, text[:])
	if n <= 0 {
		return 0
	}
	stat := text[:n]
	// The name, which comes first, may contain anything, even brackets.
	after := bytes.LastIndexByte(stat, ')') + 2
	if after >= len(stat) {
		return 0
	}
	return stat[after]
}

// ThreadQueued returns how long a thread of this process has been ready to run and waited for a processor, since it
// began. It is the second number of /proc/self/task/TID/schedstat, which kernels without CONFIG_SCHED_INFO don't have.
func ThreadQueued(tid int32) (ns int64, ok bool) {
	var path [48]byte
	name := append(strconv.AppendInt(append(path[:0], "/proc/self/task/"...), int64(tid), 10), "/schedstat\x00"...)
	var text [80]byte
	fields := bytes.Fields(text[:max(0, readSmall(name, text[:]))])
	if len(fields) < 2 {
		return 0, false
	}
	ns, err := strconv.ParseInt(string(fields[1]), 10, 64)
	return ns, err == nil
}

// Undisturbed calls f on a thread that takes no signal meanwhile. It is for calls that a signal would end silently,
// such as a close that lingers; see pthread_sigmask(3).
func Undisturbed(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, before unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &before); err == nil {
		defer unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
	}
	f()
}

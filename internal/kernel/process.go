package kernel

import (
	"io/fs"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"ringo/internal/places"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// Calls about the process and its threads. They have no descriptor and are the same for programs on every kernel, so
// they are functions, not methods of Kernel.

// CPUCount returns how many processors this process may use at once: those that it is bound to, or fewer if its
// cgroups limit its time.
func CPUCount() int {
	n := runtime.NumCPU()
	if cpus, err := CPUs(); err == nil {
		n = len(cpus)
	}
	return min(n, places.Whole(places.Quota(Root())))
}

// Root returns the system's file tree, for readers of what it says about itself.
func Root() fs.FS { return os.DirFS("/") }

// ThreadID returns the id of the calling thread.
func ThreadID() int32 { return sys.Gettid() }

// ThreadCPU returns the processor time that a thread of this process has used.
func ThreadCPU(tid int32) (ns int64, ok bool) { return sys.ThreadCPU(tid) }

// ThreadQueued returns how long a thread has been ready to run without a processor; false if the system does not
// report it.
func ThreadQueued(tid int32) (ns int64, ok bool) { return sys.ThreadQueued(tid) }

// ThreadState returns the letter of a thread's state, as in proc_pid_stat(5), or 0.
func ThreadState(tid int32) byte { return sys.ThreadState(tid) }

// ReadMemory copies memory of this process from an address that may be invalid; false if it is, or if the kernel does
// not support it.
func ReadMemory(into []byte, from uintptr) bool { return sys.ReadMemory(into, from) }

// InBubble reports whether the caller is in a bubble of testing/synctest, where time.Now has no monotonic clock.
func InBubble() bool {
	now := time.Now()
	return now == now.Round(0)
}

// Implausible reports whether a measured time can't be real, because it is negative or more than nine years. That
// happens when it was measured in a bubble of testing/synctest, against a time from outside.
func Implausible(ns int64) bool { return uint64(ns) >= 1<<58 }

// Monotonic returns the system's clock that is never set, even where package time uses another.
func Monotonic() (ns int64) { return sys.Monotonic() }

// Spare returns an error if the process can't have n more descriptors.
func Spare(n int) error { return sys.Spare(n) }

// WaitAny waits until any child of this process ends, and returns its status as wait4(2) does. It takes the status
// away from whatever code has started the child, so it is for a process that does nothing else. -ECHILD: there is no
// child.
func WaitAny() (pid int, status uint32, res int32) {
	for {
		if pid, status, res = sys.WaitAny(); res != -sys.EINTR {
			return pid, status, res
		}
	}
}

// process is the kernel that Through has set in place of Host.
var process atomic.Pointer[Kernel]

// Process returns the kernel of callers without a loop, and of loops that were given none: Host.
func Process() Kernel {
	if k := process.Load(); k != nil {
		return *k
	}
	return Host{}
}

// Through replaces Host by another kernel until undo is called, for tests.
func Through(k Kernel) (undo func()) {
	old := process.Swap(&k)
	return func() { process.Store(old) }
}

// Duplicate returns another descriptor, CLOEXEC, of the file or socket that c has open. It leaves the open file's mode
// as it is, unlike (*os.File).Fd, which makes it blocking. If c is closed, the error is os.ErrClosed.
func Duplicate(c syscall.Conn) (fd int32, err error) {
	if !sys.HaveNetpoll { // a descriptor that packages os and net have opened stays with Go's netpoller for good
		return -1, posix.ErrSystem
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd = -sys.EBADF
	if raw.Control(func(n uintptr) { fd = Host{}.Dup(int32(n)) }) != nil {
		return -1, os.ErrClosed
	}
	if fd < 0 {
		return -1, os.NewSyscallError("fcntl", posix.Error(fd))
	}
	return fd, nil
}

// OSFile makes an os.File that owns the descriptor. Where package os does not know such numbers, OSFile closes it.
func OSFile(fd int32, name string) (*os.File, error) {
	if !sys.HaveNetpoll {
		Host{}.Close(fd)
		return nil, posix.ErrSystem
	}
	return os.NewFile(uintptr(fd), name), nil
}

// SameFile reports whether two paths lead to one file.
func SameFile(a, b string) bool {
	of, err := os.Stat(a)
	other, bad := os.Stat(b)
	return err == nil && bad == nil && os.SameFile(of, other)
}

// NativeControl converts Linux's control messages, as package cmsg makes them, to the system's, for package net.
func NativeControl(control []byte) ([]byte, error) {
	native, res := sys.NativeControl(control)
	if res < 0 {
		return nil, posix.Error(res)
	}
	return native, nil
}

// LinuxControl converts control messages that package net has received to Linux's.
func LinuxControl(native []byte) []byte { return sys.LinuxControl(native) }

// PidFD opens a descriptor of a process, by which to wait for its end: pidfd_open(2), CLOEXEC.
func PidFD(pid int) int32 { return sys.PidFD(pid) }

// Exited reports whether the process of a PidFD descriptor has ended.
func Exited(fd int32) bool { return sys.Poll(fd, sys.PollIn) != 0 }

// Reapable reports whether a wait for that process returns at once: when it has ended, and its tracer, if it has one,
// has taken that.
func Reapable(fd int32) bool { return sys.Reapable(fd) }

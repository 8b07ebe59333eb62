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

// What is asked about the process and its threads, which has no descriptor and of which
// every kernel's programs have one kind: so these are functions, and not methods of
// Kernel.

// CPUCount is how many processors this process may use at once: those that it is bound to, or fewer if its cgroups
// limit its time.
func CPUCount() int {
	n := runtime.NumCPU()
	if cpus, err := CPUs(); err == nil {
		n = len(cpus)
	}
	return min(n, places.Whole(places.Quota(Root())))
}

// Root is the system's files, for those who read what it says of itself.
func Root() fs.FS { return os.DirFS("/") }

// ThreadID is the number of the calling thread.
func ThreadID() int32 { return sys.Gettid() }

// ThreadCPU is the processor time that a thread of this process has used.
func ThreadCPU(tid int32) (ns int64, ok bool) { return sys.ThreadCPU(tid) }

// ThreadQueued returns how long a thread has been ready to run and waited for a processor; false if the system does not
// tell.
func ThreadQueued(tid int32) (ns int64, ok bool) { return sys.ThreadQueued(tid) }

// ThreadState is the letter of a thread's state, as in proc_pid_stat(5), or 0.
func ThreadState(tid int32) byte { return sys.ThreadState(tid) }

// ReadMemory copies memory of this process from an address that may be wrong; false if it is, or if the kernel does not
// do it.
func ReadMemory(into []byte, from uintptr) bool { return sys.ReadMemory(into, from) }

// InBubble reports whether the caller is in a bubble of testing/synctest, where time.Now has no monotonic clock.
func InBubble() bool {
	now := time.Now()
	return now == now.Round(0)
}

// Implausible reports whether a time that was measured is one that nothing here takes: it is negative, or nine years.
// Then it was measured in a bubble of testing/synctest, from a time outside.
func Implausible(ns int64) bool { return uint64(ns) >= 1<<58 }

// Monotonic is the system's clock that nobody sets, also where package time has another.
func Monotonic() (ns int64) { return sys.Monotonic() }

// Spare fails where the process can't have n more descriptors.
func Spare(n int) error { return sys.Spare(n) }

// WaitAny waits until any child of this process ends, and takes what it has ended with, as wait4(2) gives it, from
// whoever has started that one: it is for a process that does nothing else. -ECHILD: there is none.
func WaitAny() (pid int, status uint32, res int32) {
	for {
		if pid, status, res = sys.WaitAny(); res != -sys.EINTR {
			return pid, status, res
		}
	}
}

// process is what Through has put in place of Host.
var process atomic.Pointer[Kernel]

// Process is the kernel of callers that have no loop, and of loops that were given none: Host.
func Process() Kernel {
	if k := process.Load(); k != nil {
		return *k
	}
	return Host{}
}

// Through puts another kernel in the place of Host until undo, for tests.
func Through(k Kernel) (undo func()) {
	old := process.Swap(&k)
	return func() { process.Store(old) }
}

// Duplicate gives another descriptor of what a file or a socket of the system's has open, CLOEXEC. The open file's mode
// stays as it is, which (*os.File).Fd sets to blocking. The error of what is closed is os.ErrClosed.
func Duplicate(c syscall.Conn) (fd int32, err error) {
	if !sys.HaveNetpoll { // what is of packages os and net belongs to Go's netpoller for good
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

// OSFile is a descriptor as a file of package os, which then owns it. Where package os knows no such numbers it is
// closed.
func OSFile(fd int32, name string) (*os.File, error) {
	if !sys.HaveNetpoll {
		Host{}.Close(fd)
		return nil, posix.ErrSystem
	}
	return os.NewFile(uintptr(fd), name), nil
}

// NativeControl makes control messages for package net of Linux's, which package cmsg makes.
func NativeControl(control []byte) ([]byte, error) {
	native, res := sys.NativeControl(control)
	if res < 0 {
		return nil, posix.Error(res)
	}
	return native, nil
}

// LinuxControl makes Linux's control messages of those that package net has received.
func LinuxControl(native []byte) []byte { return sys.LinuxControl(native) }

// PidFD opens a descriptor of a process, by which its end is waited for: pidfd_open(2), CLOEXEC.
func PidFD(pid int) int32 { return sys.PidFD(pid) }

// Exited reports whether the process has ended that a descriptor of PidFD stands for.
func Exited(fd int32) bool { return sys.Poll(fd, sys.PollIn) != 0 }

//go:build !linux || portable

package sys

import "ringo/internal/posix"

// enosys is the result of calls that only Linux has.
const enosys = -ENOSYS

// ThreadCPU is for Linux only.
func ThreadCPU(tid int32) (ns int64, ok bool) { return 0, false }

// ThreadState is for Linux only.
func ThreadState(tid int32) byte { return 0 }

// ThreadQueued is for Linux only.
func ThreadQueued(tid int32) (ns int64, ok bool) { return 0, false }

// Undisturbed calls f; it keeps no signals away.
func Undisturbed(f func()) { f() }

// CPUs lists the processors that a thread may use; unknown on this system.
func CPUs(int) ([]int, error) { return nil, posix.ErrSystem }

// SetCPUs binds a thread to processors; not offered on this system.
func SetCPUs(int, []int) error { return posix.ErrSystem }

// WaitAny is Linux's alone: it is for process 1.
func WaitAny() (pid int, status uint32, res int32) { return 0, 0, enosys }

// Reapable is, too: elsewhere there is no pidfd.
func Reapable(int32) bool { return false }

// HaveSplice says whether this OS has splice(2) at all.
const HaveSplice = false

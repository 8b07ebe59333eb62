//go:build !linux || portable

package sys

// ThreadCPU is for Linux only.
func ThreadCPU(tid int32) (ns int64, ok bool) { return 0, false }

// Monotonic is for Linux only.
func Monotonic() (ns int64) { return 0 }

// ThreadState is for Linux only.
func ThreadState(tid int32) byte { return 0 }

// Undisturbed runs f; of signals it keeps none away.
func Undisturbed(f func()) { f() }

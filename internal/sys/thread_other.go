//go:build !linux

package sys

// ThreadCPU is for Linux only.
func ThreadCPU(tid int32) (ns int64, ok bool) { return 0, false }

// ThreadState is for Linux only.
func ThreadState(tid int32) byte { return 0 }

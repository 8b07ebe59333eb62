//go:build !darwin && !dragonfly && !freebsd && !netbsd && !openbsd && !(linux && portable)

package sys

// HaveKqueue reports whether this system has kqueues.
const HaveKqueue = false

// OpenKqueue fails with ENOSYS.
func OpenKqueue(changes, events int) (Kqueue, int32) { return nil, -ENOSYS }

//go:build linux && portable

package sys

// HaveKqueue says whether there are kqueues at all: in tests there may be.
const HaveKqueue = true

// KqueueShim is what OpenKqueue gives, if a test has one.
var KqueueShim func() (Kqueue, int32)

// OpenKqueue gives what stands for a kqueue in tests.
func OpenKqueue(changes, events int) (Kqueue, int32) {
	if KqueueShim == nil {
		return nil, enosys
	}
	return KqueueShim()
}

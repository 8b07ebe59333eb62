//go:build linux && portable

package sys

// HaveKqueue says whether there are kqueues at all: tests may have one.
const HaveKqueue = true

// KqueueShim, if a test sets it, is called by OpenKqueue.
var KqueueShim func() (Kqueue, int32)

// OpenKqueue returns the kqueue of KqueueShim, if a test has set that.
func OpenKqueue(changes, events int) (Kqueue, int32) {
	if KqueueShim == nil {
		return nil, enosys
	}
	return KqueueShim()
}

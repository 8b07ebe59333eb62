package hosted

import (
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/uring"
)

// engine passes the ops of a ring to the kernel and returns their completions: an io_uring, or a context of native
// AIO.
//
// Only the leader calls add, addCancel, pending, flush and unblock. The ring's mutex is held for drain, givenUp and
// unbegun.
type engine interface {
	// takes reports whether the engine can do ops of this code.
	takes(code op.Code) bool
	// add prepares a call's op for the next flush. It returns false if there is no room before that.
	add(c *call) bool
	// addCancel prepares a cancel of the op with this token. It is called only if cancels returns true.
	addCancel(token uint64) bool
	cancels() bool
	// pending returns how many entries were added and not taken yet.
	pending() int
	// flush submits what was added, and returns how many entries were taken, oldest first.
	flush() (taken int, errno posix.Errno)
	// overflowed reports whether completions did not fit into the CQ; unblock makes the kernel deliver them.
	overflowed() bool
	unblock() posix.Errno
	// drain takes completions.
	drain(into []uring.CQE) int
	// givenUp reports whether the kernel has given the op up without an error of its own: it has to be submitted
	// again.
	givenUp(c *call, res int32) bool
	// unbegun reports whether the op was not done, so that the caller must make the plain call.
	unbegun(o *op.Op, res int32) bool
	// fd is the descriptor of which Go's netpoller watches a duplicate.
	fd() int32
	close() error
}

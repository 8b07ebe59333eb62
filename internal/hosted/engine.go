package hosted

import (
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/uring"
)

// engine is how the ops of a ring get into the kernel and out of it: an io_uring, or a context of native AIO.
//
// Whoever leads calls add, addCancel, pending, flush and unblock, one at a time. The ring's mutex is held for drain,
// givenUp and unbegun.
type engine interface {
	// takes reports whether ops of a code go this way.
	takes(code op.Code) bool
	// add gives it a call's op for the next flush. It reports false if there is no room before that.
	add(c *call) bool
	// addCancel is add of the wish that the op of a token ends. Only where cancels reports true.
	addCancel(token uint64) bool
	cancels() bool
	// pending is how many entries have been added and not been taken.
	pending() int
	// flush hands over what was added, and returns how many entries were taken, oldest first.
	flush() (taken int, errno posix.Errno)
	// overflowed reports whether completions have found no room, which unblock makes the kernel deliver.
	overflowed() bool
	unblock() posix.Errno
	// drain takes completions.
	drain(into []uring.CQE) int
	// givenUp reports whether the kernel has given the op up for no reason of its own: it is to be submitted again.
	givenUp(c *call, res int32) bool
	// unbegun reports whether nothing was done, so that the caller makes the plain call.
	unbegun(o *op.Op, res int32) bool
	// fd is a duplicate's original: the descriptor that Go's netpoller watches.
	fd() int32
	close() error
}

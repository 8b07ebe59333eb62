package driver

import (
	"math"
	"time"

	"ringo/internal/bufs"
	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/stats"
)

// Driver runs ops to completion. See the package comment for the rules.
type Driver interface {
	// Try runs the op as a plain call now, if that can be done without waiting.
	// ok is false if it would wait, or can't be tried. The op stays the
	// caller's, need not be in a Slab, and no state of the driver is touched,
	// so any goroutine may call it.
	Try(o *op.Op) (res int32, ok bool)
	// Submit hands the op over until its last completion.
	Submit(o *op.Op)
	// Cancel asks for the op's end. The op must be submitted and not complete.
	Cancel(o *op.Op)
	// Forget ends what the driver keeps of a descriptor before its number is closed or
	// given away. No op may hold it.
	Forget(f *fd.FD)
	// Wait submits what is queued, makes the sends of the outbox and collects completions into done. deadline
	// is a time of the Config's clock: Poll doesn't wait, Forever has no end.
	// An error means that the driver is dead, and what is submitted ends: see the
	// package comment.
	Wait(deadline int64, done *Queue) error
	// Wake ends the present Wait, or the next one. Any goroutine may call it, also
	// after Close.
	Wake()
	// Info describes the driver. Stats in it are as of the call.
	Info() Info
	// Close cancels and drains every op, then frees the driver. Completions of
	// the drained ops go to done.
	Close(done *Queue) error
}

// Deadlines with a meaning of their own.
const (
	Poll    int64 = math.MinInt64
	Forever int64 = math.MaxInt64
)

// Completion is one completion of one op.
type Completion struct {
	Op    *op.Op
	Res   int32
	Flags uint32
}

// Config is what a driver needs to know. All but Slab and Now may be zero.
type Config struct {
	// Loop is the number of the loop that it is for, to speak of it.
	Loop int
	// Slab holds the ops that will be submitted.
	Slab *op.Slab
	// Now is the clock of the deadlines, monotonic nanoseconds.
	Now func() int64
	// Outbox is what Wait is to send; nil: nothing.
	Outbox *Outbox
	// Entries is the wanted size of the submission queue, a power of two.
	Entries int
	// Ring is the pool to lend to the kernel; a driver that can't lend leaves
	// it alone and takes buffers for Select ops from it.
	Ring *bufs.Pool
	// Shrink lets a driver take smaller rings when memory is refused.
	Shrink bool
	// Worth makes a driver that works here refuse with ErrCostly if one that is easier
	// to have costs less here.
	Worth bool
	// SQPoll has a kernel thread take the entries, where there is a ring, and look for them for so long, in
	// milliseconds' precision, before it sleeps. 0: none.
	SQPoll time.Duration
	// Reason is why this driver is opened; Info repeats it.
	Reason string
	// Without names features to do without, as an older kernel would.
	Without []string
	// Fault, for tests, is asked before each call of a ring or a poller. An error of
	// it is taken for that call's, and the driver dies of it. nil: nobody is asked.
	Fault func() error
}

// Bounded is a driver that can't wait for all descriptors. Bound is the number that
// they must be below, and the error for the others; nil if the process can have
// none such.
type Bounded interface {
	Bound() (int32, error)
}

// Noticing is a driver that can tell without a call whether a Wait would find something. It may have come a moment ago.
type Noticing interface {
	Noticed() bool
}

// Info describes an open driver. Of stats.Info it has all but Run.
type Info struct {
	stats.Info
	// Edges: a multishot Poll goes on, and reports changes. Otherwise its first
	// completion is its last, and its owner submits it again once it has used up
	// what is ready.
	Edges bool
	Stats stats.Driver
}

// Queue is completions in order of arrival. The zero Queue is empty.
type Queue struct {
	// Looked is set by a Wait whose deadline had passed when it looked for the last time: all that had come by then is
	// in the queue. The loop clears it before each Wait.
	Looked bool

	items []Completion
	head  int
}

// Push appends a completion. Drivers call it.
func (q *Queue) Push(c Completion) {
	if len(q.items) == cap(q.items) && q.head > len(q.items)/2 {
		// A queue that is never empty must not grow for ever.
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, c)
}

// Yield appends a completion of o that another one follows.
func (q *Queue) Yield(o *op.Op, res int32, flags uint32) {
	q.Push(Completion{Op: o, Res: res, Flags: flags | op.More})
}

// End appends the last completion of o, which is its owner's again: it lets go of its descriptor.
func (q *Queue) End(o *op.Op, res int32, flags uint32) {
	if o.FD != nil {
		o.FD.Unref()
	}
	o.State = op.Idle
	q.Push(Completion{Op: o, Res: res, Flags: flags})
}

// Pop takes the oldest.
func (q *Queue) Pop() (c Completion, ok bool) {
	if q.head == len(q.items) {
		return Completion{}, false
	}
	c = q.items[q.head]
	q.items[q.head].Op = nil
	if q.head++; q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return c, true
}

// All gives the completions in the queue, oldest first.
func (q *Queue) All() []Completion { return q.items[q.head:] }

// Len is how many there are.
func (q *Queue) Len() int { return len(q.items) - q.head }

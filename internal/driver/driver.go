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
	// Try runs the op as a plain call now, if that does not wait. ok is false if it would wait, or can't be tried. The
	// caller keeps the op, which need not be in a Slab. Try uses no state of the driver, so any goroutine may call it.
	Try(o *op.Op) (res int32, ok bool)
	// Submit hands the op over until its last completion.
	Submit(o *op.Op)
	// Cancel asks for the op's end. The op must be submitted, and must not have completed.
	Cancel(o *op.Op)
	// Forget drops what the driver keeps of a descriptor, before its number is closed or given away. No op may hold
	// the descriptor.
	Forget(f *fd.FD)
	// Wait submits what is queued, makes the sends of the outbox, and collects completions into done. deadline is a
	// time of the Config's clock, or Poll for no wait, or Forever. An error means that the driver is dead, and ends
	// what is submitted: see the package comment.
	Wait(deadline int64, done *Queue) error
	// Wake ends the present Wait, or the next one. Any goroutine may call it, also after Close.
	Wake()
	// Info describes the driver. Its Stats are as of the call.
	Info() Info
	// Close cancels and drains every op, then frees the driver. The completions of the drained ops go to done.
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

// Config configures a driver. All fields but Slab and Now may be zero.
type Config struct {
	// Loop is the number of the loop that the driver is for, for messages.
	Loop int
	// Slab holds the ops that will be submitted.
	Slab *op.Slab
	// Now is the clock of the deadlines, monotonic nanoseconds.
	Now func() int64
	// Outbox has the sends that Wait makes; nil for none.
	Outbox *Outbox
	// Entries is the wanted size of the submission queue, a power of two.
	Entries int
	// Ring is the pool to lend to the kernel. A driver that can't lend takes the buffers for Select ops from it.
	Ring *bufs.Pool
	// Shrink lets a driver take smaller rings when memory is refused.
	Shrink bool
	// Worth makes a driver that works here refuse with ErrCostly if epoll, which needs less, costs less here.
	Worth bool
	// SQPoll makes a kernel thread take the entries, if there is a ring. The thread polls for entries for that long,
	// in milliseconds, before it sleeps. 0 means no thread.
	SQPoll time.Duration
	// Reason is why this driver is opened; Info returns it.
	Reason string
	// Without names features that the driver must not use, as on an older kernel.
	Without []string
	// Fault, for tests, is called before each call of a ring or a poller. The driver takes an error of Fault for the
	// call's, and dies of it. May be nil.
	Fault func() error
}

// Bounded is a driver that can't wait for all descriptors. Bound returns the number that they must be below, and the
// error for the others; the error is nil if the process can't have any of those.
type Bounded interface {
	Bound() (int32, error)
}

// Noticing is a driver that can tell without a call whether a Wait would find something. That may lag a moment behind.
type Noticing interface {
	Noticed() bool
}

// Info describes an open driver. It sets all of stats.Info but Run.
type Info struct {
	stats.Info
	// Edges: a multishot Poll goes on, and reports changes. Without Edges its first completion is its last, and its
	// owner submits it again once it has used up what is ready.
	Edges bool
	Stats stats.Driver
}

// Queue is a queue of completions in order of arrival. The zero Queue is empty.
type Queue struct {
	// Looked is set by a Wait that has looked for completions after its deadline: all that had come by the deadline is
	// in the queue. The loop clears it before each Wait.
	Looked bool

	items []Completion
	head  int
}

// Push appends a completion. Only drivers call it.
func (q *Queue) Push(c Completion) {
	if len(q.items) == cap(q.items) && q.head > len(q.items)/2 {
		// A queue that is never empty must not grow for ever.
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, c)
}

// Yield appends a completion of o that is not the last one.
func (q *Queue) Yield(o *op.Op, res int32, flags uint32) {
	q.Push(Completion{Op: o, Res: res, Flags: flags | op.More})
}

// End appends the last completion of o, and drops o's hold on its descriptor. From here on o belongs to its owner.
func (q *Queue) End(o *op.Op, res int32, flags uint32) {
	if o.FD != nil {
		o.FD.Unref()
	}
	o.State = op.Idle
	q.Push(Completion{Op: o, Res: res, Flags: flags})
}

// Pop removes and returns the oldest completion.
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

// All returns the completions in the queue, oldest first.
func (q *Queue) All() []Completion { return q.items[q.head:] }

// Len returns the number of completions in the queue.
func (q *Queue) Len() int { return len(q.items) - q.head }

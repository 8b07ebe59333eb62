package handle

import (
	"net"
	"os"

	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/stream"
	"ringo/internal/sys"
	"ringo/internal/timer"
)

// Direction is a direction as the tasks of the handle's loop use it. They get it in order of arrival, without a lock.
// While foreign callers have the direction it counts as busy.
type Direction struct {
	Op *op.Op // armed by the hooks, or in flight for the task in Await; nil: none

	lent   *half // the foreign callers' half, while they have the direction
	queue  loop.TaskList
	waiter *loop.Task // in Wait or Await
	timer  *due       // for its deadline; nil until a caller waits by one, as most handles have none

	res, behind int32 // of Op in Await: its result, and the error of what came after
	busy        bool
	awaits      bool // waiter is in Await: the completion of Op resumes it
	owed        bool // Op has its result, but the kernel still uses its memory
	cut         bool // disconnect has got that memory back
	news        bool // the caller has waited in Wait or Await, and the wait was not cut short
	ended       cause
	copier      uint16 // half of the number of the task that has bytes in hand, see Core.copier
}

// cause is what has ended a wait before its time.
type cause uint8

const (
	byNobody cause = iota
	byDeadline
	byCancel
)

// Own returns a direction for tasks of the loop. The handle must be attached.
func (c *Core) Own(dir Dir) *Direction { return &c.own.dirs[dir] }

// enterOwn waits until a task of the loop has access.
func (c *Core) enterOwn(dir Dir) error {
	if err := c.Check(); err != nil {
		return err
	}
	d := &c.own.dirs[dir]
	if !d.busy {
		d.busy = true
		return nil
	}
	if d.lent != nil && d.lent.reclaim() {
		return nil
	}
	if c.l.Canceled() {
		c.l.ChargeAndYield()
		return c.l.Cause()
	}
	me := c.l.Task()
	me.Tell(noAccess)
	d.queue.Push(me)
	if dir == In {
		c.l.Park((*queuedIn)(c))
	} else {
		c.l.Park((*queuedOut)(c))
	}
	switch {
	case me.Told() == hasAccess:
		return nil
	case c.state != open:
		return net.ErrClosed
	}
	return c.l.Cause()
}

// What Tell leaves for a task in a queue. It stays noAccess if the task was cancelled, or the handle closes.
const (
	noAccess = iota
	hasAccess
)

// queuedIn and queuedOut are the core as the Waiter of a task in the queue of a direction.
type (
	queuedIn  Core
	queuedOut Core
)

// CancelWait takes a cancelled task out of the queue.
func (q *queuedIn) CancelWait(t *loop.Task) { q.own.dirs[In].leave(t) }

// CancelWait takes a cancelled task out of the queue.
func (q *queuedOut) CancelWait(t *loop.Task) { q.own.dirs[Out].leave(t) }

// leave takes a task out of the queue, and resumes it.
func (d *Direction) leave(t *loop.Task) {
	d.queue.Remove(t)
	t.Loop().Ready(t)
}

// unlock gives access to the next task.
func (d *Direction) unlock(l *loop.Loop) {
	t := d.queue.Pop()
	if t == nil {
		d.busy = false
		return
	}
	t.Tell(hasAccess)
	l.Ready(t)
}

// Taken reports whether a caller has the direction, be it a task or foreign.
func (d *Direction) Taken() bool { return d.busy }

// Waiting reports whether a task waits in the direction.
func (d *Direction) Waiting() bool { return d.waiter != nil }

// Input returns the In of the foreign callers while they have the direction; nil if they don't.
func (d *Direction) Input() *stream.In {
	if d.lent == nil {
		return nil
	}
	return &d.lent.in
}

// Lent reports whether foreign callers have the direction.
func (d *Direction) Lent() bool { return d.lent != nil }

// Reclaim takes the direction back from the foreign callers, if they have it and none uses it; it reports false if one
// does. It is for a task that does not wait for access.
func (c *Core) Reclaim(dir Dir) bool {
	d := &c.own.dirs[dir]
	if d.lent == nil {
		return true
	}
	if d.lent.inUse() || !d.lent.reclaim() {
		return false
	}
	d.unlock(c.l)
	return true
}

// Rearm reports whether the input is the loop's, so that a caller without access may arm it. If foreign callers have
// it, Rearm reports false, and takes it back, which arms it: at once if none uses it, or else when the last of them
// leaves.
func (c *Core) Rearm() (ours bool) {
	d := &c.own.dirs[In]
	if d.lent == nil {
		return true
	}
	if d.lent.reclaim() {
		d.unlock(c.l)
	}
	return false
}

// Wait parks the running task, which has access to the input, until Wake, the deadline, a cancel or Close. The caller
// finds out which it was by State and Loop.Canceled.
func (c *Core) Wait() {
	d := &c.own.dirs[In]
	d.waiter = c.l.Task()
	if limit := c.limits[In].Load(); limit != 0 || d.timer != nil {
		c.armToWait(d, limit)
	}
	c.l.Park((*waiting)(c))
	d.waiter = nil
}

// waiting is the core as the Waiter of a task in Wait.
type waiting Core

// CancelWait resumes a cancelled task.
func (w *waiting) CancelWait(t *loop.Task) {
	w.own.dirs[In].waiter = nil
	t.Loop().Ready(t)
}

// DescribeWait describes the input.
func (w *waiting) DescribeWait(_ *loop.Task, d *loop.Wait) { (*Core)(w).describe(In, d) }

// Wake ends a Wait; false if no task is in one.
func (c *Core) Wake() bool {
	d := &c.own.dirs[In]
	t := d.waiter
	if t == nil || d.awaits {
		return false
	}
	d.waiter, d.news = nil, true
	c.l.Ready(t)
	return true
}

// Await submits an op for the running task, which has access, and parks until the op has ended. A cancel, the deadline
// and Close end the op. Its result counts all the same, since it may have come first. If the handle closes already, as
// it may during a call that needs several ops, the op is not submitted. The op is one of Ops.New; Await frees it.
func (c *Core) Await(dir Dir, o *op.Op) (res int32) {
	d := &c.own.dirs[dir]
	if c.shut() {
		c.l.Ops().Free(o)
		d.res, d.behind, d.ended, d.cut = -sys.ECANCELED, 0, byNobody, false
		return d.res
	}
	o.FD = &c.fd
	if o.Sink = (*outSink)(c); dir == In {
		o.Sink = (*inSink)(c)
	}
	c.l.Ops().Time(o)
	d.Op, d.waiter, d.awaits, d.ended, d.cut = o, c.l.Task(), true, byNobody, false
	if limit := c.limits[dir].Load(); limit != 0 || d.timer != nil {
		c.armToWait(d, limit)
	}
	c.l.Ops().Submit(o)
	c.l.Park((*awaiting)(c))
	d.waiter, d.awaits, d.news = nil, false, d.ended == byNobody
	return d.res
}

// Later makes an op do what a plain call by o could not do at once. It is for the running task, which has access to
// the output and parks. The result is that of the op; -EAGAIN means that the caller must make the call anew, with an
// op that it fills in again. The error is why the caller must not wait. Other tasks may use o meanwhile. It is a
// function of its own, not inlined, so that tasks that need not wait have a smaller stack: BenchmarkIdleMemory of
// sock.
//
//go:noinline
func (c *Core) Later(o *op.Op, call string) (int32, error) {
	if c.l.Canceled() {
		return 0, c.l.Cause()
	}
	n := c.l.Ops().New(o.Code)
	if n == nil {
		return -sys.ENOBUFS, nil
	}
	n.Buf, n.CallFlags, n.Off, n.Limit, n.Other, n.Events = o.Buf, o.CallFlags, o.Off, o.Limit, o.Other, o.Events
	if o.Buf = nil; o.Ext != nil {
		c.l.Ops().Ext(n).Copy(o.Ext)
		o.Ext.Clear()
	}
	if res := c.Await(Out, n); res != -sys.ECANCELED {
		return res, nil
	}
	if err := c.Why(Out, call); err != nil {
		return 0, err
	}
	return -sys.EAGAIN, nil
}

// shut reports whether no more ops may begin.
func (c *Core) shut() bool { return c.state != open }

// inSink and outSink are the core as the Sink of an op of Await.
type (
	inSink  Core
	outSink Core
)

func (s *inSink) Complete(o *op.Op, res int32, flags uint32) { (*Core)(s).completed(In, o, res, flags) }
func (s *outSink) Complete(o *op.Op, res int32, flags uint32) {
	(*Core)(s).completed(Out, o, res, flags)
}

// completed takes in a completion of an op of Await.
func (c *Core) completed(dir Dir, o *op.Op, res int32, flags uint32) {
	d := &c.own.dirs[dir]
	if flags&op.Notif == 0 {
		d.res, d.behind = res, 0
		if (o.Code == op.Send || o.Code == op.SendZC) && res > 0 {
			d.behind = -int32(o.Behind)
		}
	}
	if flags&op.More != 0 {
		if d.owed = true; o.Canceled {
			c.disconnect(d)
		}
		return
	}
	d.owed, d.Op = false, nil
	c.l.Ops().Free(o)
	if t := d.waiter; t != nil {
		d.waiter = nil
		c.l.Ready(t)
	}
	if c.own.dirs[In].lent != nil {
		c.Forget()
	}
	c.Settle()
}

// awaiting is the core as the Waiter of a task in Await. CancelWait finds the direction by its waiter.
type awaiting Core

// CancelWait ends the op. Its completion resumes the task, with the count so far.
func (a *awaiting) CancelWait(t *loop.Task) {
	c := (*Core)(a)
	for i := range c.own.dirs {
		if d := &c.own.dirs[i]; d.waiter == t {
			d.ended = byCancel
			c.abort(d)
		}
	}
}

// abort ends the op of a direction.
func (c *Core) abort(d *Direction) {
	if d.Op == nil || d.Op.Canceled {
		return
	}
	c.l.Ops().Cancel(d.Op)
	if d.owed {
		c.disconnect(d)
	}
}

// disconnect ends a connection, by connect(2) with no address, so that the kernel gives back the memory that a
// zero-copy send has lent to it. Queued bytes are dropped, and the peer sees a reset.
func (c *Core) disconnect(d *Direction) {
	d.cut = true
	o := op.Op{Code: op.Connect, FD: &c.fd, Ext: new(op.Ext)}
	o.Ext.Addr.SetUnspec()
	c.l.Ops().Try(&o)
}

// Cut reports whether disconnect has cut off the last op of Await.
func (d *Direction) Cut() bool { return d.cut }

// Why returns why the last op of Await has ended before its time: the error of the call, or of what ended it; nil if
// the caller should try again.
func (c *Core) Why(dir Dir, call string) error {
	d := &c.own.dirs[dir]
	switch {
	case c.shut():
		return net.ErrClosed
	case d.ended == byDeadline:
		return os.ErrDeadlineExceeded
	case d.ended == byCancel:
		return c.l.Cause()
	case d.res < 0 && d.res != -sys.ECANCELED:
		return CallError(call, d.res)
	case d.behind != 0 && d.behind != -sys.ECANCELED:
		return CallError(call, d.behind)
	}
	return nil
}

// Quiesce ends what is armed in a direction, and parks until the last completion. On an output it first sends what was
// accepted; its error is that of Flush.
func (c *Core) Quiesce(dir Dir) error {
	if dir == Out {
		return c.Flush()
	}
	d := &c.own.dirs[dir]
	for d.Op != nil {
		if !d.Op.Canceled {
			c.l.Ops().Cancel(d.Op)
		}
		d.waiter = c.l.Task()
		c.l.Park((*quiescing)(c))
		d.waiter, d.news = nil, false // the wake was no news for a reader
	}
	return nil
}

// alarm is the core as the Owner of its timers.
type alarm Core

// Fire is called when a deadline may have passed. Another thread may have moved the deadline since, with its mail
// still on the way.
func (a *alarm) Fire(t *timer.Timer) {
	c := (*Core)(a)
	dir := In
	if out := c.own.dirs[Out].timer; out != nil && t == &out.Timer {
		dir = Out
	}
	d := &c.own.dirs[dir]
	if limit := c.limits[dir].Load(); limit == 0 || limit > c.l.LookedNS() {
		c.moved(dir)
		return
	}
	switch {
	case d.awaits && d.Op == nil: // the op has ended in time, and its task is about to go on
	case d.awaits:
		d.ended = byDeadline
		d.timer.leeway.end()
		c.abort(d)
	case dir == Out:
		c.abort(d) // ends what is unsent; callers that wait for that find the deadline
	case d.waiter != nil:
		c.Wake()
		d.timer.leeway.end()
	default:
		c.hooks.Expired()
	}
}

// arm arms a direction's timer for its deadline. It is a function of its own, not inlined, so that tasks that wait
// without a deadline have a smaller stack: BenchmarkIdleMemory of sock.
//
//go:noinline
func (c *Core) arm(d *Direction, limit int64) { c.l.Timers().Arm(&c.timerOf(d).Timer, limit) }

// armToWait is arm for a task that begins to wait, or waits. It is not inlined for the same reason as arm.
//
//go:noinline
func (c *Core) armToWait(d *Direction, limit int64) {
	t := c.timerOf(d)
	if t.leeway.waits(limit == 0 || limit > c.l.LookedNS()); limit != 0 {
		c.l.Timers().Arm(&t.Timer, limit)
	}
}

// timerOf returns a direction's timer. If it makes one, a caller that waits, or has waited, began before there was a
// deadline, and so in time.
func (c *Core) timerOf(d *Direction) *due {
	if d.timer == nil {
		d.timer = &due{Timer: timer.Timer{Owner: (*alarm)(c)}}
		d.timer.leeway.waits(d.news || d.waiter != nil)
	}
	return d.timer
}

// removeTimers takes the timers off the loop.
func (c *Core) removeTimers() {
	for i := range c.own.dirs {
		if t := c.own.dirs[i].timer; t != nil {
			c.l.Timers().Remove(&t.Timer)
		}
	}
}

// moved makes a direction's timer follow a deadline that was moved, if a caller waits by it. A caller that waits while
// the new deadline is ahead waits in time. A call that goes on meanwhile keeps its leeway, however late it gets.
func (c *Core) moved(dir Dir) {
	d := &c.own.dirs[dir]
	limit := c.limits[dir].Load()
	if dir == Out && c.own.out.unsent != nil {
		c.follow(limit)
	}
	switch {
	case limit == 0:
		if d.timer != nil {
			c.l.Timers().Disarm(&d.timer.Timer)
		}
	case d.waiter != nil && limit > c.l.LookedNS():
		c.armToWait(d, limit)
	case d.waiter != nil:
		c.arm(d, limit)
	default:
		if d.timer != nil && (!d.busy || limit == passed) { // word of an older one may come when this has passed
			d.timer.leeway.end()
		}
		if dir == In && c.hooks.Rests() {
			c.arm(d, limit)
		}
	}
}

// SetLimit sets a direction's deadline, by NowNS. For tasks of the loop.
func (c *Core) SetLimit(dir Dir, at int64) {
	c.limits[dir].Store(at)
	c.moved(dir)
}

// Follow is for hooks whose input begins to rest: from then on the input's deadline counts.
func (c *Core) Follow() {
	if c.limits[In].Load() != 0 || c.own.dirs[In].timer != nil {
		c.moved(In)
	}
}

// Late returns the error of a task of the loop whose deadline has passed before its call; nil if it has not.
func (c *Core) Late(dir Dir) error { return c.late(dir, c.l.NowNS()) }

// Limit returns a direction's deadline, by NowNS; 0 if there is none.
func (c *Core) Limit(dir Dir) int64 { return c.limits[dir].Load() }

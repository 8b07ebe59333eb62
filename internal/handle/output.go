package handle

import (
	"net"
	"time"

	"ringo/internal/bufs"
	"ringo/internal/fd"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/timer"
)

// output is what tasks of the loop have written and the kernel has not taken.
//
//	Write ──Accept──▶ accepted ──the turn's end, or Push──▶ sent
//	                     │ no room, or too little
//	                     ▼
//	                  unsent ──an op, when there is room──▶ sent
//	                     │ the handle closes
//	                     ▼
//	                  tail: the descriptor stays open until it is sent, for a while
//
// Accepted bytes are in the loop's outbox, and are sent before anything that is written later. Code that sends by
// other ways flushes first: that sends what was accepted, and waits for what is unsent.
type output struct {
	accepted loop.Accepted
	unsent   *unsent // nil if all was sent
	slow     bool    // the last send found too little room: accept nothing until one finds enough
	room     int32   // memory that the socket is known to have for sends, see takeRoom
}

// unsent is what the socket had no room for, or the error of the send.
type unsent struct {
	c    *Core
	rest []byte
	err  error // for the next call

	waiting loop.TaskList // tasks that wait for the op's end
}

// Accepts reports whether the socket had room for all of the last send; if not the handle accepts nothing.
func (c *Core) Accepts() bool { return c.own.out.unsent == nil && !c.own.out.slow }

// Accept takes p, to send it at the turn's end, behind what was accepted before. It reports false if the caller has to
// send p by another way. For tasks of the loop that have access to the output.
func (c *Core) Accept(p []byte) bool {
	return c.Accepts() && c.takeRoom(len(p)) && c.l.Outbox().Accept(&c.own.out.accepted, (*sender)(c), c.fd.Sys(), p)
}

// AcceptShared is Accept without a copy, for bytes that no code changes from now on.
func (c *Core) AcceptShared(p []byte) bool {
	return c.Accepts() && c.takeRoom(len(p)) &&
		c.l.Outbox().AcceptShared(&c.own.out.accepted, (*sender)(c), c.fd.Sys(), p)
}

// takeRoom reports whether n more bytes may be accepted, and takes the room for them. They may, unless the outbox is
// Crowded with unsent bytes of other handles. Then it asks the socket now and then: bytes that the socket has room for
// will be sent, so peers that don't read slow down only their own writers.
func (c *Core) takeRoom(n int) bool { return !c.l.Outbox().Crowded() || c.takeRoomInCrowd(n) }

func (c *Core) takeRoomInCrowd(n int) bool {
	o := &c.own.out
	cost := int32(2*n + sendCost)
	if o.room < cost && !c.l.Outbox().Has(o.accepted) { // if it has, some of the room is taken
		o.room = c.l.Outbox().Room(c.fd.Sys()) / 2
	}
	if o.room < cost {
		return false
	}
	o.room -= cost
	return true
}

// sendCost is the most memory that a send needs beside its bytes. Bytes that are in pages may need twice as much as
// their number.
const sendCost = 2304

// AcceptsBuffer reports whether a buffer of n bytes may be accepted, and takes the room for it. AcceptBuffer must
// follow.
func (c *Core) AcceptsBuffer(n int) bool {
	return c.Accepts() && c.takeRoom(n) && c.l.Outbox().AcceptsBuffer(c.own.out.accepted, n)
}

// AcceptBuffer is Accept without a copy, for the bytes of one of the loop's buffers. The buffer then belongs to the
// loop.
func (c *Core) AcceptBuffer(b *bufs.Buffer) {
	c.l.Outbox().AcceptBuffer(&c.own.out.accepted, (*sender)(c), c.fd.Sys(), b)
}

// Slow records whether a send of the owner has found too little room. Later writes then wait in the caller's memory,
// and not in the loop's.
func (c *Core) Slow(slow bool) { c.own.out.slow, c.own.out.room = slow, 0 }

// Spends records that the owner is about to send by another way than Accept.
func (c *Core) Spends() { c.own.out.room = 0 }

// Push sends what was accepted, without waiting for room. For the loop's thread.
func (c *Core) Push() {
	if c.own != nil {
		c.l.Outbox().SendNow(&c.own.out.accepted)
	}
}

// Owes reports whether accepted bytes were not sent, or have failed with an error that no call has returned. For the
// loop's thread.
func (c *Core) Owes() bool {
	return c.own != nil && (c.own.out.unsent != nil || c.l.Outbox().Has(c.own.out.accepted))
}

// HasUnsent reports whether accepted bytes wait for room, or have failed with an error that no call has returned. For
// tasks of the loop.
func (c *Core) HasUnsent() bool { return c.own.out.unsent != nil }

// HasFailed reports whether a send has failed with an error that no call has returned. For tasks of the loop.
func (c *Core) HasFailed() bool { return c.own.out.unsent != nil && c.own.out.unsent.err != nil }

// SendLater makes the loop send p when there is room, as it does with accepted bytes that found none. No code may
// change p. For tasks of the loop that have access to the output, while nothing is unsent.
func (c *Core) SendLater(p []byte) {
	u := &unsent{c: c, rest: p}
	c.own.out.unsent, c.own.out.slow = u, true
	c.l.Outbox().Unsent(len(p))
	u.submit()
}

// Accepted returns what was accepted, for a call that sends it together with what follows. SentWith must follow.
func (c *Core) Accepted() []byte { return c.l.Outbox().Accepted(c.own.out.accepted) }

// SentWith takes the result of that call, and returns how many of the bytes that follow were sent: none if the
// accepted bytes were not all sent. Those wait for room then, or err is why they can't be sent.
func (c *Core) SentWith(res int32) (n int, err error) {
	n = int(c.l.Outbox().SentWith(&c.own.out.accepted, res))
	if c.HasUnsent() {
		_, err = c.FlushNow()
	}
	return n, err
}

// OwnerOwes is Owes for foreign callers, which can't know all: the bytes may be of another handle of the loop.
func (c *Core) OwnerOwes() bool {
	if c.l.Ended() || !c.l.Outbox().Owes() {
		return false
	}
	f := c.foreign.Load()
	if f == nil {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.halves[Out].held && !f.isClosing()
}

// Flush sends what was accepted, and waits until all of it is sent. It returns the error of a send, once, or why the
// caller must not wait any longer. For tasks of the loop that have access to the output.
func (c *Core) Flush() error {
	c.l.Outbox().SendNow(&c.own.out.accepted)
	if c.own.out.unsent == nil {
		return nil
	}
	return c.awaitUnsent()
}

// FlushNow is Flush without a wait. ok reports whether all is sent, or has failed.
func (c *Core) FlushNow() (ok bool, err error) {
	c.l.Outbox().SendNow(&c.own.out.accepted)
	u := c.own.out.unsent
	if u == nil {
		return true, nil
	}
	if u.err == nil {
		return false, nil
	}
	c.own.out.unsent = nil
	return true, u.err
}

// FlushFirst is Flush for a task of the loop that goes on with a call that needs no access to the output. The writer
// that has access may wait for room as well, with bytes that come after.
func (c *Core) FlushFirst() error {
	c.Push()
	if !c.Owes() {
		return nil
	}
	return c.awaitUnsent()
}

// SentFirst is FlushFirst for a call that does not return errors of sends: the error stays for the next call that
// does.
func (c *Core) SentFirst() error {
	if c.Push(); !c.Owes() {
		return nil
	}
	return c.awaitSent()
}

// awaitUnsent is not inlined so that a task that need not wait has a smaller stack: BenchmarkIdleMemory of sock.
//
//go:noinline
func (c *Core) awaitUnsent() error {
	if err := c.awaitSent(); err != nil {
		return err
	}
	if u := c.own.out.unsent; u != nil {
		c.own.out.unsent = nil
		return u.err
	}
	return nil
}

// awaitSent waits until nothing is unsent, or the send has failed.
func (c *Core) awaitSent() error {
	out := &c.own.out
	for u := out.unsent; u != nil && u.err == nil; u = out.unsent {
		if err := c.State(Out); err != nil {
			return err
		}
		if c.l.Canceled() {
			return c.l.Cause()
		}
		if c.own.dirs[Out].Op == nil {
			u.submit()
			continue
		}
		u.waiting.Push(c.l.Task())
		c.l.Park((*flushing)(u))
	}
	if c.state != open { // the handle was closed after all was sent, before this task went on
		return net.ErrClosed
	}
	return nil
}

// flushing is an unsent as the Waiter of a task.
type flushing unsent

// CancelWait resumes a cancelled task; the send goes on.
func (f *flushing) CancelWait(t *loop.Task) {
	f.waiting.Remove(t)
	t.Loop().Ready(t)
}

// sender is the core as a Sender of the outbox.
type sender Core

// Unsent keeps the bytes that were not sent, and sends them when there is room.
func (s *sender) Unsent(res int32, rest []byte) {
	c := (*Core)(s)
	if res < 0 && res != -sys.EAGAIN {
		u := &unsent{c: c}
		c.own.out.unsent, c.own.out.slow = u, true
		u.fail(res)
		return
	}
	c.SendLater(append([]byte(nil), rest...))
}

// submit makes the driver send the bytes when there is room. It fails while the loop stops, when nothing would end the
// op.
func (u *unsent) submit() {
	c := u.c
	if c.l.Stopping() || c.l.Ending() {
		u.fail(-sys.ECANCELED)
		return
	}
	o := c.l.Ops().New(op.Send)
	if o == nil {
		u.fail(-sys.ENOBUFS)
		return
	}
	o.Flags, o.Buf, o.FD, o.Sink = op.Full, u.rest, &c.fd, u
	d := &c.own.dirs[Out]
	d.Op = o
	c.l.Handles().Hold(1)
	c.l.Ops().Time(o)
	if limit := c.limits[Out].Load(); limit != 0 {
		c.arm(d, limit)
	}
	c.l.Ops().Submit(o)
}

// Complete takes in the result of the op. A cancelled op may have sent a part. What is left is sent before anything
// else, if the deadline still allows a wait.
func (u *unsent) Complete(o *op.Op, res int32, flags uint32) {
	c, behind := u.c, o.Behind
	d := &c.own.dirs[Out]
	d.Op = nil
	c.l.Ops().Free(o)
	c.l.Handles().Hold(-1)
	if res > 0 {
		u.rest = u.rest[res:]
		c.l.Outbox().Unsent(-int(res))
		res = -int32(behind)
	}
	switch {
	case len(u.rest) == 0:
		c.own.out.unsent = nil
	case res < 0 && res != -sys.ECANCELED:
		u.fail(res)
	case c.State(Out) == nil: // the deadline was moved while the op was being ended
		u.submit()
	}
	u.waiting.ReadyAll()
	if c.own.dirs[In].lent != nil {
		c.Forget()
	}
	c.Settle()
}

// fail gives up the bytes that are left, with res -ECANCELED at the loop's end. From here on the stream would have a
// hole, so it ends here. The peer must not take that for an orderly end, and callers that wait for the peer's answer
// must not wait for ever.
func (u *unsent) fail(res int32) {
	u.drop()
	u.err = CallError("write", res)
	if res == -sys.ECANCELED {
		u.err = ErrEnded
	}
	switch -res {
	case sys.EPIPE, sys.ECONNRESET, sys.ETIMEDOUT: // the kernel reports it to readers
	default:
		u.c.breakOff()
		if u.c.state == open {
			u.c.hooks.SendFailed(res)
		}
	}
}

// breakOff ends a connection in both directions. The peer sees a reset, where the protocol has one.
func (c *Core) breakOff() {
	c.disconnect(&c.own.dirs[Out])
	c.l.Kernel().Shutdown(c.fd.Sys(), shutBoth)
}

const shutBoth = 2 // SHUT_RDWR

func (u *unsent) drop() {
	u.c.l.Outbox().Unsent(-len(u.rest))
	u.rest = nil
}

// sending reports whether unsent bytes wait for room.
func (c *Core) sending() bool {
	return c.own.out.unsent != nil && c.own.dirs[Out].Op != nil
}

// follow makes the send of unsent bytes follow a deadline that was moved.
func (c *Core) follow(limit int64) {
	u, d := c.own.out.unsent, &c.own.dirs[Out]
	switch {
	case u.rest == nil || c.state != open:
	case d.Op != nil && limit != 0:
		c.arm(d, limit)
	case d.Op == nil && (limit == 0 || limit > c.l.NowNS()):
		u.submit()
	}
}

// TakeUnsent gives the caller what is unsent, of a handle that leaves its loop, or the error of a send that no call
// has returned. For the hook Settled.
func (c *Core) TakeUnsent() (rest []byte, err error) {
	if u := c.own.out.unsent; u != nil {
		rest = u.rest
		u.drop()
	}
	c.leaveError()
	return rest, c.TakeError()
}

// Resume makes a new handle begin with what was unsent on another one, or with the error of that.
func (c *Core) Resume(rest []byte, err error) {
	switch {
	case err != nil:
		c.own.out.unsent = &unsent{c: c, err: err}
	case len(rest) > 0:
		(*sender)(c).Unsent(0, rest)
	}
}

// leaveError leaves the error of a send that no call has returned to callers that are in Close or come to it, whether
// the output belongs to the loop or to foreign callers. No caller uses the output. On the loop's thread.
func (c *Core) leaveError() {
	if u := c.own.out.unsent; u != nil && u.err != nil {
		c.own.out.unsent = nil
		c.keepError(u.err)
	}
	c.leaveForeignError()
}

// leaveForeignError is leaveError for an output of foreign callers only. Any thread.
func (c *Core) leaveForeignError() {
	f := c.foreign.Load()
	if f == nil || f == nobody {
		return
	}
	f.mu.Lock()
	err := f.halves[Out].takeError()
	f.mu.Unlock()
	if err != nil {
		c.keepError(err)
	}
}

// keepError is a function of its own because its argument escapes to the heap.
func (c *Core) keepError(err error) { c.sendErr.Store(&err) }

// TakeError returns that error to the first caller that asks after the handle is closed. Any caller.
func (c *Core) TakeError() error {
	if err := c.sendErr.Swap(nil); err != nil {
		return *err
	}
	return nil
}

// tail is what is left of a closed handle: its descriptor, and accepted bytes that the socket had no room for. The
// loop sends them in the background, as the kernel does with the bytes in the socket.
type tail struct {
	l     *loop.Loop
	fd    fd.FD
	op    *op.Op // nil once it has ended
	rest  []byte
	timer timer.Timer
	open  loop.Handle
	then  func(fd int32) // gets the descriptor; nil: the tail closes it
}

// tailMax is how long the peer may take if there is no deadline.
const tailMax = time.Minute

// leaveTail gives the descriptor to a tail, if there are unsent bytes for one. The tail passes it to then at its end.
func (c *Core) leaveTail(then func(fd int32)) bool {
	u := c.own.out.unsent
	if u == nil || len(u.rest) == 0 {
		return false
	}
	linger := c.Linger()
	switch {
	case linger == 0:
		u.drop()
		return false
	case c.l.Ending(), c.l.Stopping():
		u.fail(-sys.ECANCELED)
		return false
	}
	o := c.l.Ops().New(op.Send)
	if o == nil {
		u.fail(-sys.ENOBUFS)
		return false
	}
	limit := c.l.After(tailMax)
	if linger > 0 {
		limit = c.l.After(time.Duration(linger) * time.Second)
	}
	if at := c.limits[Out].Load(); at != 0 {
		limit = min(limit, at)
	}
	t := &tail{l: c.l, op: o, rest: u.rest, then: then}
	u.rest = nil
	t.timer.Owner = t
	t.fd.Init(c.Take())
	o.Flags, o.Buf, o.FD, o.Sink = op.Full, t.rest, &t.fd, t
	t.l.Handles().Register(&t.open, t)
	t.l.Handles().Hold(1)
	t.l.Timers().Arm(&t.timer, limit)
	t.l.Ops().Submit(o)
	return true
}

// Complete closes the descriptor. A peer that has not got all accepted bytes must not see an orderly end.
func (t *tail) Complete(o *op.Op, res int32, _ uint32) {
	t.op = nil
	t.l.Ops().Free(o)
	if int(res) != len(t.rest) {
		t.l.Kernel().SetLinger(t.fd.Sys(), 0)
	}
	t.l.Outbox().Unsent(-len(t.rest))
	t.l.Handles().Hold(-1)
	t.l.Timers().Remove(&t.timer)
	t.l.Handles().Unregister(&t.open)
	if t.then == nil {
		t.l.CloseFD(&t.fd)
		return
	}
	t.l.Forget(&t.fd)
	t.then(t.fd.Take())
}

// Fire ends the tail.
func (t *tail) Fire(*timer.Timer) { t.Abandon() }

// Drain ends the tail if Grace has ended.
func (t *tail) Drain() {
	if t.l.Stopping() {
		t.Abandon()
	}
}

// Abandon ends the tail: the completion of its op closes the descriptor.
func (t *tail) Abandon() {
	if !t.op.Canceled {
		t.l.Ops().Cancel(t.op)
	}
}

package uring

import (
	"fmt"
	"sync/atomic"
	"time"

	"ringo/internal/bufs"
	"ringo/internal/driver"
	"ringo/internal/fd"
	"ringo/internal/mailbox"
	"ringo/internal/offload"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/race"
	"ringo/internal/sys"
	"ringo/stats"
	"ringo/uring"
)

// ring is the driver. The thread that opened it owns it.
type ring struct {
	driver.Host

	r    *uring.Ring
	slab *op.Slab
	now  func() int64
	rest func(time.Duration) // time.Sleep, except in tests

	pool  *bufs.Pool
	lends *uring.BufRing

	ways     [op.Codes][4]*op.Way // the way of each op, by its flags: see index
	degraded [op.Codes]uint8      // bits by index: the way is not the best one
	used     []stats.Way          // the ways in use, for reports
	edges    bool                 // multishot polls work
	limits   bool                 // multishot receives can be limited

	outbox  *driver.Outbox // nil if the loop has none
	sending sending
	batch   uint64 // number of the latest Wait that sends
	entries int    // sends before this index are entries of this Wait; 0: none
	unheard int    // entries whose CQEs have not come, where each has one
	lost    uint32 // CQEs that the kernel had dropped before this Wait

	backlog     op.List  // ops that wait for room in the SQ
	deferred    op.List  // ops that wait for their stream
	toOffload   op.List  // ops that the next Wait gives to workers
	fresh       []uint64 // tokens of ops to try once they are armed
	cancelNow   []uint64 // tokens of ops whose cancels are repeated now
	cancelLater []uint64 // and later
	cancelAt    int64    // when that is
	cancels     []uint64 // tokens whose cancels wait for room in the SQ
	early       []endedOp
	inFlight    int  // ops that the kernel or a worker has, polls included
	passed      bool // a poll has ended, maybe ahead of ops that had waited for longer, see catchUp
	extArg      bool
	timing      bool   // the latest timeout is in flight
	timerAt     int64  // its deadline
	timers      uint32 // number of the latest timeout

	files    *offload.Workers // nil until an op needs them
	offloads driver.Jobs      // ops that workers have

	gate    mailbox.Gate
	called  atomic.Bool   // by a Wake, and not by a worker
	sent    atomic.Uint64 // calls of Wake that took a system call
	wakeFD  int32
	wakeSet bool // the eventfd's poll is armed
	timer   uring.Timespec
	pause   uring.Timespec // the time of a waitsPause

	cqes     []uring.CQE
	features []string
	reason   string
	stats    stats.Driver
	fault    func() error // Config.Fault
	dead     error
	ended    bool  // endAll has run: the ring has died, and its ops were cancelled
	diedAt   int64 // when that was
	revoked  bool  // the kernel has accepted a cancel of all ops of the dead ring
	pipe     int32 // reports the end of a ring that is being torn down; -1 if none is
	gone     bool  // the ring has been torn down
	exposed  bool  // the kernel may still fill buffers of the pool, for ops that have ended
	closed   bool
}

// Try runs the op as a plain call.
func (d *ring) Try(o *op.Op) (res int32, ok bool) {
	def := o.Def()
	switch {
	case def.Kind == op.Blocking:
		return driver.Cached(o)
	case def.Attempt == nil || o.Selects():
		return 0, false
	}
	for { // the caller may have no other occasion to call again
		if res = driver.Call(o); res != -sys.EINTR {
			return res, res != -sys.EAGAIN
		}
	}
}

// Forget does nothing: the ring knows descriptors only by its ops.
func (d *ring) Forget(*fd.FD) {}

// Submit queues the op for the next enter.
func (d *ring) Submit(o *op.Op) {
	if o.State != op.Idle || d.closed {
		refuse(o, d.closed)
	}
	if race.Enabled {
		race.WriteLike()
		o.EachRead(race.ReadRange)
	}
	o.State = op.Queued
	o.Mode = d.begin(o)
	if o.FD != nil {
		o.FD.Ref()
		if dir := direction(o); dir != 0 && !o.FD.Claim(dir) {
			d.deferred.Push(o)
			return
		}
	}
	if byReadiness(o.Mode) && o.Flags&op.Tried == 0 && o.Code != op.Send && o.Code != op.SendZC &&
		o.Code != op.Sendmsg && o.Code != op.Sendmmsg {
		d.untried(o)
	}
	switch { // as start does, with one frame less on the stack
	case o.Mode == waitsFile:
		d.toOffload.Push(o)
	case d.dead != nil || !d.backlog.Empty() || !d.prep(o):
		d.queue(o)
	}
}

// refuse is not inlined into Submit, for the same reason as untried: BenchmarkIdleMemory of sock.
//
//go:noinline
func refuse(o *op.Op, closed bool) {
	panic(fmt.Sprintf("driver/uring: submit of %s in state %d (driver closed: %v)", o.Def().Name, o.State, closed))
}

// untried records that what the op waits for may be there already. It is not inlined because tasks call Submit, and
// their stacks must stay small: with it inlined, those of sock.TestParkedStacks are of the next size, 2 KiB more a
// connection in BenchmarkIdleMemory of sock.
//
//go:noinline
func (d *ring) untried(o *op.Op) { d.fresh = append(d.fresh, o.Token()) }

// start hands the op to the kernel, or to the backlog if the SQ is full.
func (d *ring) start(o *op.Op) {
	if o.Mode == waitsFile {
		d.toOffload.Push(o)
		return
	}
	if d.dead == nil && d.backlog.Empty() && d.prep(o) {
		return
	}
	d.queue(o)
}

// queue puts the op into the backlog, where it waits for room.
func (d *ring) queue(o *op.Op) {
	d.stats.Queued++
	d.backlog.Push(o)
}

// prep writes the op's entry. It reports false if the SQ has no room.
func (d *ring) prep(o *op.Op) bool {
	e := d.r.SQE() // as sqe does, with one frame less on the stack
	if e == nil {
		if e = d.sqe(); e == nil {
			return false
		}
	}
	switch o.Mode {
	case waitsItself, waitsNext:
		d.way(o).Prep(o, e)
		e.UserData = o.Token() | markOp
		if o.Code == op.Recv && o.Flags&op.Multishot != 0 && d.limits {
			e.LimitRecv(o.Limit)
		}
	case waitsReady, waitsPlain:
		e.PrepPollAdd(int(o.FD.Sys()), o.Interest())
		e.UserData = o.Token() | markPoll
	case waitsEdge:
		e.PrepPollMultishot(int(o.FD.Sys()), o.Interest())
		e.UserData = o.Token() | markPoll
	case waitsPause:
		e.PrepTimeout(&d.pause, 0, 0)
		e.UserData = o.Token() | markPoll
	}
	o.State = op.InFlight
	d.inFlight++
	d.stats.Submitted++
	return true
}

// sqe returns a free entry. If there is none it enters once to make room; it returns nil if that did not help.
func (d *ring) sqe() *uring.SQE {
	if e := d.r.SQE(); e != nil {
		return e
	}
	d.enter(0, -1)
	return d.r.SQE()
}

// flush moves what waited for room into the SQ: cancels first, because the ops that they end may be what takes up the
// room.
func (d *ring) flush() {
	for len(d.cancels) > 0 {
		e := d.sqe()
		if e == nil {
			return
		}
		last := len(d.cancels) - 1
		prepCancel(e, d.cancels[last])
		d.cancels = d.cancels[:last]
	}
	for !d.backlog.Empty() {
		o := d.backlog.First()
		if !d.prep(o) {
			return
		}
		d.backlog.Pop()
	}
}

// enter makes the system call and sorts its errors: those that pass are left to the caller's next round, all others
// kill the driver.
func (d *ring) enter(min uint32, timeout time.Duration) {
	if d.faulty() {
		return
	}
	d.pool.Refill()
	d.stats.Enters++
	pending := d.r.SQPending()
	consumed, errno := d.r.Enter(min, true, timeout)
	if consumed < pending && d.r.Flags()&uring.SetupSQPoll == 0 { // the SQPOLL thread takes entries in its own time
		d.stats.ShortSubmits++
	}
	switch errno {
	case 0, posix.EINTR, posix.ETIME, posix.EAGAIN, posix.EBUSY:
		// EAGAIN means a lack of memory, EBUSY a full CQ: reaping helps with both.
	case posix.EEXIST:
		panic("driver/uring: used from a thread that is not its loop's")
	default:
		d.dead = &driver.SetupError{Driver: "uring", Step: "io_uring_enter", Err: errno,
			Hint: "the ring worked before: a seccomp filter set up since, or a kernel without memory"}
	}
}

// Wake ends the present wait or the next one.
func (d *ring) Wake() {
	d.called.Store(true)
	if d.wake() {
		d.sent.Add(1)
	}
}

// signal wakes the owner for a worker: it ends no Wait by itself.
func (d *ring) signal() { d.wake() }

// wake is signal, and reports whether it took a system call.
func (d *ring) wake() bool {
	if !d.gate.Notify() {
		return false
	}
	sys.Signal(d.wakeFD)
	if d.gate.Signalled() {
		sys.Close(d.wakeFD)
	}
	return true
}

// Info describes the driver.
func (d *ring) Info() driver.Info {
	d.stats.WakesSent = d.sent.Load()
	return driver.Info{
		Info: stats.Info{Name: "uring", Reason: d.reason, Features: d.features, Lends: d.lends != nil,
			Entries: d.r.SQEntries(), Ways: d.used},
		Edges: d.edges, Stats: d.stats,
	}
}

// direction returns which side of a stream the op uses. Two ops must not use one side at the same time, because the
// kernel might complete them in any order.
func direction(o *op.Op) uint8 {
	switch o.Code {
	case op.Recv, op.Recvmsg, op.Recvmmsg, op.SpliceIn:
		return fd.In
	case op.Send, op.SendZC, op.Sendmsg, op.Sendmmsg, op.SpliceOut, op.Sendfile:
		return fd.Out
	case op.Read:
		if o.Off < 0 {
			return fd.In
		}
	case op.Write:
		if o.Off < 0 {
			return fd.Out
		}
	}
	return 0
}

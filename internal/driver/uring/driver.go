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
	rest func(time.Duration) // time.Sleep

	pool  *bufs.Pool
	lends *uring.BufRing

	ways     [op.Codes][4]*op.Way // what each op does, by its flags: see index
	degraded [op.Codes]uint8      // bits by index: not the best way
	used     []stats.Way          // the ways, for people
	edges    bool                 // there are multishot polls
	limits   bool                 // multishot receives can be limited

	outbox  *driver.Outbox // nil: the loop has none
	sending sending
	batch   uint64 // numbers the Waits that send
	entries int    // of this Wait, those before it have been entries; 0: there were none
	unheard int    // entries whose CQEs are still to come, where each has one
	lost    uint32 // CQEs that the kernel had thrown away before

	backlog     op.List  // ops that wait for room in the SQ
	deferred    op.List  // ops that wait for their stream
	toOffload   op.List  // ops for the workers, in the next Wait
	fresh       []uint64 // receives to be tried by hand, once armed
	cancelNow   []uint64 // ops to be cancelled once more, now
	cancelLater []uint64 // and later
	cancelAt    int64    // when that is
	cancels     []uint64 // tokens whose cancels wait for room in the SQ
	early       []endedOp
	inFlight    int  // ops that the kernel has, their polls included
	passed      bool // a poll has ended, maybe before what had waited for longer, see catchUp
	extArg      bool
	timing      bool   // the latest TIMEOUT is still under way
	timerAt     int64  // its deadline
	timers      uint32 // how many there were

	files    *offload.Workers // nil as long as nobody needed them
	offloads []*offloaded     // ops in their hands
	spare    *offloaded

	gate    mailbox.Gate
	called  atomic.Bool   // by Wake, and not only by a worker
	sent    atomic.Uint64 // calls of Wake that signalled
	wakeFD  int32
	wakeSet bool // the eventfd's poll is armed
	timer   uring.Timespec
	pause   uring.Timespec // how long waitsPause is

	cqes     []uring.CQE
	features []string
	reason   string
	stats    stats.Driver
	fault    func() error // Config.Fault
	dead     error
	ended    bool  // the ring has died, and what it has was told to end
	diedAt   int64 // when that was
	revoked  bool  // the kernel has accepted the cancel of all that it has of a dead ring
	pipe     int32 // where the end of a ring is told that is being torn down, -1 if none is
	gone     bool  // it has ended
	exposed  bool  // the kernel may fill buffers of the pool that nobody waits for
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
	for { // who asks may have nothing else that would make the call again
		if res = driver.Call(o); res != -sys.EINTR {
			return res, res != -sys.EAGAIN
		}
	}
}

// Forget has nothing to end: the ring knows descriptors by its ops only.
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
	switch { // as start, with one call less on the stack
	case o.Mode == waitsFile:
		d.toOffload.Push(o)
	case d.dead != nil || !d.backlog.Empty() || !d.prep(o):
		d.queue(o)
	}
}

// refuse is apart from Submit for the same reason as untried: BenchmarkIdleMemory of sock.
//
//go:noinline
func refuse(o *op.Op, closed bool) {
	panic(fmt.Sprintf("driver/uring: submit of %s in state %d (driver closed: %v)", o.Def().Name, o.State, closed))
}

// untried notes that what the op waits for may be there already. It is apart because tasks
// submit, and their stacks are to stay small: inlined, those of sock.TestParkedStacks are
// the next size, which is 2 KiB more a connection in BenchmarkIdleMemory of sock.
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

// queue has the op wait for room.
func (d *ring) queue(o *op.Op) {
	d.stats.Queued++
	d.backlog.Push(o)
}

// prep writes the op's entry. It reports false if there is no room for it.
func (d *ring) prep(o *op.Op) bool {
	e := d.r.SQE() // as sqe, with one call less on the stack
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

// sqe returns a free entry; if there is none it flushes once.
func (d *ring) sqe() *uring.SQE {
	if e := d.r.SQE(); e != nil {
		return e
	}
	d.enter(0, -1)
	return d.r.SQE()
}

// flush moves what waited for room into the SQ: cancels first, because what they
// end may be what holds the room.
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

// enter makes the system call and sorts its errors: those that end by themselves
// are left to the caller's next round, those that don't kill the driver.
func (d *ring) enter(min uint32, timeout time.Duration) {
	if d.faulty() {
		return
	}
	d.pool.Refill()
	d.stats.Enters++
	pending := d.r.SQPending()
	consumed, errno := d.r.Enter(min, true, timeout)
	if consumed < pending && d.r.Flags()&uring.SetupSQPoll == 0 { // a kernel thread takes them in its own time
		d.stats.ShortSubmits++
	}
	switch errno {
	case 0, posix.EINTR, posix.ETIME, posix.EAGAIN, posix.EBUSY:
		// EAGAIN is a shortage of memory, EBUSY a full CQ: reaping helps both.
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

// signal makes the owner look round.
func (d *ring) signal() { d.wake() }

// wake is signal, and reports whether that took a system call.
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

// direction says which side of a stream the op uses, so that no two ops use one
// at a time: the kernel would complete them in any order.
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

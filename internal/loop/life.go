package loop

import (
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"ringo/internal/bufs"
	"ringo/internal/driver"
	"ringo/internal/kernel"
	"ringo/internal/op"
	"ringo/internal/places"
	"ringo/internal/rt/code"
	"ringo/internal/rt/gmark"
	"ringo/internal/rt/sched"
	"ringo/internal/rt/stacks"
)

// life is the state of a loop between its start and its end.
type life struct {
	l        *Loop
	draining atomic.Bool
	stopping bool
	ending   bool  // the loop closes what was left open
	dead     bool  // the driver has died
	endBy    int64 // until when a dead loop's tasks may go on
	killed   bool  // see Program.Kill
	ended    atomic.Bool
	rests    atomic.Uint64 // odd while the loop rests: all it may have to do is start tasks, see mayEnd
	starts   atomic.Bool   // in a rest: the loop has taken in tasks to start
	ownLulls atomic.Int32
	shut     atomic.Bool  // see refusesCaller
	lastEnd  atomic.Int64 // when the last task ended after all were cancelled; 0 if none has
	queued   int64        // how long the thread had waited for a processor when they were; for Set.awaitEnds
}

// run is the function of a loop's goroutine. It never unlocks its thread, so the thread ends with the goroutine, and
// with it the affinity and all else that the kernel ties to the thread.
func (e *life) run(ready chan<- error, start <-chan bool, fn func(*Loop) error) {
	runtime.LockOSThread()
	leave, err := e.bind()
	defer leave()
	if err == nil {
		err = e.open()
	}
	ready <- err
	if err != nil {
		<-start
		return
	}
	l := e.l
	if !<-start {
		l.drv.Close(&l.done)
		return
	}
	register(l)
	if l.observer != nil {
		l.observer.Begins()
	}
	l.cfg.Log("loop begins", slog.Int("loop", l.index), slog.String("driver", l.info.Name),
		slog.String("reason", l.info.Reason))
	defer l.cfg.Log("loop ends", slog.Int("loop", l.index))
	e.startMain(fn)
	if err := l.turns(func() bool { return l.tasks.main.finished && e.mayEnd() }); err != nil {
		e.abort()
		return
	}
	e.close()
}

// open makes the driver and the pools of the loop, on the loop's own thread.
func (e *life) open() error {
	l, c := e.l, e.l.cfg
	if l.set.world.Beside() { // if not, one thread runs all loops
		l.thread.id, l.thread.seat, l.thread.goid = kernel.ThreadID(), sched.CurrentSeat(), stacks.GoroutineID()
	}
	l.tick()
	l.ops.l, l.ops.slab = l, op.NewSlab(0)
	l.pools.open(c, &l.mark)
	l.thread.g = gmark.Current()
	drv, err := c.Open(driver.Config{
		Loop: l.index, Slab: l.ops.slab, Outbox: &l.out.Outbox, Entries: c.Entries, Ring: l.pools.Ring,
		Now: l.set.elapsed, SQPoll: c.SQPoll,
	})
	if err != nil {
		return err
	}
	l.drv = drv
	l.stint.notices, _ = drv.(driver.Noticing)
	l.ops.plain, _ = drv.(driver.Plain)
	l.info = drv.Info()
	l.out.open(l)
	l.HasSpare()
	return nil
}

// bind binds the loop's thread to its CPUs. It must run before all else, so that the ring and the buffers are first
// touched on those CPUs and get memory of their node. The caller calls leave before the thread ends.
func (e *life) bind() (leave func(), err error) {
	cpus := e.l.cfg.Plan.Set(e.l.index)
	if cpus == nil {
		return func() {}, nil
	}
	leave, err = kernel.Bind(cpus)
	if err != nil {
		return func() {}, fmt.Errorf("ringo: Config.Place: loop %d can't be bound to CPUs %s: %w", e.l.index,
			places.List(cpus), err)
	}
	return leave, nil
}

// startMain starts fn as the loop's first task.
func (e *life) startMain(fn func(*Loop) error) {
	l := e.l
	var err error
	t := &Task{l: l}
	t.fn = func() {
		l.RunsFor(code.Of(fn))
		if start := l.cfg.Start; start != nil {
			if err = start(l); err != nil {
				return
			}
		}
		err = fn(l)
	}
	t.extension().onEnd = func(end error) {
		if end == nil {
			end = err
		}
		l.set.fnEnded(end)
	}
	t.inherit(inheritedFrom(nil)) // the labels of Run's caller, which the loop's goroutine has
	l.tasks.live++
	l.tasks.main = t
	l.ready.enqueue(item{task: t})
}

// mayEnd reports whether a loop that is in a lull may end. In a Run whose loops end together a loop must wait until
// all of them are in a lull; if it has nothing to start itself it also waits until no other loop has, because their
// tasks may still send it mail. The last loop that comes to rest sees that it is the last, and wakes the others so
// that they see it, too. A rest ends at the latest when the loop has waited.
func (e *life) mayEnd() bool {
	s := e.l.set
	if !s.together.Load() || e.stopping || e.killed {
		return true
	}
	e.starts.Store(e.hasTaken())
	e.rests.Add(1)
	switch all, none := s.rests(); {
	case !all:
		return false
	case !none:
		return e.hasStarts()
	}
	for _, l := range s.loops {
		if l != e.l {
			l.drv.Wake()
		}
	}
	return true
}

// goesOn ends the rest of a loop that has not ended.
func (e *life) goesOn() {
	if e.rests.Load()&1 == 1 {
		e.rests.Add(1)
	}
}

// drain stops accepting, and tells all other open handles that the loop will end.
func (e *life) drain() {
	e.draining.Store(true)
	e.l.handles.Each(func(o Open) { o.Drain() })
}

// cancelAll cancels all tasks. Tasks that start later are cancelled from the start.
func (e *life) cancelAll() {
	e.stopping = true
	e.drain() // again, if it was said before: now it is the last word
	for _, w := range append([]*worker(nil), e.l.workers.all...) {
		if w.task != nil {
			w.task.cancel()
		}
	}
}

// cancelBackground cancels the tasks of GoBackground when no others are left.
func (e *life) cancelBackground() {
	for _, w := range append([]*worker(nil), e.l.workers.all...) {
		if t := w.task; t != nil && t.Background() {
			t.cancel()
		}
	}
}

// close ends the loop: it refuses the mail that is left, closes what is open, and ends the driver. The mailbox comes
// first because mail in it may use handles and the driver.
func (e *life) close() {
	e.refuses()
	e.l.inbox.refuse()
	e.end()
	e.l.out.giveBack()
	e.l.pools = Buffers{} // a program that keeps the Loop, or a handle of it, must not keep these
}

// abort ends a loop whose driver died while tasks were left. They are not resumed, and their coroutines are lost, but
// callers that join them return with ErrEnded.
func (e *life) abort() {
	e.refuses()
	l := e.l
	l.inbox.refuse()
	e.refuseReady()
	for _, w := range l.workers.all {
		if t := w.task; t != nil {
			t.cancelContext()
			t.wakeJoiners(ErrEnded)
			if x := t.ext.Load(); x != nil && x.onLost != nil {
				x.onLost()
			}
		}
	}
	e.end()
}

// refuseReady ends tasks and jobs that are ready and have not begun.
func (e *life) refuseReady() {
	for e.l.ready.len() > 0 {
		switch it := e.l.ready.pop(); {
		case it.task == nil:
			refuseJob(it.job)
		case !it.resumes():
			it.task.wakeJoiners(ErrEnded)
		}
	}
	for t := range e.l.shares.unbegun() {
		t.wakeJoiners(ErrEnded)
	}
}

// end is the part that close and abort share.
func (e *life) end() {
	e.abandon()
	e.closeDriver()
	e.ended.Store(true)
	if l := e.l; l.set.world.Beside() { // a world deregisters the loops that share its thread; see Running and Totals
		if l.observer != nil {
			l.observer.Ends()
		}
		deregister(l)
	}
	e.l.workers.retire()
}

// abandon closes the handles that were left open.
func (e *life) abandon() {
	e.ending = true
	e.l.handles.Each(func(o Open) { o.Abandon() })
}

// closeDriver closes the driver, and passes its last completions on.
func (e *life) closeDriver() {
	if err := e.l.drv.Close(&e.l.done); err != nil {
		e.l.set.fail(err)
	}
	e.tellAll()
}

// tellAll passes all completions that the driver has queued to their sinks.
func (e *life) tellAll() {
	for e.l.done.Len() > 0 {
		e.l.complete()
	}
}

// refuses tells the observer that the mailbox is about to refuse mail.
func (e *life) refuses() {
	if e.l.observer != nil {
		e.l.observer.Refuses()
	}
}

// unwinds lets a loop go on for a while after its driver died of err, so that its tasks and handles end: they are
// cancelled and abandoned, and each of their waits ends at once. It reports false when that time is over.
func (e *life) unwinds(err error) bool {
	l := e.l
	if !e.dead {
		e.dead = true
		l.set.fail(err)
		l.tick()
		e.endBy = l.clock.now + int64(l.cfg.HardStop/2) // earlier than Run gives up
		e.cancelAll()
		e.abandon()
	}
	if l.busy() {
		return e.hasTime()
	}
	if l.set.world.Beside() { // if not, the driver moves the clock on
		time.Sleep(deadPause) // for tasks that wait for other threads: mail can't wake the loop now
	}
	l.tick()
	return e.hasTime()
}

// hasTime reports whether a loop whose driver has died may go on. Its tasks have until endBy, as they may wait for
// offloaded calls or for other loops. While the disk still works on an op of a task they get longer.
func (e *life) hasTime() bool {
	now := e.l.clock.now
	if now < e.endBy {
		return true
	}
	disk := false
	if now < e.endBy+int64(diskMax) {
		e.l.ops.slab.Each(func(o *op.Op) { disk = disk || o.State == op.InFlight && o.Def().Kind == op.Blocking })
	}
	return disk
}

// diskMax bounds how long a loop whose driver has died waits for the disk. Run has given up by then, and has named the
// tasks in its error: see Config.HardStop. At the bound the loop abandons the tasks, and their memory stays allocated.
const diskMax = time.Minute

// deadPause is how long a loop whose driver has died sleeps before it looks for mail again.
const deadPause = time.Millisecond

// Buffers are a loop's pools of buffers. They are nil once the loop has ended.
type Buffers struct {
	Ring  *bufs.Pool // for the kernel to fill
	Plain *bufs.Pool // for reads at readiness
	Large *bufs.Pool // for reads at readiness that expect much
}

// Lent reports whether a lease is of one of these buffers.
func (b *Buffers) Lent(lease bufs.Lease) bool {
	return lease.From(b.Ring) || lease.From(b.Plain) || lease.From(b.Large)
}

func (b *Buffers) open(c *Config, mark *gmark.Mark) {
	size := c.BufferSize
	b.Ring = bufs.NewRingPool(c.Buffers, ringTarget, size, mark)
	b.Plain = bufs.NewPool(plainMax, plainWarm, size+size/plainSpare, mark)
	b.Large = bufs.NewPool(plainMax, largeWarm, largeTimes*size+size/plainSpare, mark)
}

const (
	// ringTarget is how many buffers the kernel has at a time: more than one io_uring_enter fills, few enough to stay
	// in the cache.
	ringTarget = 64
	// plainWarm is how many free plain buffers keep their memory; plainMax bounds the number of all plain buffers.
	plainWarm = 64
	plainMax  = 1 << 20
	// plainSpare: plain buffers are larger than Config.BufferSize by 1/plainSpare. A receive that fills its buffer is
	// followed by another one that often finds nothing, and many programs send messages of just the size of a round
	// buffer: see bench run -cells 50x16384.
	plainSpare = 8
	// largeTimes is how many times as large as Config.BufferSize a large buffer is. largeWarm is how many free ones
	// keep their memory: few, because most users give one back before the next user takes one.
	largeTimes = 4
	largeWarm  = 8
)

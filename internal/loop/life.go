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

// life is a loop's way from its begin to its end, and how far it has come.
type life struct {
	l        *Loop
	draining atomic.Bool
	stopping bool
	ending   bool  // what was left open is being closed
	dead     bool  // the driver is
	endBy    int64 // when a dead loop's tasks have had their time
	killed   bool  // see Program.Kill
	ended    atomic.Bool
	rests    atomic.Uint64 // odd while it has nothing to do but what is to be started, see mayEnd
	starts   atomic.Bool   // in a rest: it has taken that in
	ownLulls atomic.Int32
	shut     atomic.Bool  // see refusesCaller
	lastEnd  atomic.Int64 // when the last task has ended, since all were cancelled; 0: none has
	queued   int64        // how long the thread had waited for a processor when they were; of Set.awaitEnds
}

// run is a loop's goroutine. It never unlocks its thread, so that thread, with
// its affinity and all that the kernel ties to it, ends with it.
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

// open makes what the loop needs, on its own thread.
func (e *life) open() error {
	l, c := e.l, e.l.cfg
	if l.set.world.Beside() { // or all loops have one thread
		l.thread.id, l.thread.seat, l.thread.goid = kernel.ThreadID(), sched.CurrentSeat(), stacks.GoroutineID()
	}
	l.tick()
	l.ops.l, l.ops.slab = l, op.NewSlab(0)
	l.pools.open(c, &l.mark)
	l.thread.g = gmark.Current()
	drv, err := c.Open(driver.Config{
		Loop: l.index, Slab: l.ops.slab, Outbox: &l.out.Outbox, Entries: c.Entries, Ring: l.pools.ring,
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

// bind binds the loop's thread to its CPUs. That comes before all else, so that the memory of its ring and buffers is
// first touched there, and is that of its node. leave is called before the thread ends.
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

// startMain makes fn the loop's first task.
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
	t.inherit(inheritedFrom(nil)) // from Run's caller, by way of the loop's goroutine
	l.tasks.live++
	l.tasks.main = t
	l.ready.enqueue(item{task: t})
}

// mayEnd reports whether a loop may end that is in a lull. In a Run whose loops end together it may when all of them
// are, and if it has nothing to start, when none has: the others' tasks may ask it until then. The last loop that comes
// to rest sees that it is the last, and wakes the others so that they see it, too. A loop rests at most until it has
// waited.
func (e *life) mayEnd() bool {
	s := e.l.set
	if !s.together.Load() || e.stopping || e.killed {
		return true
	}
	e.starts.Store(e.l.hasTaken())
	e.rests.Add(1)
	switch all, none := s.rests(); {
	case !all:
		return false
	case !none:
		return e.l.hasStarts()
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

// drain stops what accepts, and tells the rest of what is open that the end is near.
func (e *life) drain() {
	e.draining.Store(true)
	e.l.handles.Each(func(o Open) { o.Drain() })
}

// cancelAll cancels what runs; what starts later starts cancelled.
func (e *life) cancelAll() {
	e.stopping = true
	e.drain() // again, if it was said before: now it is the last word
	for _, w := range append([]*worker(nil), e.l.workers.all...) {
		if w.task != nil {
			e.l.cancelTask(w.task)
		}
	}
}

// cancelBackground cancels the tasks of GoBackground, which are all that is left.
func (e *life) cancelBackground() {
	for _, w := range append([]*worker(nil), e.l.workers.all...) {
		if t := w.task; t != nil && t.Background() {
			e.l.cancelTask(t)
		}
	}
}

// close ends the loop: what is open on it is closed, the driver drained. The
// mailbox comes first: what is still in it may look at handles and the driver.
func (e *life) close() {
	e.refuses()
	e.l.inbox.refuse()
	e.end()
	e.l.out.giveBack()
	e.l.pools = buffers{} // whoever keeps the Loop, or what was open on it, does not keep these
}

// abort ends a loop whose driver died under tasks that have not ended. They will not be
// resumed, and their coroutines are lost; but nobody shall wait for them.
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

// refuseReady ends what is ready and has not begun.
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

// end is what both have in common.
func (e *life) end() {
	e.abandon()
	e.closeDriver()
	e.ended.Store(true)
	if l := e.l; l.set.world.Beside() { // one that shares its thread is its world's; see Running and Totals
		if l.observer != nil {
			l.observer.Ends()
		}
		deregister(l)
	}
	e.l.workers.retire()
}

// abandon closes what was left open.
func (e *life) abandon() {
	e.ending = true
	e.l.handles.Each(func(o Open) { o.Abandon() })
}

// closeDriver ends the driver, and tells what it has still to say.
func (e *life) closeDriver() {
	if err := e.l.drv.Close(&e.l.done); err != nil {
		e.l.set.fail(err)
	}
	e.tellAll()
}

// tellAll tells all that is told already.
func (e *life) tellAll() {
	for e.l.done.Len() > 0 {
		e.l.complete()
	}
}

// refuses says that the mailbox is about to refuse mail.
func (e *life) refuses() {
	if e.l.observer != nil {
		e.l.observer.Refuses()
	}
}

// unwinds has a loop go on whose driver has died of err, so that its tasks and handles
// end: they are told, and what they wait for ends at once. It reports false when they
// have had their time.
func (e *life) unwinds(err error) bool {
	l := e.l
	if !e.dead {
		e.dead = true
		l.set.fail(err)
		l.tick()
		e.endBy = l.clock.now + int64(l.cfg.HardStop/2) // before Run gives up
		e.cancelAll()
		e.abandon()
	}
	if l.busy() {
		return e.hasTime()
	}
	if l.set.world.Beside() { // or the driver lets the clock go on
		time.Sleep(deadPause) // for those who wait elsewhere: nothing can wake the loop
	}
	l.tick()
	return e.hasTime()
}

// hasTime reports whether a loop whose driver has died may go on: a while for its tasks, which what they offloaded
// or who waits elsewhere may hold up, and longer for a disk, that is still at what a task has given it.
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

// diskMax bounds how long a loop whose driver has died waits for disks. Run has returned before and named the tasks,
// see Config.HardStop. At the bound they are lost, and their memory is kept.
const diskMax = time.Minute

// deadPause is between two looks for mail of a loop whose driver has died.
const deadPause = time.Millisecond

// buffers are a loop's pools of them.
type buffers struct{ ring, plain, large *bufs.Pool }

func (b *buffers) open(c *Config, mark *gmark.Mark) {
	size := c.BufferSize
	b.ring = bufs.NewRingPool(c.Buffers, ringTarget, size, mark)
	b.plain = bufs.NewPool(plainMax, plainWarm, size+size/plainSpare, mark)
	b.large = bufs.NewPool(plainMax, largeWarm, largeTimes*size+size/plainSpare, mark)
}

const (
	// ringTarget is how many buffers the kernel has at a time: more than one
	// enter fills, few enough to stay in the cache.
	ringTarget = 64
	// plainWarm is how many free plain buffers keep their memory; plainMax
	// bounds them all.
	plainWarm = 64
	plainMax  = 1 << 20
	// plainSpare is the part by which plain buffers are larger than Config.BufferSize. A receive that fills
	// its buffer has to be followed by one that finds nothing, and the messages of most programs are as long
	// as a round buffer: bench run -cells 50x16384.
	plainSpare = 8
	// largeTimes is how many times as large as Config.BufferSize a large buffer is, largeWarm how many free ones
	// keep their memory: those who use one give it back before the next does, as a rule.
	largeTimes = 4
	largeWarm  = 8
)

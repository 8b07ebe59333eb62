package loop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"ringo/internal/bufs"
	"ringo/internal/driver"
	"ringo/internal/kernel"
	"ringo/internal/lane"
	"ringo/internal/op"
	"ringo/internal/rt/code"
	"ringo/internal/rt/gmark"
	"ringo/internal/rt/sched"
	"ringo/internal/rt/stacks"
)

// Set is the loops of one Run.
type Set struct {
	number int // of the Run, from 1
	cfg    *Config
	world  World
	loops  []*Loop
	epoch  time.Time
	// epochNS is epoch by kernel.Monotonic; 0 in a world that has a clock of its own.
	epochNS int64
	values  context.Context

	// Shared is for packages above: what loops of one Run have in common.
	Shared sync.Map

	mu       sync.Mutex
	err      error // the first
	draining bool
	stopping bool
	over     bool     // all loops have ended, or were given up
	onDrain  []func() // to be told
	gaveUp   chan struct{}
	telling  sync.WaitGroup // reports that are being written, without which Run does not return
	timers   []func() (stopped bool)

	lanes    lane.Set
	short    Seldom
	observer RunObserver // nil: nobody looks
}

// runNumbers is how many Runs there have been.
var runNumbers atomic.Int64

// Number tells the Runs of a process apart: the first is 1. G.
func (s *Set) Number() int {
	if s == nil {
		return 0
	}
	return s.number
}

// Config is the Run's configuration. G, not to be changed.
func (s *Set) Config() *Config { return s.cfg }

// Values is Run's context, without its end. G.
func (s *Set) Values() context.Context { return s.values }

// World is what the loops are in. G.
func (s *Set) World() World { return s.world }

// Loops are the loops by index.
func (s *Set) Loops() []*Loop {
	if s == nil {
		return nil
	}
	return s.loops
}

// newSet makes the loops, which have not begun.
func newSet(ctx context.Context, cfg *Config) *Set {
	s := &Set{number: int(runNumbers.Add(1)), cfg: cfg, world: cfg.world(), epoch: cfg.Clock(), values: valuesOf(ctx),
		gaveUp: make(chan struct{})}
	if s.world.Beside() {
		s.epochNS = kernel.Monotonic()
	}
	s.lanes.Open(lanesOf(cfg))
	for i := range cfg.Loops {
		s.loops = append(s.loops, &Loop{set: s, index: i, cfg: cfg, kernel: cfg.kernel()})
	}
	s.observe()
	return s
}

func lanesOf(cfg *Config) lane.Config {
	c := lane.Config{Offload: cfg.Offload, Compute: computeMax(cfg.Loops), Every: ComplainEvery}
	if cfg.Tells() {
		c.Tell = func(what, text string) { cfg.Tell(what, text) }
	}
	return c
}

// closeLanes waits for those goroutines that have what to do still. After Run has given up nobody waits for them.
func (s *Set) closeLanes() {
	select {
	case <-s.gaveUp:
		s.lanes.Close(0)
	default:
		s.lanes.Close(time.Second)
	}
}

// Lanes are where calls of its tasks run. G.
func (s *Set) Lanes() *lane.Set { return &s.lanes }

// Run makes all loops, calls fn on each as its first task, and returns when the
// loops have ended.
func Run(ctx context.Context, cfg *Config, fn func(*Loop) error) error {
	if kernel.InBubble() {
		return ErrBubble
	}
	if err := sched.StartNetpoll(); err != nil {
		return err
	}
	defer raiseProcs(cfg.Loops, cfg.Warn)()
	s := newSet(ctx, cfg)
	begins, runs := func() func() { return func() {} }, func() func() { return func() {} }
	if s.observer != nil {
		begins, runs = s.observer.Begins, s.observer.Runs
	}
	defer begins()()
	defer s.closeLanes()

	var ending sync.WaitGroup
	start := make(chan bool)
	ready := make(chan error, cfg.Loops)
	for _, l := range s.loops {
		ending.Go(func() { l.run(ready, start, fn) })
	}
	var errs []error
	for range s.loops {
		if err := <-ready; err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		close(start)
		ending.Wait()
		return errors.Join(dedup(errs)...)
	}
	defer runs()()
	for range s.loops {
		start <- true
	}
	drained := make(chan struct{})
	stopDrain := context.AfterFunc(ctx, func() { defer close(drained); s.drain() })

	ended := make(chan struct{})
	go func() { ending.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-s.gaveUp:
		s.giveUp()
	}
	if !stopDrain() {
		<-drained // or it would log, and begin Grace, behind the end
	}
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	s.tellDrain()
	s.telling.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.timers {
		t()
	}
	return s.err
}

// run is a loop's goroutine. It never unlocks its thread, so that thread, with
// its affinity and all that the kernel ties to it, ends with it.
func (l *Loop) run(ready chan<- error, start <-chan bool, fn func(*Loop) error) {
	runtime.LockOSThread()
	err := l.open()
	ready <- err
	if err != nil {
		<-start
		return
	}
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
	l.startMain(fn)
	if err := l.turns(func() bool { return l.tasks.main.finished }); err != nil {
		l.abort()
		return
	}
	l.close()
}

// unwinds has a loop go on whose driver has died of err, so that its tasks and handles
// end: they are told, and what they wait for ends at once. It reports false when they
// have had their time.
func (l *Loop) unwinds(err error) bool {
	if !l.state.dead {
		l.state.dead = true
		l.set.fail(err)
		l.tick()
		l.state.endBy = l.clock.now + int64(l.cfg.HardStop/2) // before Run gives up
		l.cancelAll()
		l.abandon()
	}
	if l.busy() {
		return l.hasTime()
	}
	if l.set.world.Beside() { // or the driver lets the clock go on
		time.Sleep(deadPause) // for those who wait elsewhere: nothing can wake the loop
	}
	l.tick()
	return l.hasTime()
}

// hasTime reports whether a loop whose driver has died may go on: a while for its tasks, which what they offloaded
// or who waits elsewhere may hold up, and longer for a disk, that is still at what a task has given it.
func (l *Loop) hasTime() bool {
	if l.clock.now < l.state.endBy {
		return true
	}
	disk := false
	if l.clock.now < l.state.endBy+int64(diskMax) {
		l.ops.slab.Each(func(o *op.Op) { disk = disk || o.State == op.InFlight && o.Def().Kind == op.Blocking })
	}
	return disk
}

// diskMax bounds how long a loop whose driver has died waits for disks. Run has returned before and named the tasks,
// see Config.HardStop. At the bound they are lost, and their memory is kept.
const diskMax = time.Minute

// deadPause is between two looks for mail of a loop whose driver has died.
const deadPause = time.Millisecond

// abort ends a loop whose driver died under tasks that have not ended. They will not be
// resumed, and their coroutines are lost; but nobody shall wait for them.
func (l *Loop) abort() {
	l.refuses()
	l.inbox.refuse()
	for l.ready.len() > 0 {
		if it := l.ready.pop(); it.task != nil && !it.resumes() {
			it.task.wakeJoiners(ErrEnded)
		}
	}
	for _, w := range l.workers.all {
		if t := w.task; t != nil {
			t.cancelContext()
			t.wakeJoiners(ErrEnded)
		}
	}
	l.abandon()
	if err := l.drv.Close(&l.done); err != nil {
		l.set.fail(err)
	}
	for l.done.Len() > 0 {
		l.complete()
	}
	l.state.ended.Store(true)
	l.uncount()
	l.workers.retire()
}

// uncount takes the loop off those of the process, see Running and Totals. One that shares its thread is its world's.
func (l *Loop) uncount() {
	if l.set.world.Beside() {
		if l.observer != nil {
			l.observer.Ends()
		}
		deregister(l)
	}
}

// refuses says that the mailbox is about to refuse mail.
func (l *Loop) refuses() {
	if l.observer != nil {
		l.observer.Refuses()
	}
}

// open makes what the loop needs, on its own thread.
func (l *Loop) open() error {
	if l.cfg.Pin {
		if err := pin(l.index); err != nil {
			return err
		}
	}
	if l.set.world.Beside() { // or all loops have one thread
		l.thread.id, l.thread.seat, l.thread.goid = kernel.ThreadID(), sched.CurrentSeat(), stacks.GoroutineID()
	}
	l.tick()
	l.ops.l, l.ops.slab = l, op.NewSlab(0)
	c := l.cfg
	l.pools.ring = bufs.NewRingPool(c.Buffers, ringTarget, c.BufferSize, &l.mark)
	l.pools.plain = bufs.NewPool(plainMax, plainWarm, c.BufferSize+c.BufferSize/plainSpare, &l.mark)
	l.pools.large = bufs.NewPool(plainMax, largeWarm, largeTimes*c.BufferSize+c.BufferSize/plainSpare, &l.mark)
	l.thread.g = gmark.Current()
	drv, err := c.Open(driver.Config{
		Loop: l.index, Slab: l.ops.slab, Outbox: &l.out.Outbox, Entries: c.Entries, Ring: l.pools.ring,
		Now: l.set.elapsed, SQPoll: c.SQPoll,
	})
	if err != nil {
		return err
	}
	l.drv = drv
	l.ops.plain, _ = drv.(driver.Plain)
	l.info = drv.Info()
	l.out.open(l)
	l.HasSpare()
	return nil
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
	// as a round buffer: bench/run -cells 50x16384.
	plainSpare = 8
	// largeTimes is how many times as large as Config.BufferSize a large buffer is, largeWarm how many free ones
	// keep their memory: those who use one give it back before the next does, as a rule.
	largeTimes = 4
	largeWarm  = 8
)

func pin(i int) error {
	cpus, err := kernel.CPUs()
	if err != nil {
		return fmt.Errorf("ringo: Config.Pin: %w", err)
	}
	if i >= len(cpus) {
		return fmt.Errorf("ringo: Config.Pin: loop %d has no CPU: the process may use %d", i, len(cpus))
	}
	if err := kernel.Pin(cpus[i]); err != nil {
		return fmt.Errorf("ringo: Config.Pin: sched_setaffinity(CPU %d): %w", cpus[i], err)
	}
	return nil
}

// startMain makes fn the loop's first task.
func (l *Loop) startMain(fn func(*Loop) error) {
	var err error
	t := &Task{l: l}
	t.fn = func() {
		l.RunsFor(code.Of(fn))
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
	l.enqueue(item{task: t})
}

// close ends the loop: what is open on it is closed, the driver drained. The
// mailbox comes first: what is still in it may look at handles and the driver.
func (l *Loop) close() {
	l.refuses()
	l.inbox.refuse()
	l.abandon()
	if err := l.drv.Close(&l.done); err != nil {
		l.set.fail(err)
	}
	for l.done.Len() > 0 {
		l.complete()
	}
	l.state.ended.Store(true)
	l.uncount()
	l.workers.retire()
	l.out.giveBack()
	l.pools = buffers{} // whoever keeps the Loop, or what was open on it, does not keep these
}

// abandon closes what was left open.
func (l *Loop) abandon() {
	l.state.ending = true
	l.handles.Each(func(o Open) { o.Abandon() })
}

// fnEnded takes a loop's fn's error.
func (s *Set) fnEnded(err error) {
	if err == nil {
		return
	}
	s.mu.Lock()
	orderly := s.draining && (errors.Is(err, net.ErrClosed) || errors.Is(err, context.Canceled) ||
		errors.Is(err, context.DeadlineExceeded))
	late := s.stopping && errors.Is(err, context.Canceled)
	s.mu.Unlock()
	if !orderly && !late {
		s.fail(err)
	}
}

// fail keeps the first error and ends all loops.
func (s *Set) fail(err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	s.mu.Unlock()
	s.cancelAll()
}

// drain stops the accepts and gives what is open time to end.
func (s *Set) drain() {
	s.cfg.Log("drain begins", slog.Duration("grace", s.cfg.Grace))
	s.mu.Lock()
	s.draining = true
	s.mu.Unlock()
	s.tellDrain()
	for _, l := range s.loops {
		l.Call(l.drain)
	}
	if s.cfg.Grace < 0 {
		s.cancelAll()
		return
	}
	s.later(s.cfg.Grace, s.graceOver)
}

func (l *Loop) drain() {
	l.state.draining.Store(true)
	l.handles.Each(func(o Open) { o.Drain() })
}

// cancelAll cancels all tasks, and gives up on them after a while.
func (s *Set) cancelAll() {
	s.mu.Lock()
	again := s.stopping
	s.stopping = true
	s.mu.Unlock()
	if again {
		return
	}
	s.tellDrain()
	for _, l := range s.loops {
		l.Call(l.cancelAll)
	}
	s.later(s.cfg.HardStop, func() { close(s.gaveUp) })
}

func (s *Set) later(d time.Duration, f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timers = append(s.timers, s.world.After(d, f))
}

// cancelAll cancels what runs; what starts later starts cancelled.
func (l *Loop) cancelAll() {
	l.state.stopping = true
	l.drain() // again, if it was said before: now it is the last word
	for _, w := range append([]*worker(nil), l.workers.all...) {
		if w.task != nil {
			l.cancelTask(w.task)
		}
	}
}

// graceOver cancels what the drain has waited for.
func (s *Set) graceOver() {
	s.mu.Lock()
	if s.stopping || s.over {
		s.mu.Unlock()
		return
	}
	s.telling.Add(1)
	s.mu.Unlock()
	defer s.telling.Done()
	tell := func() {}
	if s.observer != nil {
		tell = s.observer.GraceOver()
	}
	s.cancelAll()
	tell()
}

// giveUp makes Run return although tasks are left.
func (s *Set) giveUp() {
	err := fmt.Errorf("ringo: not ended %v after being cancelled: %s", s.cfg.HardStop, s.unended())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		err = errors.Join(s.err, err)
	}
	s.err = err
}

// unended is the tasks that have not ended, for an error.
func (s *Set) unended() string {
	if s.observer == nil {
		return "its tasks"
	}
	return s.observer.Unended()
}

// dedup drops errors that read the same: all loops fail alike.
func dedup(errs []error) []error {
	seen := map[string]bool{}
	var out []error
	for _, err := range errs {
		if !seen[err.Error()] {
			seen[err.Error()] = true
			out = append(out, err)
		}
	}
	return out
}

package loop

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ringo/internal/rt/labels"
	"ringo/internal/rt/sched"
)

// idleAfter is how long no loop must have run a task before the loops count as idle: at least that long, and less than
// twice as long. A Run's first looks come sooner, after a fiftieth of it and then twice as long each time, so that a
// Run whose loops have no tasks, because its goroutines do all the work, is found idle before it has much to do.
var idleAfter = time.Second // a variable for tests

const firstLook = 50 // as a part of idleAfter

// idling is what a loop reports to the idler.
type idling struct {
	ran   atomic.Bool // a task has run since the idler looked
	spare atomic.Bool // the loop keeps something that a trim may find unused
}

// idler is a goroutine that finds out whether any loop of the process runs tasks, and makes loops trim.
//
//	watching ──no task since the last look──▶ idle ──a loop runs one──▶ watching
//
// While idle it waits for a message of a loop, and costs nothing once there is nothing left to trim.
type idler struct {
	runs       int // number of running loops; guarded by idlers
	after      time.Duration
	quit, gone chan struct{}
	over       chan struct{} // a loop has run a task, or has something to trim; holds one message
	look       *time.Timer
}

// idlers has the idler of the loops that run.
var idlers struct {
	sync.Mutex
	now *idler
}

// raiseProcs raises GOMAXPROCS by n more loops, and makes the idler look at those loops, until release. The goroutines
// beside the loops are kept to rest CPUs if rest is not 0.
func raiseProcs(n, rest int, warn func(string, ...any)) (release func()) {
	idlers.Lock()
	defer idlers.Unlock()
	lower := sched.RaiseProcs(n, rest, warn)
	if idlers.now == nil {
		idlers.now = startIdler()
	}
	idlers.now.runs += n
	return sync.OnceFunc(func() {
		lower()
		idlers.Lock()
		last := idlers.now
		if last.runs -= n; last.runs > 0 {
			last = nil
		} else {
			idlers.now = nil
		}
		idlers.Unlock()
		if last != nil {
			last.stop()
		}
	})
}

// lendProcs makes GOMAXPROCS count the loops or not. An idler that ends does not speak for the loops of a later one.
func (i *idler) lendProcs(lent bool) {
	idlers.Lock()
	defer idlers.Unlock()
	if idlers.now == i {
		sched.LendProcs(lent)
	}
}

// computeMax returns how many CPU-bound calls may run beside the loops. They are kept to rest CPUs if rest is not 0.
func computeMax(loops, rest int) int {
	n := max(1, sched.Procs()-loops)
	if rest > 0 {
		n = min(n, rest)
	}
	return n
}

// idle is the idler that waits for a message of the loops; nil if none does. It may be one that ends while the next
// one has begun.
var idle atomic.Pointer[idler]

func startIdler() *idler {
	i := &idler{after: idleAfter, quit: make(chan struct{}), gone: make(chan struct{}), over: make(chan struct{}, 1)}
	i.look = time.NewTimer(i.after / firstLook)
	go i.run()
	return i
}

func (i *idler) stop() {
	close(i.quit)
	<-i.gone
}

func (i *idler) run() {
	defer close(i.gone)
	labels.Clear() // it works for all Runs
	defer idle.CompareAndSwap(i, nil)
	defer i.look.Stop()
	for wait := i.after / firstLook; ; {
		select {
		case <-i.quit:
			return
		case <-i.look.C:
		}
		ran := anyRan()
		if wait == i.after {
			trimLoops()
		}
		if !ran {
			if !i.rest() {
				return
			}
			wait = i.after
		}
		wait = min(2*wait, i.after)
		i.look.Reset(wait)
	}
}

// rest waits until a loop has run a task. It reports false if the idler must end.
func (i *idler) rest() bool {
	select {
	case <-i.over: // left from an earlier rest
	default:
	}
	if !idle.CompareAndSwap(nil, i) {
		return true
	}
	defer idle.Store(nil)
	if anyRan() { // between the last look and the store to idle
		return true
	}
	i.lendProcs(true)
	defer i.lendProcs(false)
	for {
		i.look.Stop()
		if anySpare() {
			i.look.Reset(i.after)
		}
		select {
		case <-i.quit:
			return false
		case <-i.look.C:
			trimLoops()
		case <-i.over:
			if anyRan() {
				return true
			}
		}
	}
}

// anyRan reports whether a loop has run a task since the last call.
func anyRan() (ran bool) {
	for _, s := range running.all() {
		if s.l.idling.ran.Load() {
			s.l.idling.ran.Store(false)
			ran = true
		}
	}
	return ran
}

// runsTask records that the loop is about to run a task.
func (l *Loop) runsTask() {
	if l.idling.ran.Load() {
		return
	}
	l.idling.ran.Store(true)
	tellIdler()
}

// tellIdler ends the idler's wait.
func tellIdler() {
	if i := idle.Load(); i != nil {
		select {
		case i.over <- struct{}{}:
		default: // it has a message
		}
	}
}

// trimLoops makes the loops trim that keep something.
func trimLoops() {
	for _, s := range running.all() {
		if s.l.idling.spare.Load() {
			s.l.trimSpare()
		}
	}
}

// anySpare reports whether trimLoops would find a loop to trim.
func anySpare() bool {
	return slices.ContainsFunc(running.all(), func(s seated) bool { return s.l.idling.spare.Load() })
}

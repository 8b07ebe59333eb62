package loop

import (
	"sync"
	"sync/atomic"
	"time"

	"ringo/internal/rt/labels"
	"ringo/internal/rt/sched"
)

// idleAfter is for how long no loop has run a task when they are taken for idle: so
// long at least, and less than twice as long. A Run's first looks are sooner, after a fiftieth of it and then twice as
// long each: one whose loops have no tasks, because goroutines use all that they have, is known for it before it has
// much to do.
var idleAfter = time.Second // but in tests

const firstLook = 50 // in idleAfter

// idling is what a loop tells the idler.
type idling struct {
	ran   atomic.Bool // a task, since the idler looked
	spare atomic.Bool // it keeps something that a trim may find unused
}

// idler is a goroutine that finds out whether any loop of the process runs tasks, and has loops trim.
//
//	watching ──no task since the last look──▶ idle ──a loop runs one──▶ watching
//
// Idle it waits for a loop's word, and costs nothing once there is nothing to trim.
type idler struct {
	runs       int // loops that want it; under idlers
	after      time.Duration
	quit, gone chan struct{}
	over       chan struct{} // has room for the one word that there is
	look       *time.Timer
}

// idlers has the one of the loops that run.
var idlers struct {
	sync.Mutex
	now *idler
}

// raiseProcs makes room for the goroutines beside n more loops, which are kept to rest CPUs if that is not 0, until
// release, and has the idler look at those loops.
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

// lendProcs has GOMAXPROCS count the loops or not. An idler that ends says nothing of the loops that came since.
func (i *idler) lendProcs(lent bool) {
	idlers.Lock()
	defer idlers.Unlock()
	if idlers.now == i {
		sched.LendProcs(lent)
	}
}

// computeMax is how many CPU-bound calls may run beside the loops, which are kept to rest CPUs if that is not 0.
func computeMax(loops, rest int) int {
	n := max(1, sched.Procs()-loops)
	if rest > 0 {
		n = min(n, rest)
	}
	return n
}

// idle is the idler that waits for the loops' word, nil if none does. One that ends may
// still be there when the next begins.
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

// rest is the idler's being idle, until a loop has run a task. It reports false if it is to end.
func (i *idler) rest() bool {
	select {
	case <-i.over: // said of an earlier time
	default:
	}
	if !idle.CompareAndSwap(nil, i) {
		return true
	}
	defer idle.Store(nil)
	if anyRan() { // between the look and the word
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

// anyRan reports whether a loop has run a task since it was last asked.
func anyRan() (ran bool) {
	if p := running.seats.Load(); p != nil {
		for _, s := range *p {
			if s.l.idling.ran.Load() {
				s.l.idling.ran.Store(false)
				ran = true
			}
		}
	}
	return ran
}

// runsTask notes that the loop is about to run a task.
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
		default: // it was told
		}
	}
}

// trimLoops has those loops trim that say that they keep something, and reports whether there are any.
func trimLoops() (any bool) {
	if p := running.seats.Load(); p != nil {
		for _, s := range *p {
			if s.l.idling.spare.Load() {
				s.l.trimSpare()
				any = true
			}
		}
	}
	return any
}

// anySpare reports whether trimLoops would have a loop trim.
func anySpare() bool {
	if p := running.seats.Load(); p != nil {
		for _, s := range *p {
			if s.l.idling.spare.Load() {
				return true
			}
		}
	}
	return false
}

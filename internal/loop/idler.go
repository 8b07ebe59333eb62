package loop

import (
	"sync/atomic"
	"time"
)

// idleAfter is for how long no loop has run a task when they are taken for idle: so
// long at least, and less than twice as long.
const idleAfter = time.Second

// idler is a goroutine that finds out whether any loop of the process runs tasks.
//
//	watching ──no task for idleAfter──▶ idle ──a loop runs a task──▶ watching
//
// Idle it waits for a loop's word, and costs nothing.
type idler struct {
	runs       int // loops that want it; under procs
	quit, gone chan struct{}
	over       chan struct{} // has room for the one word that there is
}

// idle is the idler that waits for the loops' word, nil if none does. One that ends may
// still be there when the next begins.
var idle atomic.Pointer[idler]

func startIdler() *idler {
	i := &idler{quit: make(chan struct{}), gone: make(chan struct{}), over: make(chan struct{}, 1)}
	go i.run()
	return i
}

func (i *idler) stop() {
	close(i.quit)
	<-i.gone
}

func (i *idler) run() {
	defer close(i.gone)
	defer idle.CompareAndSwap(i, nil)
	look := time.NewTicker(idleAfter)
	defer look.Stop()
	for {
		select {
		case <-i.quit:
			return
		case <-look.C:
		}
		if anyRan() {
			continue
		}
		select {
		case <-i.over: // said of an earlier time
		default:
		}
		if !idle.CompareAndSwap(nil, i) {
			continue
		}
		if !anyRan() { // between the look and the word
			i.lendProcs(true)
			look.Stop()
			select {
			case <-i.quit:
				return
			case <-i.over:
			}
			look.Reset(idleAfter)
		}
		idle.Store(nil)
		i.lendProcs(false)
	}
}

// anyRan reports whether a loop has run a task since it was last asked.
func anyRan() (ran bool) {
	if p := running.seats.Load(); p != nil {
		for _, s := range *p {
			if s.l.ran.Load() {
				s.l.ran.Store(false)
				ran = true
			}
		}
	}
	return ran
}

// runsTask notes that the loop is about to run a task.
func (l *Loop) runsTask() {
	if l.ran.Load() {
		return
	}
	l.ran.Store(true)
	if i := idle.Load(); i != nil {
		select {
		case i.over <- struct{}{}:
		default: // it was told
		}
	}
}

package loop

import (
	"sync"
	"sync/atomic"

	"ringo/internal/kernel"
)

// Parker is a caller that waits until another hands it something: a task, which
// parks, or an ordinary goroutine, which blocks. It may stand in several queues, of
// any loops, and exactly one outcome reaches it: whoever claims it first, be it one
// of those that want to hand it something or the cancel of its task, has it to
// himself and wakes it. The others pass it over.
//
//	caller                          another, under the queue's lock
//	  p.Begin(Current())              take p out of the queue
//	  put p into the queues           if p.Claim(which) { hand over }
//	  which, ok := p.Park()         and after unlocking
//	  take p out where it still is    p.Wake()
//
// So a hand-over and a cancel never both happen, and what was handed over is never
// lost: the wait of a task that was cancelled too late succeeds. The zero value is
// ready; it may be used again when it is in no queue any more.
type Parker struct {
	l     *Loop
	t     *Task
	state int32 // atomic, but in Begin, which nobody else sees yet
	once  bool  // ch is for this wait alone
	// For is for who begins it to say what is waited for, if somebody looks: words, and for what words don't say a
	// Describer, which is asked on the thread of the loop of the task that waits, whatever the loop of the handle is.
	For   string
	About Describer

	// A goroutine waits at ch for the one word that it has room for. One that is in a bubble of testing/synctest makes
	// no ch, because whoever wakes it is outside and must not use what was made there; it may use one that is there.
	// Without it blocks is locked while it waits: it locks it once more, and Wake unlocks it. BenchmarkChanGoroutines
	// shows why that is not the way for all. Beside a simulated world all are in one bubble, whose clock would stand
	// still for who waits for a lock: ch is made there, and goes with the wait.
	ch     chan struct{}
	blocks sync.Mutex

	prev, next *Parker // in the lockLine of its loop
}

// What the state of a Parker says; from parkerClaimed on, by whom.
const (
	parkerWaits    int32 = iota
	parkerCanceled       // by its task
	parkerEnded          // by a context, see ParkContext
	parkerClaimed
)

// Begin makes p stand for the caller. l and t are what Current gives to it.
func (p *Parker) Begin(l *Loop, t *Task) {
	p.l, p.t, p.state = l, t, parkerWaits
	if t != nil || p.ch != nil {
		return
	}
	bubble := kernel.InBubble()
	if p.once = bubble && Around(); bubble && !p.once {
		p.blocks.Lock()
	} else {
		p.ch = make(chan struct{}, 1)
	}
}

// Claim makes the caller the one that wakes p, and which what p is told; false if p
// isn't to be had any more. G, but only under the lock of a queue that p is in, so that
// it does not begin anew meanwhile.
func (p *Parker) Claim(which int) bool {
	return atomic.CompareAndSwapInt32(&p.state, parkerWaits, parkerClaimed+int32(which))
}

// Wake ends the Park of a p that the caller has claimed, and must not touch again. G.
func (p *Parker) Wake() {
	switch {
	case p.t != nil:
		p.l.ReadyFrom(p.t)
	case p.ch != nil:
		p.ch <- struct{}{}
	default:
		p.blocks.Unlock()
	}
}

// Park waits for the Wake that follows a Claim, and gives what was said there; false
// if the task was cancelled instead. Only for who began it.
func (p *Parker) Park() (which int, ok bool) {
	switch {
	case p.t != nil:
		p.l.Park(p)
	default:
		p.block()
	}
	s := atomic.LoadInt32(&p.state)
	return int(s - parkerClaimed), s >= parkerClaimed
}

// ParkOn is Park that no cancel ends: it waits for the Wake that follows a Claim. Only for who began it.
func (p *Parker) ParkOn() {
	switch {
	case p.t != nil:
		if _, lock := p.About.(Lock); lock {
			p.l.locks.push(p)
			p.l.Park((*kept)(p))
			p.l.locks.remove(p)
			return
		}
		p.l.Park((*kept)(p))
	default:
		p.block()
	}
}

// block is a goroutine's wait for the word.
func (p *Parker) block() {
	if p.ch == nil {
		p.blocks.Lock()
		p.blocks.Unlock() //lint:ignore SA2001 to have had it is to have waited
		return
	}
	<-p.ch
	if p.once {
		p.ch = nil
	}
}

// kept is a Parker as what a task waits for in ParkOn.
type kept Parker

// CancelWait has it wait on.
func (k *kept) CancelWait(t *Task) { t.WaitOn(k) }

// DescribeWait tells what is waited for.
func (k *kept) DescribeWait(t *Task, d *Wait) { (*Parker)(k).DescribeWait(t, d) }

// DescribeWait tells what is waited for.
func (p *Parker) DescribeWait(t *Task, d *Wait) {
	d.Op = p.For
	if p.About != nil {
		p.About.DescribeWait(t, d)
	}
}

// CancelWait lets a cancelled task go, if nobody has claimed it.
func (p *Parker) CancelWait(t *Task) {
	if atomic.CompareAndSwapInt32(&p.state, parkerWaits, parkerCanceled) {
		t.l.Ready(t)
	}
}

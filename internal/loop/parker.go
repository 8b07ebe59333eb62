package loop

import (
	"sync"
	"sync/atomic"

	"ringo/internal/kernel"
)

// Parker is a caller that waits until another one hands it something. It is a task, which parks, or an ordinary
// goroutine, which blocks. It may be in several queues at once, of any loops. Exactly one outcome reaches it: either
// one of those that want to hand it something claims it first, and then wakes it, or the cancel of its task does. The
// others skip it.
//
//	caller                          another, under the queue's lock
//	  p.Begin(Current())              take p out of the queue
//	  put p into the queues           if p.Claim(which) { hand over }
//	  which, ok := p.Park()         and after unlocking
//	  take p out where it still is    p.Wake()
//
// So a hand-over and a cancel never both happen, and nothing that was handed over is lost: a task that is cancelled
// after the claim still gets it. The zero value is ready. A Parker may be used again once it is in no queue.
type Parker struct {
	l     *Loop
	t     *Task
	state int32 // accessed atomically, except in Begin, when no other caller has p
	once  bool  // ch is made for this wait only
	// For and About tell observers what the caller waits for: For in words, and About, a Describer, for what words
	// don't say. About is called on the thread of the waiting task's loop, whichever loop the handle belongs to.
	For   string
	About Describer

	// A goroutine waits on ch, which has room for the one message. A goroutine in a bubble of testing/synctest makes
	// no ch, because the goroutine that wakes it is outside the bubble and must not use a channel made inside; it may
	// use a ch that exists. If it has none, it locks blocks twice, and Wake unlocks it. BenchmarkChanGoroutines shows
	// why not all goroutines do that. Around a simulated world all goroutines are in one bubble, whose clock would
	// stand still while one waits for a mutex: there a ch is made for each wait, and dropped after it.
	ch     chan struct{}
	blocks sync.Mutex

	prev, next *Parker // in the lockLine of its loop
}

// The states of a Parker. From parkerClaimed on they say which outcome it got.
const (
	parkerWaits    int32 = iota
	parkerCanceled       // its task was cancelled
	parkerEnded          // a context has ended, see ParkContext
	parkerClaimed
)

// Begin makes p stand for the caller. l and t are the results of Current.
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

// Claim makes the caller the one that wakes p, and which the result of p's Park; false if p was claimed or has given
// up. G, but only under the lock of a queue that p is in, so that p does not begin a new wait meanwhile.
func (p *Parker) Claim(which int) bool {
	return atomic.CompareAndSwapInt32(&p.state, parkerWaits, parkerClaimed+int32(which))
}

// Wake ends the Park of a p that the caller has claimed. The caller must not use p afterwards. G.
func (p *Parker) Wake() {
	switch {
	case p.t != nil:
		p.t.ready()
	case p.ch != nil:
		p.ch <- struct{}{}
	default:
		p.blocks.Unlock()
	}
}

// Park waits for the Wake that follows a Claim, and returns the argument of the Claim; false if the task was cancelled
// instead. Only the caller that began p may call it.
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

// ParkOn is Park for a wait that no cancel ends. Only the caller that began p may call it.
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

// block is the wait of a goroutine.
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

// kept is a Parker as what a task in ParkOn waits for.
type kept Parker

// DescribeWait describes what the task waits for.
func (k *kept) DescribeWait(t *Task, d *Wait) { (*Parker)(k).DescribeWait(t, d) }

// DescribeWait describes what the task waits for.
func (p *Parker) DescribeWait(t *Task, d *Wait) {
	d.Op = p.For
	if p.About != nil {
		p.About.DescribeWait(t, d)
	}
}

// CancelWait resumes a cancelled task, if no other caller has claimed it.
func (p *Parker) CancelWait(t *Task) {
	if atomic.CompareAndSwapInt32(&p.state, parkerWaits, parkerCanceled) {
		t.l.Ready(t)
	}
}

package loop

import (
	"sync"
	"sync/atomic"
)

// Parker is a caller that waits until another hands it something: a task, which
// parks, or an ordinary goroutine, which blocks. It may stand in several queues, of
// any loops, and exactly one outcome reaches it: whoever claims it first, be it one
// of those that want to hand it something or the cancel of its task, has it to
// himself and wakes it. The others pass it over.
//
//	caller                          another, under the queue's lock
//	  p := NewParker(Current())       take p out of the queue
//	  put p into the queues           if p.Claim(which) { hand over }
//	  which, ok := p.Park()         and after unlocking
//	  take p out where it still is    p.Wake()
//	  p.Free()
//
// So a hand-over and a cancel never both happen, and what was handed over is never
// lost: the wait of a task that was cancelled too late succeeds.
type Parker struct {
	l     *Loop
	t     *Task
	ch    chan struct{} // wakes a goroutine
	state atomic.Int32
}

// What the state of a Parker says; from parkerClaimed on, by whom.
const (
	parkerWaits int32 = iota
	parkerCanceled
	parkerClaimed
)

// NewParker makes the caller one that can be claimed. l and t are what Current gives
// to it.
func NewParker(l *Loop, t *Task) *Parker {
	if t == nil {
		p := blockers.Get().(*Parker)
		p.state.Store(parkerWaits)
		return p
	}
	p := l.parkers.get()
	p.l, p.t = l, t
	p.state.Store(parkerWaits)
	return p
}

// Claim makes the caller the one that wakes p, and which what p is told; false if p
// isn't to be had any more. G, but only while p can't be freed: under the lock of a
// queue that it is in.
func (p *Parker) Claim(which int) bool {
	return p.state.CompareAndSwap(parkerWaits, parkerClaimed+int32(which))
}

// Wake ends the Park of a p that the caller has claimed, and must not touch again. G.
func (p *Parker) Wake() {
	if p.t == nil {
		p.ch <- struct{}{}
		return
	}
	p.l.ReadyFrom(p.t)
}

// Park waits for the Wake that follows a Claim, and gives what was said there; false
// if the task was cancelled instead. Only for who made it.
func (p *Parker) Park() (which int, ok bool) {
	if p.t == nil {
		<-p.ch
	} else {
		p.l.Park(p)
	}
	s := p.state.Load()
	return int(s - parkerClaimed), s >= parkerClaimed
}

// CancelWait lets a cancelled task go, if nobody has claimed it.
func (p *Parker) CancelWait(t *Task) {
	if p.state.CompareAndSwap(parkerWaits, parkerCanceled) {
		t.l.Ready(t)
	}
}

// Free keeps p for the next who waits. It must be in no queue. Only for who made it.
func (p *Parker) Free() {
	if p.t == nil {
		blockers.Put(p)
		return
	}
	p.t = nil
	p.l.parkers.put(p)
}

// blockers are Parkers of goroutines. The channel has room for the one word that
// there is, so that Wake waits for nobody.
var blockers = sync.Pool{New: func() any { return &Parker{ch: make(chan struct{}, 1)} }}

// parkerPool keeps Parkers for the next task, up to a bound.
type parkerPool struct{ free []*Parker }

const parkersMax = 1024

func (q *parkerPool) get() *Parker {
	if n := len(q.free); n > 0 {
		p := q.free[n-1]
		q.free = q.free[:n-1]
		return p
	}
	return new(Parker)
}

func (q *parkerPool) put(p *Parker) {
	if len(q.free) < parkersMax {
		q.free = append(q.free, p)
	}
}

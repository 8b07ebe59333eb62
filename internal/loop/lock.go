package loop

import (
	"sync/atomic"

	"ringo/internal/rt/code"
)

// Holder is the holder of a lock: a task, or with the zero value a holder of which nothing is known.
type Holder struct {
	t    *Task
	code code.Func
	id   uint32
}

// Be sets the holder to a task, as Current returns it; nil for a goroutine. It is inlined.
func (h *Holder) Be(t *Task) {
	if h.t = t; t != nil {
		h.id, h.code = t.w.id, t.w.code
	}
}

// Ref returns a Ref to the task. G.
func (h *Holder) Ref() Ref {
	if h.t == nil {
		return Ref{}
	}
	return Ref{Known: true, Loop: h.t.l.index, ID: h.id, Code: h.code, Name: h.t.Name()}
}

// Lock is the Parker.About of a ParkOn that waits for a lock.
type Lock interface {
	// HeldBy returns the task that holds the lock, and whether any caller holds it. G.
	HeldBy() (by Holder, held bool)
}

// lockLine is the list of a loop's tasks that wait for locks, in order of arrival. Only the loop's thread may use it,
// except for fresh.
type lockLine struct {
	first, last *Parker
	fresh       atomic.Bool // a task has joined the list since the last TakeFreshLockWait
}

func (q *lockLine) push(p *Parker) {
	if p.prev = q.last; p.prev == nil {
		q.first = p
	} else {
		p.prev.next = p
	}
	q.last = p
	if !q.fresh.Load() {
		q.fresh.Store(true)
	}
}

func (q *lockLine) remove(p *Parker) {
	if p.prev == nil {
		q.first = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		q.last = p.prev
	} else {
		p.next.prev = p.prev
	}
	p.prev, p.next = nil, nil
}

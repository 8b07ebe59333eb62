package loop

import (
	"sync/atomic"

	"ringo/internal/rt/code"
)

// Holder is who has a lock: a task, or of the zero value somebody of whom nothing is known.
type Holder struct {
	t    *Task
	code code.Func
	id   uint32
}

// Be makes it the task that the caller is, as Current gives it; nil for a goroutine. It is inlined.
func (h *Holder) Be(t *Task) {
	if h.t = t; t != nil {
		h.id, h.code = t.w.id, t.w.code
	}
}

// Ref names the task. G.
func (h *Holder) Ref() Ref {
	if h.t == nil {
		return Ref{}
	}
	return Ref{Known: true, Loop: h.t.l.index, ID: h.id, Code: h.code, Name: h.t.Name()}
}

// Lock is what a Parker in ParkOn is About if it waits for a lock.
type Lock interface {
	// HeldBy tells which task has it; false if none has. G.
	HeldBy() (by Holder, held bool)
}

// lockLine is the tasks of a loop that wait for locks, in order of arrival. All but fresh is the loop
// thread's business.
type lockLine struct {
	first, last *Parker
	fresh       atomic.Bool // one has come since somebody took this back
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

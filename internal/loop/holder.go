package loop

import "ringo/internal/rt/code"

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
	return Ref{Known: true, Loop: h.t.l.index, ID: h.id, Code: h.code, Name: h.t.name()}
}

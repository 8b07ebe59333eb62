package loop

import "sync/atomic"

// A loop is in a lull if only mail that starts something keeps it from ending: all its tasks but those of GoBackground
// have ended. Mail that was accepted still runs, and may start tasks that go on, so a loop ends when there is no such
// mail. Goroutines that post without a pause would keep it from ever ending. So a loop is shut once it has taken in
// mail lullsMax times, with a lull after each and no task meanwhile that waited: from then on it refuses callers other
// than its own tasks as a loop that has ended does, and ends after the mail that it had accepted.

// lullsMax is after how many lulls that end with more mail the loop is shut. A caller that posted before the first of
// them can rely on that mail to keep the loop; later callers could not.
const lullsMax = 16

// inLull reports whether the loop is in a lull, as far as it can tell without the other loops.
func (e *life) inLull() bool {
	l := e.l
	return l.handles.holds == 0 && len(l.out.Sends) == 0 && (l.tasks.live == l.tasks.rear || e.unbegun())
}

// unbegun reports whether all tasks that keep the loop are ready and have not begun, because turns had no room for
// them. It looks only when all mail that came together has been taken in; before that the answer would not matter.
func (e *life) unbegun() bool {
	l := e.l
	n := l.ready.len()
	main := l.tasks.main
	if main == nil || !main.finished || l.tasks.live-l.tasks.rear != n || !l.inbox.startsLeft.Empty() {
		return false
	}
	for i := range n {
		if l.ready.peek(i).resumes() {
			return false
		}
	}
	return true
}

// hasStarts reports whether there is something to start.
func (e *life) hasStarts() bool { return e.hasTaken() || !e.l.inbox.starts.Empty() }

// hasTaken reports whether tasks that keep the loop were taken in, or mail that starts some.
func (e *life) hasTaken() bool {
	return e.l.tasks.live > e.l.tasks.rear || !e.l.inbox.startsLeft.Empty()
}

// ends takes the next step to the end of a loop in a lull, and reports whether the loop has ended.
func (e *life) ends() bool {
	l := e.l
	if e.hasStarts() {
		e.noteLull()
		return false
	}
	if l.tasks.rear > 0 {
		e.cancelBackground()
		return false
	}
	// The check and the close are one step, so nothing that was accepted is lost. Urgent mail may still wait, and more
	// may come without end; inbox.refuse handles what needs to be.
	e.refuses()
	return l.inbox.starts.CloseEmpty()
}

// noteLull counts a lull that more mail ends, and shuts the loop at the last one, see lullsMax.
func (e *life) noteLull() {
	if e.shut.Load() || !e.l.inbox.startsLeft.Empty() || e.l.inbox.starts.Empty() {
		return
	}
	if e.lulls().Add(1) >= lullsMax {
		e.shut.Store(true)
	}
}

// noteTasks restarts the count of lulls if a task that keeps the loop waits after all mail was taken in. Tasks that
// are ready, or have yielded, do not count: the mail may have started them, and they may end at once.
func (e *life) noteTasks() {
	l := e.l
	n := e.lulls()
	if n.Load() == 0 || !l.inbox.startsLeft.Empty() {
		return
	}
	if l.handles.holds > 0 || l.tasks.live-l.tasks.rear > l.ready.len() && l.yielded.Empty() {
		n.Store(0)
	}
}

// lulls returns the count of lulls: one for all loops if they end together.
func (e *life) lulls() *atomic.Int32 {
	if e.l.set.together.Load() {
		return &e.l.set.lulls
	}
	return &e.ownLulls
}

// refusesCaller reports whether the loop is shut to the caller. It is never shut to its own tasks, nor to those of
// loops that end together with it. G.
func (l *Loop) refusesCaller() bool {
	if l.unmade() || !l.life.shut.Load() {
		return false
	}
	from, _ := Current()
	return from != l && (from == nil || from.set != l.set || !l.set.together.Load())
}

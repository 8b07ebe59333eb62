package loop

import "sync/atomic"

// A loop is in a lull if it may end but for mail that starts something: its tasks have ended, those of GoBackground
// aside. What was accepted runs, and may start what goes on, so a loop ends when there is no such mail. Goroutines that
// post without a pause keep that from ever being so. So one that has taken in mail lullsMax times, was in a lull behind
// each, and had no task meanwhile that waited, is shut: who is no task of it is refused, as by a loop that has ended,
// and what was accepted is the last.

// lullsMax is how many lulls end with more mail before the loop is shut. Who posted before the first of them may count
// on what was accepted then to keep the loop; the others took their chances.
const lullsMax = 16

// inLull reports whether the loop is in one, as far as it can tell by itself.
func (l *Loop) inLull() bool {
	return l.handles.holds == 0 && len(l.out.Sends) == 0 && (l.tasks.live == l.tasks.rear || l.unbegun())
}

// unbegun reports whether all tasks that the end waits for are ready and have not begun, because turns have no room for
// them. It looks only where that matters, when all mail has been taken in that came together.
func (l *Loop) unbegun() bool {
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

// hasStarts reports whether something is to be started still.
func (l *Loop) hasStarts() bool { return l.hasTaken() || !l.inbox.starts.Empty() }

// hasTaken reports whether some of it has been taken in.
func (l *Loop) hasTaken() bool { return l.tasks.live > l.tasks.rear || !l.inbox.startsLeft.Empty() }

// ends goes on with the end of a loop that is in a lull, and reports whether it has come.
func (e *life) ends() bool {
	l := e.l
	if l.hasStarts() {
		e.noteLull()
		return false
	}
	if l.tasks.rear > 0 {
		e.cancelBackground()
		return false
	}
	// With the check in one: nothing that was accepted is lost. Urgent mail may still wait, and more may come without
	// end; inbox.refuse does what there is to do of it.
	e.refuses()
	return l.inbox.starts.CloseEmpty()
}

// noteLull counts a lull that more mail ends, and shuts the loop in the last.
func (e *life) noteLull() {
	if e.shut.Load() || !e.l.inbox.startsLeft.Empty() || e.l.inbox.starts.Empty() {
		return
	}
	if e.lulls().Add(1) >= lullsMax {
		e.shut.Store(true)
	}
}

// noteTasks begins to count anew if, behind the mail that was taken in, a task waits that the end waits for. What is
// ready, or has yielded, may be of that mail, and end.
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

// lulls counts them: of all loops, if they end together.
func (e *life) lulls() *atomic.Int32 {
	if e.l.set.together.Load() {
		return &e.l.set.lulls
	}
	return &e.ownLulls
}

// refusesCaller reports whether the loop is shut to the caller: its tasks may start others, as may those of loops that
// end with it. G.
func (l *Loop) refusesCaller() bool {
	if l.unmade() || !l.life.shut.Load() {
		return false
	}
	from, _ := Current()
	return from != l && (from == nil || from.set != l.set || !l.set.together.Load())
}

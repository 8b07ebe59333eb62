package watch

import (
	"runtime"
	"time"

	"ringo/internal/kernel"
	"ringo/internal/rt/peek"
	"ringo/internal/rt/stacks"
)

// How the watcher finds out what holds a loop for longer than Config.Hold, even if only for a few milliseconds. A loop
// itself notes how long each turn took. Once a turn was long, or is, the watcher looks often. At each look it notes
// which of the items that the loop runs is running, and in which call. When the turn has ended, its time is charged to
// the items whose part of it was long.

const (
	// alertFor is how long the watcher looks often after a long turn.
	alertFor = 10 * time.Second
	// stacksPart limits the time for which the program is stopped to take stacks: to one part in so many, a hundredth.
	// Time that was not spent within a second is lost.
	stacksPart = 100
	// traceTasksMax bounds the goroutines of a program whose stacks are all taken to find one, on systems where that
	// one can't be looked at alone. At the bound the program is stopped for about as long as a hold lasts.
	traceTasksMax = 800
)

// peeks reports whether a goroutine can be looked at alone. If not, all stacks are taken.
var peeks = peek.Works

// often returns how long the watcher sleeps between looks for holds.
func (w *watcher) often() time.Duration { return max(w.hold/2, time.Millisecond) }

// alertPause returns how long the watcher sleeps while it is alert. If all loops sleep, no task holds one, and the
// pause is longer, because each wake of the watcher costs up to 100 µs of processor time.
func (w *watcher) alertPause() time.Duration {
	for _, l := range w.run.loops {
		if l.TurnBegan() != 0 {
			return w.often()
		}
	}
	return max(w.hold, w.often())
}

// lookForHolds looks at one loop. It reports whether to look again soon.
func (w *watcher) lookForHolds(l *target, s *lastLook) (soon bool) {
	w.settle(l, s)
	turn, now := l.TurnBegan(), w.run.elapsed()
	if turn == 0 || now-turn < int64(w.hold/2) {
		s.holder.restCPU, _ = kernel.ThreadCPU(l.Thread())
		s.holder.restAt = now
		return false
	}
	if s.holder.turn != turn {
		s.holder.begin(turn)
	}
	p, cpu := w.see(l, s, now)
	if l.TurnBegan() != turn {
		return true // the turn has ended meanwhile, and this may be the next one
	}
	s.holder.note(p, now, cpu, w.pause)
	return true
}

// settle charges the long turns that have ended.
func (w *watcher) settle(l *target, s *lastLook) {
	n := l.longs.Load()
	if n == s.longs {
		return
	}
	cpu, _ := kernel.ThreadCPU(l.Thread())
	s.longs = n
	var passed int
	var lost time.Duration
	w.longs, passed, lost = l.takeLong(w.longs[:0])
	for _, t := range w.longs {
		if t.began != s.holder.turn {
			s.holder.begin(t.began)
			s.holder.seen += int64(t.took)
		}
		s.holder.charge(&l.held, t.took, w.hold, w.pause, cpu)
		s.holder.turn = 0
	}
	if passed > 0 {
		l.held.add(place{state: holdUnseen}, uint64(passed), lost, lost/time.Duration(passed))
	}
	now := w.run.elapsed()
	w.alert = now + int64(alertFor)
	if w.noticed == 0 {
		w.noticed = now
	}
}

// see finds out what a loop does in its long turn.
func (w *watcher) see(l *target, s *lastLook, now int64) (p part, cpu int64) {
	h := &s.holder
	cpu, known := kernel.ThreadCPU(l.Thread())
	computes, rests := h.computes(cpu, now)
	g, nth, ok := peek.Mark(l.Mark())
	if !peeks() {
		p = w.trace(l, computes)
		p.nth = nth
		p.sleeps = p.state == "" && rests && asleep(l.Thread())
		return p, cpu
	}
	p.nth = nth
	if !ok {
		return p, cpu
	}
	if g == 0 {
		_, g = l.Goroutine()
	}
	state, pcs := w.peeker.At(g)
	p.stack.PCs = pcs
	switch state {
	case peek.Waiting:
		if w.kinds.Switched(&p.stack) { // to an iterator's coroutine, which peek does not find
			p = w.trace(l, computes)
			p.nth = nth
			return p, cpu
		}
		if p.state = holdBlocked; w.kinds.Collects(&p.stack) {
			p.state = holdRunnable
		}
	case peek.Syscall:
		if p.state = holdSyscall; rests && kernel.ThreadState(l.Thread()) == 'R' { // it is kept from running
			p.state = holdRunnable
		}
	case peek.Runnable:
		p.state = holdRunnable
	case peek.Running:
		p.state, p.stack = w.running(l, s, nth, computes, rests || !known)
		if p.state == holdRunning && !p.stack.Known() && now-h.turn > int64(w.hold) && w.mayStop(pauseTakes) {
			began := w.run.elapsed()
			peek.Pause()
			if _, pcs := w.peeker.At(g); len(pcs) > 0 {
				p.stack.PCs = pcs
			}
			w.stopped(began)
		}
		if !p.stack.Known() {
			p.stack.PCs, p.stack.Stale = w.peeker.Beginning(g, stacks.Serve), true
		}
	}
	return p, cpu
}

// pauseTakes is what stopping the program for a moment takes at least.
const pauseTakes = 50 * time.Microsecond

// running distinguishes what a goroutine with a thread does. Of a task that computes, an earlier look's stack is used
// if there is one, since a new one needs a stop of the program.
func (w *watcher) running(l *target, s *lastLook, nth uint64, computes, rests bool) (state string, at stacks.Stack) {
	h := &s.holder
	if rests {
		switch kernel.ThreadState(l.Thread()) {
		case 'S', 'D':
			return holdSyscall, at
		case 'R':
			if h.cpu > 0 {
				return holdRunnable, at
			}
		case 'T', 't':
			return holdRunnable, at
		}
	}
	if !computes {
		return "", at // the first look may not have the clocks to tell
	}
	for i := len(h.parts) - 1; i >= 0 && h.parts[i].nth == nth; i-- {
		if o := &h.parts[i]; o.state == holdRunning && o.stack.Known() && !o.stack.Stale {
			return holdRunning, o.stack
		}
	}
	return holdRunning, at
}

// trace finds out what a loop does by taking all stacks.
func (w *watcher) trace(l *target, computes bool) (p part) {
	if n := runtime.NumGoroutine(); n > traceTasksMax || !w.mayStop(time.Duration(n)*6*time.Microsecond) {
		return p
	}
	began := w.run.elapsed()
	t := stacks.Take()
	w.stopped(began)
	g := t.Holder(l.goid())
	if g == nil {
		return p
	}
	p.stack.Functions = g.Functions()
	for g != nil && g.By != 0 && g.By != l.goid() { // g is an iterator's coroutine: the task is further down
		if g = t[g.By]; g != nil {
			p.stack.Functions = append(p.stack.Functions, g.Functions()...)
		}
	}
	g = t.Holder(l.goid())
	switch {
	case computes:
		p.state = holdRunning
	case g.State() == "syscall":
		p.state = holdSyscall
	case g.Waits():
		p.state = holdBlocked
	default:
		p.state = holdRunnable
	}
	return p
}

// mayStop reports whether the budget allows to stop the program for the time takes.
func (w *watcher) mayStop(takes time.Duration) bool {
	now := w.run.elapsed()
	w.spent = max(w.spent, now-int64(time.Second))
	return w.spent+int64(takes)*stacksPart <= now
}

// stopped charges the budget for a stop that began at began.
func (w *watcher) stopped(began int64) { w.spent += (w.run.elapsed() - began) * stacksPart }

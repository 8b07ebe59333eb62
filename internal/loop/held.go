package loop

import (
	"runtime"
	"sync"
	"time"

	"ringo/internal/rt/peek"
	"ringo/internal/rt/stacks"
)

// A loop that is held answers nobody. What others can still tell of it is for how long it has been in its turn, which
// it notes when the turn begins, and where it stands, which its stack tells.

// heldAfter is how long a turn lasts at least of a loop that counts as held because it did not answer.
const heldAfter = askPatience / 2

// heldFor is how long the present turn has lasted if that is so long that the loop is held, else 0. G.
func (l *Loop) heldFor() time.Duration {
	if began := l.watch.since.Load(); began != 0 {
		if lasts := time.Duration(l.set.elapsed() - began); lasts >= heldAfter {
			return lasts
		}
	}
	return 0
}

// whileHeld is what Stats gives of a loop that has not answered: what is known, at most recentWindow older than the
// turn that lasts, and that turn, as if it had ended now. G.
func (l *Loop) whileHeld() Stats {
	var s Stats
	last := l.lastStats.Load() // first: it has nothing of the turn that heldFor is about
	if last != nil {
		s = *last
	}
	if l.ended.Load() {
		return l.promised.apply(s, l.set.elapsed())
	}
	s.Lanes = l.set.laneStats()
	if s.Held = l.heldFor(); s.Held == 0 {
		return l.promised.apply(s, l.set.elapsed())
	}
	if last == nil { // it is held since its first turn
		s.Tasks = len(l.tasksWhileHeld())
	}
	s.InTasks += s.Held
	if l.cfg.Stall >= 0 && s.Held > l.cfg.Stall {
		s.Stalls++
	}
	return l.promised.keep(s, l.set.elapsed())
}

// promised is how far counts have gone that were given of turns which lasted: nobody is given less later, though the
// turn may have ended meanwhile, and the loop not have counted it where others can see it.
type promised struct {
	mu      sync.Mutex
	inTasks time.Duration
	stalls  uint64
	longest time.Duration
	recent  recent
}

// keep gives s, of a loop that is held at a time, and never less later.
func (p *promised) keep(s Stats, now int64) Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inTasks, p.stalls = max(p.inTasks, s.InTasks), max(p.stalls, s.Stalls)
	p.longest = max(p.longest, s.Held)
	p.recent.add(s.Held, now)
	return p.applied(s, now)
}

func (p *promised) apply(s Stats, now int64) Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.applied(s, now)
}

// applied is for who holds mu.
func (p *promised) applied(s Stats, now int64) Stats {
	s.InTasks, s.Stalls = max(p.inTasks, s.InTasks), max(p.stalls, s.Stalls)
	s.Longest, s.Recent = max(p.longest, s.Longest), max(p.recent.at(now), s.Recent)
	return s
}

// PresentHold is what holds the loop now: false if nothing does, or has for less than heldAfter. It does not ask the
// loop. Where nothing but all stacks tells who holds it, and there are too many, Task is empty. G.
func (l *Loop) PresentHold() (h Hold, held bool) {
	if l.unmade() {
		return Hold{}, false
	}
	turn, lasts := l.watch.since.Load(), l.heldFor()
	if lasts == 0 {
		return Hold{}, false
	}
	state, stack := l.heldBy()
	if l.watch.since.Load() != turn {
		return Hold{}, false // it has ended meanwhile
	}
	at := stacks.Place{}
	if stack.Known() {
		at = stack.Place()
	} else {
		state = holdUnseen
	}
	return Hold{Task: at.Task, At: at.At, In: at.In, State: state, Times: 1, Total: lasts, Longest: lasts}, true
}

// heldBy is what a loop does that is held.
func (l *Loop) heldBy() (state string, at stacks.Stack) {
	if peeks() {
		var peeker peek.Peeker
		var kinds stacks.Kinds
		if g, _, ok := peek.Mark(&l.mark); ok && g != 0 {
			does, pcs := peeker.At(g)
			at.PCs = pcs
			switch {
			case does == peek.Waiting && len(pcs) > 0 && !kinds.Switched(&at) && !kinds.Collects(&at):
				return holdBlocked, at
			case does == peek.Syscall && len(pcs) > 0:
				return holdSyscall, at
			}
		}
		at = stacks.Stack{}
	}
	if runtime.NumGoroutine() > stacksMax {
		return holdUnseen, at
	}
	t := stacks.Take()
	g := t.Holder(l.goid)
	if g == nil {
		return holdUnseen, at
	}
	switch {
	case g.State() == "syscall":
		state = holdSyscall
	case g.Waits():
		state = holdBlocked
	default:
		state = holdRunning
	}
	for ; g != nil; g = t[g.By] { // an iterator's coroutine; below it is the task
		at.Functions = append(at.Functions, g.Functions()...)
		if g.By == 0 || g.By == l.goid {
			break
		}
	}
	return state, at
}

package census

import (
	"sync"
	"time"

	"ringo/internal/loop"
	"ringo/stats"
)

// A loop that is held answers nobody. What others can still tell of it is for how long it has been in its turn, which
// it notes when the turn begins, and where it stands, which its stack tells.

// heldAfter is how long a turn lasts at least of a loop that counts as held because it did not answer.
const heldAfter = askPatience / 2

// HeldFor is how long the present turn has lasted if that is so long that the loop is held, else 0. G.
func HeldFor(l *loop.Loop) time.Duration { return heldBehind(l, 0) }

// heldBehind is HeldFor of a turn other than one that is known to be over. G.
func heldBehind(l *loop.Loop, over int64) time.Duration {
	if began := l.Look().TurnBegan(); began != over && began != 0 {
		if lasts := time.Duration(l.Elapsed() - began); lasts >= heldAfter {
			return lasts
		}
	}
	return 0
}

// whileHeld is what Stats gives of a loop that has not answered: what is known, at most recentWindow older than the
// turn that lasts, and that turn, as if it had ended now. G.
func (r *Record) whileHeld() stats.Loop {
	l := r.l
	var s stats.Loop
	over := int64(0)
	last := r.last.Load() // first: it has nothing of a turn that lasts, but for the one that it says is over
	if last != nil {
		s, over = last.Loop, last.turn
	}
	if l.Ended() {
		return r.promised.apply(s, l.Elapsed())
	}
	s.Lanes = l.Set().Lanes().Stats()
	if s.Held = heldBehind(l, over); s.Held == 0 {
		return r.promised.apply(s, l.Elapsed())
	}
	if last == nil { // it is held since its first turn
		s.Tasks = len(tasksWhileHeld(l))
	}
	s.InTasks += s.Held
	if limit := l.Config().Stall; limit >= 0 && s.Held > limit {
		s.Stalls++
	}
	return r.promised.keep(s, l.Elapsed())
}

// promised is how far counts have gone that were given of turns which lasted: nobody is given less later, though the
// turn may have ended meanwhile, and the loop not have counted it where others can see it, or have counted less: a turn
// seems to last up to the loop's next sleep.
type promised struct {
	mu      sync.Mutex
	final   *stats.Loop // what the loop has counted in all; nil: it has not ended
	inTasks time.Duration
	stalls  uint64
	longest time.Duration
	recent  recent
}

// keep gives s, of a loop that is held at a time, and never less later. Of one that has ended meanwhile it gives what
// the totals have, which learn of no more.
func (p *promised) keep(s stats.Loop, now int64) stats.Loop {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.final != nil {
		return p.applied(*p.final, now)
	}
	p.inTasks, p.stalls = max(p.inTasks, s.InTasks), max(p.stalls, s.Stalls)
	p.longest = max(p.longest, s.Held)
	p.recent.add(s.Held, now)
	return p.applied(s, now)
}

// end gives s, of a loop that has ended, and nobody more later.
func (p *promised) end(s stats.Loop, now int64) stats.Loop {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.final = &s
	return p.applied(s, now)
}

func (p *promised) apply(s stats.Loop, now int64) stats.Loop {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.applied(s, now)
}

// applied is for who holds mu.
func (p *promised) applied(s stats.Loop, now int64) stats.Loop {
	s.InTasks, s.Stalls = max(p.inTasks, s.InTasks), max(p.stalls, s.Stalls)
	s.Longest, s.Recent = max(p.longest, s.Longest), max(p.recent.at(now), s.Recent)
	return s
}

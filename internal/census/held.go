package census

import (
	"sync"
	"time"

	"ringo/internal/loop"
	"ringo/stats"
)

// A loop that is held does not answer. Other threads can still find out how long it has been in its turn, which the
// loop notes when the turn begins, and where it stands, which its stack shows.

// heldAfter is how long a loop that does not answer must have been in its turn to count as held.
const heldAfter = askPatience / 2

// HeldFor returns how long the present turn has lasted if the loop counts as held, else 0. G.
func HeldFor(l *loop.Loop) time.Duration { return heldBehind(l, 0) }

// heldBehind is HeldFor, but ignores the turn over, which is known to have ended. G.
func heldBehind(l *loop.Loop, over int64) time.Duration {
	if began := l.Look().TurnBegan(); began != over && began != 0 {
		if lasts := time.Duration(l.Elapsed() - began); lasts >= heldAfter {
			return lasts
		}
	}
	return 0
}

// whileHeld returns the stats of a loop that has not answered: the last known ones, at most recentWindow older than
// the turn that lasts, plus that turn as if it ended now. G.
func (r *Record) whileHeld() stats.Loop {
	l := r.l
	var s stats.Loop
	over := int64(0)
	last := r.last.Load() // loaded first: it counts no turn that lasts, except the one that it marks as over
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
	if last == nil { // the loop is held since its first turn
		s.Tasks = len(tasksWhileHeld(l))
	}
	s.InTasks += s.Held
	if limit := l.Config().Stall; limit >= 0 && s.Held > limit {
		s.Stalls++
	}
	return r.promised.keep(s, l.Elapsed())
}

// promised holds the largest counts that were returned for turns that lasted, so that no later call returns less.
// Otherwise counts could go down: the turn may have ended without the loop's having published its counts, or the loop
// may have counted less, since from outside a turn seems to last until the loop's next sleep.
type promised struct {
	mu      sync.Mutex
	final   *stats.Loop // the loop's final counts; nil: it has not ended
	inTasks time.Duration
	stalls  uint64
	longest time.Duration
	recent  recent
}

// keep returns s, of a loop that is held, and makes sure that no later call returns less. If the loop has ended
// meanwhile it returns the final counts, as the totals have them, which can't change any more.
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

// end returns the final counts for s, of a loop that has ended. No later call returns more.
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

// applied is apply for a caller that holds mu.
func (p *promised) applied(s stats.Loop, now int64) stats.Loop {
	s.InTasks, s.Stalls = max(p.inTasks, s.InTasks), max(p.stalls, s.Stalls)
	s.Longest, s.Recent = max(p.longest, s.Longest), max(p.recent.at(now), s.Recent)
	return s
}

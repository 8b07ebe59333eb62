package census

import (
	"ringo/internal/loop"
	"ringo/stats"
)

// Metered reports whether the running turn of a loop is measured by task. T.
func Metered(l *loop.Loop) bool { return of(l).meter != nil }

// WhileHeld is what StatsOf gives if the loop does not answer.
func WhileHeld(l *loop.Loop) stats.Loop { return of(l).whileHeld() }

// GivesUp reports whether who has waited for so many times askPatience before does not wait on.
func GivesUp(times int, l *loop.Loop) bool { return (&patience{times}).over(l) }

// PromisedBehindTheEnd is what is given to who was late, of a loop that has ended with a sum.
func PromisedBehindTheEnd(sum, late stats.Loop) stats.Loop {
	var p promised
	p.end(sum, 0)
	return p.keep(late, 0)
}

// Asked is how many wait for a loop to begin to answer.
func Asked(l *loop.Loop) int {
	s := &of(l).asked
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.wait)
}

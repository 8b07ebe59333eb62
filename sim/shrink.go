package sim

import (
	"slices"
	"testing"
	"time"
)

// The bounds of shrinking. They count what happens in worlds, so that a slow machine finds the same as a fast one;
// only a test that is about to run out of time ends it earlier.
const (
	shrinkWorlds = 300
	shrinkEvents = 10_000_000 // turns, ops, packets: some 20 s of a processor
	// shrinkFatals is the bound for scripts that call t.Fatal, because each call is in the test's log.
	shrinkFatals = 100
)

// shrinker looks for fewer faults with which a world still fails.
type shrinker struct {
	t      testing.TB
	script func(w *World)
	first  *outcome
	least  *outcome
	tries  int
	events uint64
	until  time.Time
	short  string // why it has ended early
}

// shrink leaves out half of the faults, a quarter, and so on to single ones, and repeats that while it helps.
func (s *shrinker) shrink() {
	if t, ok := s.t.(interface{ Deadline() (time.Time, bool) }); ok {
		if end, set := t.Deadline(); set {
			s.until = time.Now().Add(time.Until(end) / 2)
		}
	}
	piece, found := (len(s.least.failure.Faults)+1)/2, false
	for at := 0; piece > 0 && s.goesOn(); {
		all := s.least.failure.Faults
		switch {
		case at < len(all):
			if rest := slices.Concat(all[:at], all[min(at+piece, len(all)):]); s.try(rest) {
				found = true
			} else {
				at += piece
			}
		case piece == 1 && found: // a fault that was needed before may not be now
			at, found = 0, false
		default:
			at, found, piece = 0, false, piece/2
		}
	}
}

// goesOn reports whether another world may be played.
func (s *shrinker) goesOn() bool {
	switch {
	case s.tries >= shrinkWorlds, s.tries >= shrinkFatals && s.first.world.quit, s.events >= shrinkEvents:
		s.short = "; there may be fewer"
	case !s.until.IsZero() && time.Now().After(s.until):
		s.short = "; there may be fewer, but half of the test's remaining time was used"
	}
	return s.short == ""
}

// try plays the world with some of the faults only, and reports whether it fails in the same way.
func (s *shrinker) try(faults []Fault) bool {
	s.tries++
	only := map[FaultID]bool{}
	for _, f := range faults {
		only[f.FaultID] = true
	}
	o := *s.first.o
	o.only, o.trace, o.many = only, nil, false
	next := play(&o, s.script)
	s.events += next.world.trace.all
	if next.failure == nil || next.failure.sort() != s.first.failure.sort() {
		return false
	}
	s.least = next
	return true
}

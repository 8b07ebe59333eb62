package loop

import (
	"testing"
	"time"

	"ringo/internal/driver"
)

// A turn that begins when the watcher rests ends that, and one that begins while it is about to does, on either side of
// its word that it rests.
func TestNoTurnIsMissed(t *testing.T) {
	epoch, now := time.Now(), time.Duration(0)
	var meanwhile func()
	s := &Set{epoch: epoch, rested: make(chan struct{}, 1)}
	s.cfg = &Config{Clock: func() time.Time {
		if f := meanwhile; f != nil {
			meanwhile = nil
			f()
		}
		return epoch.Add(now)
	}}
	one, two := &Loop{set: s, cfg: s.cfg}, &Loop{set: s, cfg: s.cfg}
	s.loops = []*Loop{one, two}
	w := &watcher{set: s, hold: time.Millisecond, seen: make([]sighting, 2)}
	word := func() bool {
		select {
		case <-s.rested:
			w.slept = 0
			return true
		default:
			return false
		}
	}
	rest := func(when string, want bool) {
		t.Helper()
		if got := w.mayRest(); got != want || s.rests.Load() != want {
			t.Errorf("%s: mayRest is %v, rests %v, want %v", when, got, s.rests.Load(), want)
		}
	}
	now = time.Second
	rest("the first look", false)
	now += restAfter
	rest("asleep for long", true)
	two.watch.begin(1)
	s.endRest()
	s.endRest()
	if s.rests.Load() || !word() || word() {
		t.Error("a turn does not end the rest, once")
	}
	rest("in a turn", false)
	two.watch.rest()
	rest("asleep again", false)
	now += restAfter
	meanwhile = func() { one.watch.begin(2) } // and has looked at rests
	rest("a turn begins meanwhile", false)
	one.watch.rest()
	if word() {
		t.Error("a word of a turn that the watcher has seen itself")
	}
	meanwhile = func() { one.watch.long(3, time.Second) }
	rest("a long turn begins and ends meanwhile", false)
}

// awake is a driver of which the tests want nothing.
type awake struct{ driver.Driver }

func (awake) Wake() {}

// Rounds that ask who waits for locks end when they tell nothing new, and begin again with who comes.
func TestLockRoundsEnd(t *testing.T) {
	epoch, now := time.Now(), time.Duration(0)
	s := &Set{epoch: epoch, cfg: &Config{Budget: 100, Clock: func() time.Time { return epoch.Add(now) }}}
	s.cfg.Complain = func(string) {}
	l := &Loop{set: s, cfg: s.cfg, drv: awake{}}
	s.loops = []*Loop{l}
	w := &watcher{set: s, locks: lockWatch{waits: make([]bool, 1)}}
	var p [4]Parker
	for i := range p {
		p[i].t = &Task{l: l}
	}
	q := &l.locks
	for _, step := range []struct {
		when  string
		does  func()
		held  bool
		asked int // in 20 rounds
	}{
		{"nobody waits", func() {}, false, 0},
		{"one waits", func() { q.push(&p[0]) }, false, sameRounds},
		{"nobody comes", func() {}, false, 0},
		{"another waits", func() { q.push(&p[1]) }, false, sameRounds},
		{"one goes", func() { q.remove(&p[0]) }, false, 0},
		{"one comes, another goes", func() { q.push(&p[2]); q.remove(&p[1]) }, false, sameRounds},
		{"all go", func() { q.remove(&p[2]) }, false, 0},
		{"one comes and goes", func() { q.push(&p[0]); q.remove(&p[0]) }, false, 1},
		{"the loop is held", func() { q.push(&p[3]) }, true, 20},
		{"it is not", func() {}, false, sameRounds},
	} {
		step.does()
		asked := 0
		for range 20 {
			now += locksEvery
			if w.lookAtLocks(); w.locks.round != nil {
				asked++
			}
			if !step.held {
				l.readMail()
			}
		}
		if asked != step.asked || w.knowsLocks() == step.held {
			t.Errorf("%s: asked %d times, want %d; knows: %v", step.when, asked, step.asked, w.knowsLocks())
		}
	}
}

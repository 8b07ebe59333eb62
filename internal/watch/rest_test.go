package watch

import (
	"testing"
	"time"

	"ringo/internal/loop"
)

// fake is a loop to the watcher.
type fake struct {
	view
	now   func() int64
	began int64
	waits []string // for locks
	fresh bool
	calls []func()
}

func (f *fake) Index() int                    { return 0 }
func (f *fake) Elapsed() int64                { return f.now() }
func (f *fake) TurnBegan() int64              { return f.began }
func (f *fake) FreshLockWait() bool           { return f.fresh }
func (f *fake) TakeFreshLockWait() (was bool) { was, f.fresh = f.fresh, false; return was }
func (f *fake) Call(fn func()) bool           { f.calls = append(f.calls, fn); return true }
func (f *fake) LockWaits(int, time.Duration) (all []loop.LockWait, none bool) {
	return nil, len(f.waits) == 0
}

// A turn that begins when the watcher rests ends that, and one that begins while it is about to does, on either side of
// its word that it rests.
func TestNoTurnIsMissed(t *testing.T) {
	now := time.Duration(0)
	var meanwhile func()
	s := &run{rested: make(chan struct{}, 1), cfg: &loop.Config{}}
	one, two := &fake{}, &fake{}
	for _, f := range []*fake{one, two} {
		f.now = func() int64 {
			if do := meanwhile; do != nil {
				meanwhile = nil
				do()
			}
			return int64(now)
		}
		s.loops = append(s.loops, &target{view: f})
	}
	w := &watcher{run: s, hold: time.Millisecond, seen: make([]lastLook, 2)}
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
	two.began = 1
	s.endRest()
	s.endRest()
	if s.rests.Load() || !word() || word() {
		t.Error("a turn does not end the rest, once")
	}
	rest("in a turn", false)
	two.began = 0
	rest("asleep again", false)
	now += restAfter
	meanwhile = func() { one.began = 2 } // and has looked at rests
	rest("a turn begins meanwhile", false)
	one.began = 0
	if word() {
		t.Error("a word of a turn that the watcher has seen itself")
	}
	meanwhile = func() { s.loops[0].long(3, time.Second) }
	rest("a long turn begins and ends meanwhile", false)
}

// Rounds that ask who waits for locks end when they tell nothing new, and begin again with who comes.
func TestLockRoundsEnd(t *testing.T) {
	now := time.Duration(0)
	f := &fake{now: func() int64 { return int64(now) }}
	s := &run{cfg: &loop.Config{Complain: func(string) {}}, loops: []*target{{view: f}}}
	w := &watcher{run: s, locks: lockWatch{waits: make([]bool, 1)}}
	comes := func() { f.waits, f.fresh = append(f.waits, "a task"), true }
	goes := func() { f.waits = f.waits[1:] }
	for _, step := range []struct {
		when  string
		does  func()
		held  bool
		asked int // in 20 rounds
	}{
		{"nobody waits", func() {}, false, 0},
		{"one waits", comes, false, sameRounds},
		{"nobody comes", func() {}, false, 0},
		{"another waits", comes, false, sameRounds},
		{"one goes", goes, false, 0},
		{"one comes, another goes", func() { comes(); goes() }, false, sameRounds},
		{"all go", goes, false, 0},
		{"one comes and goes", func() { comes(); goes() }, false, 1},
		{"the loop is held", comes, true, 20},
		{"it is not", func() {}, false, sameRounds},
	} {
		step.does()
		asked := 0
		for range 20 {
			now += locksEvery
			if w.lookAtLocks(); w.locks.round != nil {
				asked++
			}
			for ; !step.held && len(f.calls) > 0; f.calls = f.calls[1:] {
				f.calls[0]()
			}
		}
		if asked != step.asked || w.knowsLocks() == step.held {
			t.Errorf("%s: asked %d times, want %d; knows: %v", step.when, asked, step.asked, w.knowsLocks())
		}
	}
}

// A loop that is held has one question about its locks in its mailbox, however long that lasts. Others are asked
// meanwhile, and it is asked again once it has answered.
func TestHeldLoopIsAskedOnce(t *testing.T) {
	now := time.Duration(0)
	s := &run{cfg: &loop.Config{Complain: func(string) {}}}
	held, goesOn := &fake{waits: []string{"lock"}, fresh: true}, &fake{waits: []string{"lock"}, fresh: true}
	for _, f := range []*fake{held, goesOn} {
		f.now = func() int64 { return int64(now) }
		s.loops = append(s.loops, &target{view: f})
	}
	w := &watcher{run: s}
	w.locks.waits = make([]bool, len(s.loops))
	round := func() (asked int) {
		w.lookAtLocks()
		now += locksEvery
		for _, answer := range goesOn.calls {
			answer()
		}
		asked, goesOn.calls = len(goesOn.calls), nil
		return asked
	}
	for n := range 10 {
		if asked := round(); asked != 1 || len(held.calls) != 1 {
			t.Fatalf("round %d: the loop that goes on was asked %d times, the other has %d questions", n, asked,
				len(held.calls))
		}
	}
	held.calls[0]()
	held.calls = nil
	if round(); len(held.calls) != 1 {
		t.Errorf("the loop that was held has %d questions", len(held.calls))
	}
}

package loop

import (
	"runtime"
	"time"

	"ringo/internal/kernel"
)

// The watcher is one goroutine of a Run that looks at its loops from outside,
// because only while a task holds its loop can a stack tell why. It looks twice in
// the time that a turn may take, and more often at a loop that it found in one turn
// twice.
//
// A long turn is not always a task's fault. The process may have been stopped, or
// the machine suspended: so a turn is not judged by the clock alone, but by how often
// the watcher, itself on time, found the loop in it. Or the machine may be busy with
// others: so the loop's thread is asked, by its processor clock and its state,
// whether it computes, waits, or would run if it were let.
type watcher struct {
	set   *Set
	limit time.Duration
	seen  []sighting // by loop
}

// sighting is what the watcher knows of a loop.
type sighting struct {
	turn  int64 // stallWatch.since; 0: none
	looks int   // after the first at that turn
	first int64 // when that was
	cpu   int64 // the thread's processor clock then
	next  int64 // how long the turn must take to be judged
	done  bool  // the turn was reported, or is not to be

	said    int64 // when this loop's last complaint was made
	unsaid  int   // long turns since
	everSay bool
}

const (
	// looksMin is how often a loop must be found in one turn after the first time.
	looksMin = 4
	// stacksMax bounds the tasks for whose stacks the program is stopped unasked: it
	// takes some 6 µs for each.
	stacksMax = 1 << 14
	// complainEvery keeps complaints apart that nobody asked for.
	complainEvery = 10 * time.Second
)

// startStallWatch starts the watcher, if anybody wants to know.
func (s *Set) startStallWatch() (stop func()) {
	if !s.cfg.watchesStalls() {
		return func() {}
	}
	quit, gone := make(chan struct{}), make(chan struct{})
	w := &watcher{set: s, limit: s.cfg.Stall, seen: make([]sighting, len(s.loops))}
	go func() { defer close(gone); w.run(quit) }()
	return func() { close(quit); <-gone }
}

func (c *Config) watchesStalls() bool { return c.Stall >= 0 && (c.OnStall != nil || c.Complain != nil) }

// run looks until quit is closed. The pause is begun anew after each look, so that
// a watcher that was late does not look twice at once.
func (w *watcher) run(quit <-chan struct{}) {
	rough := max(w.limit/2, time.Millisecond)
	fine := max(w.limit/8, time.Millisecond)
	pause := time.NewTimer(rough)
	defer pause.Stop()
	for {
		select {
		case <-quit:
			return
		case <-pause.C:
		}
		next := rough
		for i, l := range w.set.loops {
			if s := &w.seen[i]; w.look(l, s) {
				next = fine
			}
		}
		pause.Reset(next)
	}
}

// look looks at one loop. It reports whether to look again soon.
func (w *watcher) look(l *Loop, s *sighting) (soon bool) {
	turn := l.watch.since.Load()
	if turn == 0 {
		s.turn = 0
		return false
	}
	now := w.set.elapsed()
	if turn != s.turn {
		s.turn, s.looks, s.done = turn, 0, false
		s.first, s.next = now, int64(w.limit)
		s.cpu, _ = kernel.ThreadCPU(l.tid)
		return false
	}
	if s.looks++; s.done {
		return false
	}
	if s.looks >= looksMin && now-turn > s.next {
		w.judge(l, s, now)
	}
	return !s.done
}

// judge decides whether a long turn is one to report, and reports it.
func (w *watcher) judge(l *Loop, s *sighting, now int64) {
	if w.set.cfg.OnStall == nil && s.everSay && now-s.said < int64(complainEvery) {
		s.unsaid++
		s.done = true
		return
	}
	// A turn that has used so much processor time is long without anybody's help.
	cpu, ok := kernel.ThreadCPU(l.tid)
	computes := cpu-s.cpu >= int64(w.limit)*3/4
	if !ok {
		computes = kernel.ThreadState(l.tid) == 'R'
	}
	if !computes && !asleep(l.tid) {
		return // it would run if the machine let it
	}
	// To take the stacks stops the program for a moment. That is quick only because
	// this thread is known to run, or to sleep where it need not be waited for, and
	// if there are not too many.
	var t trace
	if w.set.cfg.OnStall != nil || runtime.NumGoroutine() <= stacksMax {
		t = takeTrace()
	}
	g := t.holder(l.goid)
	if l.watch.since.Load() != s.turn {
		return // the turn has ended meanwhile
	}
	if after, _ := kernel.ThreadCPU(l.tid); !computes && (after != cpu || g != nil && !g.waits()) {
		s.next = 2 * (now - s.turn) // it has run meanwhile, or waits for the scheduler to let it
		return
	}
	s.done = true
	took := time.Duration(now - s.turn)
	if w.set.cfg.OnStall != nil {
		w.set.cfg.OnStall(l, took, append(g.text(), held(l)...))
		return
	}
	w.set.cfg.Complain(complaint(l, took, t, g, computes, s.unsaid))
	s.said, s.everSay, s.unsaid = now, true, 0
}

// asleep reports whether a thread sleeps. What the system does not tell is taken
// for sleep: then the goroutine's state decides.
func asleep(tid int32) bool {
	switch kernel.ThreadState(tid) {
	case 'S', 'D', 0:
		return true
	}
	return false // it runs, would run, or was stopped
}

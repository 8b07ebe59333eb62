package watch

import (
	"log/slog"
	"runtime"
	"time"

	"ringo/internal/census"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/rt/peek"
	"ringo/internal/rt/stacks"
)

// The watcher is one goroutine of a Run that looks at its loops from outside, because a stack shows why a loop is held
// only while it is held. It looks twice in the time that a turn may take. It looks more often at a loop that it has
// found in the same turn twice, and at all loops for a while after turns that were longer than Config.Hold: see note.
//
// While all loops sleep there is nothing to see, so the watcher sleeps too:
//
//	looking ──all loops slept at each look for restAfter──▶ resting ──a loop begins a turn──▶ looking
//
// A long turn is not always a task's fault. The process may have been stopped, or the machine suspended: so a turn is
// not judged by the clock alone, but also by how often the watcher, itself on time, found the loop in it. Or the
// machine may be busy with other processes: so the watcher finds out, from the processor clock and the state of the
// loop's thread, whether the thread computes, waits, or is kept from running.
type watcher struct {
	run   *run
	limit time.Duration // negative: the watcher does not look for stalls
	hold  time.Duration // 0: it does not look for holds
	seen  []lastLook    // indexed by loop

	pause    time.Duration // before this look
	alert    int64         // the time until which it looks often, for holds
	longs    []longTurn    // reused memory
	peeker   peek.Peeker
	spent    int64 // the time up to which the time for taking stacks is spent
	reported int64 // when holds were reported last
	noticed  int64 // when the first unreported hold was found; 0: there is none
	slept    int64 // since when all loops were found asleep; 0: one was awake
	locks    lockWatch
	kinds    stacks.Kinds
}

// lastLook is what the watcher knows of a loop.
type lastLook struct {
	turn   int64 // loop.TurnBegan; 0: none
	looks  int   // looks at that turn after the first
	looked int64 // when the latest look was
	first  int64 // when the first look was
	cpu    int64 // the thread's processor clock at the first look
	next   int64 // how long the turn must last before it is judged
	done   bool  // the turn was reported
	quiet  bool  // it is long, and came too soon after a report

	longs  int64 // target.longs as of the last look
	holder holder

	said    int64 // when this loop's last complaint was made
	unsaid  int   // long turns since then that were not reported
	everSay bool
}

const (
	// looksMin is how often a loop must be found in the same turn again.
	looksMin = 4
	// roughMax is how long the watcher sleeps if no turn was long lately.
	roughMax = 50 * time.Millisecond
	// restAfter is how long all loops must have slept before the watcher rests. The turn that ends its rest pays some
	// microseconds for that, which happens at most once in this time.
	restAfter = 500 * time.Millisecond
)

// startWatch starts the watcher, if the configuration asks for stalls or holds.
func (r *run) startWatch() (stop func()) {
	if !watches(r.cfg) {
		return func() {}
	}
	quit, gone := make(chan struct{}), make(chan struct{})
	w := &watcher{run: r, limit: r.cfg.Stall, hold: max(0, r.cfg.Hold), seen: make([]lastLook, len(r.loops))}
	if !watchesStalls(r.cfg) {
		w.limit = -1
	}
	w.locks.waits = make([]bool, len(r.loops))
	w.spent, w.reported = r.elapsed(), -int64(reportEvery)
	go func() { defer close(gone); w.watch(quit) }()
	return func() { close(quit); <-gone }
}

func watches(c *loop.Config) bool { return watchesStalls(c) || c.Hold > 0 }

func watchesStalls(c *loop.Config) bool { return c.Stall >= 0 && (c.OnStall != nil || c.Tells()) }

// watch looks until quit is closed. It starts the pause again after each look, so that a watcher that was late does
// not look twice in a row.
func (w *watcher) watch(quit <-chan struct{}) {
	rough, fine := roughMax, roughMax
	if w.limit >= 0 {
		rough = min(rough, max(w.limit/2, time.Millisecond))
		fine = max(w.limit/8, time.Millisecond)
	}
	w.pause = rough
	pause := time.NewTimer(rough)
	defer pause.Stop()
	for {
		select {
		case <-quit:
			w.last()
			return
		case <-pause.C:
		case <-w.run.rested:
			w.slept = 0
		}
		next := rough
		for i, l := range w.run.loops {
			s := &w.seen[i]
			if w.limit >= 0 && w.look(l, s, fine) {
				next = min(next, fine)
			}
			if w.hold > 0 && w.lookForHolds(l, s) {
				next = min(next, w.often())
			}
		}
		if w.limit >= 0 {
			w.lookAtLocks()
		}
		if w.hold > 0 {
			if w.run.elapsed() < w.alert {
				next = min(next, w.alertPause())
			}
			w.report(false)
		}
		w.pause = next
		if !w.mayRest() {
			pause.Reset(next)
		} else if left, ok := w.untilReport(); ok {
			pause.Reset(left)
		}
	}
}

// mayRest reports whether the watcher may sleep until a loop begins a turn, which wakes it.
func (w *watcher) mayRest() bool {
	if !w.nothingToSee() {
		w.slept = 0
		return false
	}
	now := w.run.elapsed()
	if w.slept == 0 {
		w.slept = now
	}
	if now-w.slept < int64(restAfter) {
		return false
	}
	w.run.rests.Store(true)
	// A loop that has begun a turn since may have looked at rests before the Store.
	return w.nothingToSee() || !w.run.rests.CompareAndSwap(true, false)
}

// nothingToSee reports whether all loops sleep, and have left no long turns or waits for locks to look at.
func (w *watcher) nothingToSee() bool {
	for i, l := range w.run.loops {
		if l.TurnBegan() != 0 || w.hold > 0 && l.longs.Load() != w.seen[i].longs {
			return false
		}
	}
	return w.limit < 0 || w.knowsLocks()
}

// endRest wakes the watcher if it rests. The loop has announced its turn before, so the watcher will see it.
func (r *run) endRest() {
	if r.rests.CompareAndSwap(true, false) {
		select {
		case r.rested <- struct{}{}:
		default: // it was woken, and has not looked yet
		}
	}
}

// look looks at one loop. It reports whether to look again soon.
func (w *watcher) look(l *target, s *lastLook, fine time.Duration) (soon bool) {
	turn := l.TurnBegan()
	if turn != s.turn && s.quiet {
		s.quiet = false
		s.unsaid++
	}
	if turn == 0 {
		s.turn = 0
		return false
	}
	now := w.run.elapsed()
	if turn != s.turn {
		s.turn, s.looks, s.done = turn, 0, false
		s.first, s.looked, s.next = now, now, int64(w.limit)
		s.cpu, _ = kernel.ThreadCPU(l.Thread())
		return false
	}
	if now-s.looked >= int64(fine)*3/4 { // for holds the watcher may look more often, which does not count here
		s.looks++
		s.looked = now
	}
	if s.done {
		return false
	}
	if s.looks >= looksMin && now-turn > s.next {
		w.judge(l, s, now)
	}
	return !s.done && !s.quiet
}

// judge decides whether to report a long turn, and reports it.
func (w *watcher) judge(l *target, s *lastLook, now int64) {
	if w.run.cfg.OnStall == nil && s.everSay && now-s.said < int64(loop.ComplainEvery) {
		s.quiet, s.next = true, s.said+int64(loop.ComplainEvery)-s.turn // it may never end
		return
	}
	// A turn that has used so much processor time is long by its own work.
	cpu, ok := kernel.ThreadCPU(l.Thread())
	computes := cpu-s.cpu >= int64(w.limit)*3/4
	if !ok {
		computes = kernel.ThreadState(l.Thread()) == 'R'
	}
	if !computes && !asleep(l.Thread()) {
		return // the machine keeps it from running
	}
	// Taking the stacks stops the program for a moment. The stop is short only because this thread is known to run, or
	// to sleep where the stop need not wait for it, and because the number of goroutines is bounded.
	var t stacks.Trace
	if w.run.cfg.OnStall != nil || runtime.NumGoroutine() <= census.StacksMax {
		t = stacks.Take()
	}
	g := t.Holder(l.goid())
	if l.TurnBegan() != s.turn {
		return // the turn has ended meanwhile
	}
	if after, _ := kernel.ThreadCPU(l.Thread()); !computes && (after != cpu || g != nil && !g.Waits()) {
		s.next = 2 * (now - s.turn) // the thread has run meanwhile, or the goroutine waits for a processor
		return
	}
	s.done, s.quiet = true, false
	took := time.Duration(now - s.turn)
	about := []slog.Attr{slog.Int("loop", l.Index()), slog.Duration("so far", took),
		slog.String("name", nameIn(t, l, g)), slog.Bool("computes", computes), slog.Int("unsaid", s.unsaid)}
	if w.run.cfg.OnStall != nil {
		w.run.cfg.TellLogger("stall", about...)
		w.run.cfg.OnStall(l.l, took, append(textOf(g), held(l.l)...))
		return
	}
	w.run.cfg.Tell("stall", complaint(l, took, t, g, computes, s.unsaid), about...)
	s.said, s.everSay, s.unsaid = now, true, 0
}

// asleep reports whether a thread sleeps. If the system does not report the state, it counts as asleep: then the
// goroutine's state decides.
func asleep(tid int32) bool {
	switch kernel.ThreadState(tid) {
	case 'S', 'D', 0:
		return true
	}
	return false // it runs, could run, or was stopped
}

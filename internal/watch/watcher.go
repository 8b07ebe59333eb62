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

// The watcher is one goroutine of a Run that looks at its loops from outside,
// because only while a task holds its loop can a stack tell why. It looks twice in
// the time that a turn may take, and more often at a loop that it found in one turn
// twice, and for a while after turns that were longer than Config.Hold: see note.
//
// While all loops sleep there is nothing to see, so it sleeps too:
//
//	looking ──all loops slept at each look for restAfter──▶ resting ──a loop begins a turn──▶ looking
//
// A long turn is not always a task's fault. The process may have been stopped, or
// the machine suspended: so a turn is not judged by the clock alone, but by how often
// the watcher, itself on time, found the loop in it. Or the machine may be busy with
// others: so the loop's thread is asked, by its processor clock and its state,
// whether it computes, waits, or would run if it were let.
type watcher struct {
	run   *run
	limit time.Duration // negative: stalls are not looked for
	hold  time.Duration // 0: holds are not
	seen  []lastLook    // by loop

	pause    time.Duration // before this look
	alert    int64         // until when it looks often, for holds
	longs    []longTurn    // to use again
	peeker   peek.Peeker
	spent    int64 // up to when the time for stacks is spent
	reported int64 // when holds were last told of
	noticed  int64 // when there was something to tell; 0: there is not
	slept    int64 // since when all loops were found asleep; 0: one was not
	locks    lockWatch
	kinds    stacks.Kinds
}

// lastLook is what the watcher knows of a loop.
type lastLook struct {
	turn   int64 // loop.TurnBegan; 0: none
	looks  int   // after the first at that turn
	looked int64 // when the last of these was
	first  int64 // when that was
	cpu    int64 // the thread's processor clock then
	next   int64 // how long the turn must take to be judged
	done   bool  // the turn was reported, or is not to be

	longs  int64 // target.longs, of which is known
	holder holder

	said    int64 // when this loop's last complaint was made
	unsaid  int   // long turns since
	everSay bool
}

const (
	// looksMin is how often a loop must be found in one turn after the first time.
	looksMin = 4
	// roughMax is how long the watcher sleeps if nothing has taken long lately.
	roughMax = 50 * time.Millisecond
	// restAfter is for how long all loops must have slept when the watcher rests. The turn that ends its rest pays some
	// microseconds for that, so it is one in so long at most.
	restAfter = 500 * time.Millisecond
)

// startWatch starts the watcher, if anybody wants to know.
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

// watch looks until quit is closed. The pause is begun anew after each look, so that
// a watcher that was late does not look twice at once.
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

// mayRest reports whether the watcher may sleep until a loop begins a turn, which then tells it so.
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
	// A loop that has begun a turn since may have looked at rests before that.
	return w.nothingToSee() || !w.run.rests.CompareAndSwap(true, false)
}

// nothingToSee reports whether all loops sleep, and have left nothing of which the watcher does not know.
func (w *watcher) nothingToSee() bool {
	for i, l := range w.run.loops {
		if l.TurnBegan() != 0 || w.hold > 0 && l.longs.Load() != w.seen[i].longs {
			return false
		}
	}
	return w.limit < 0 || w.knowsLocks()
}

// endRest has the watcher look again, if it rests. The loop has said that it is in a turn.
func (r *run) endRest() {
	if r.rests.CompareAndSwap(true, false) {
		select {
		case r.rested <- struct{}{}:
		default: // it was told, and has not looked yet
		}
	}
}

// look looks at one loop. It reports whether to look again soon.
func (w *watcher) look(l *target, s *lastLook, fine time.Duration) (soon bool) {
	turn := l.TurnBegan()
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
	if now-s.looked >= int64(fine)*3/4 { // it may be looked at more often, for holds
		s.looks++
		s.looked = now
	}
	if s.done {
		return false
	}
	if s.looks >= looksMin && now-turn > s.next {
		w.judge(l, s, now)
	}
	return !s.done
}

// judge decides whether a long turn is one to report, and reports it.
func (w *watcher) judge(l *target, s *lastLook, now int64) {
	if w.run.cfg.OnStall == nil && s.everSay && now-s.said < int64(loop.ComplainEvery) {
		s.unsaid++
		s.done = true
		return
	}
	// A turn that has used so much processor time is long without anybody's help.
	cpu, ok := kernel.ThreadCPU(l.Thread())
	computes := cpu-s.cpu >= int64(w.limit)*3/4
	if !ok {
		computes = kernel.ThreadState(l.Thread()) == 'R'
	}
	if !computes && !asleep(l.Thread()) {
		return // it would run if the machine let it
	}
	// To take the stacks stops the program for a moment. That is quick only because
	// this thread is known to run, or to sleep where it need not be waited for, and
	// if there are not too many.
	var t stacks.Trace
	if w.run.cfg.OnStall != nil || runtime.NumGoroutine() <= census.StacksMax {
		t = stacks.Take()
	}
	g := t.Holder(l.goid())
	if l.TurnBegan() != s.turn {
		return // the turn has ended meanwhile
	}
	if after, _ := kernel.ThreadCPU(l.Thread()); !computes && (after != cpu || g != nil && !g.Waits()) {
		s.next = 2 * (now - s.turn) // it has run meanwhile, or waits for the scheduler to let it
		return
	}
	s.done = true
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

// asleep reports whether a thread sleeps. What the system does not tell is taken
// for sleep: then the goroutine's state decides.
func asleep(tid int32) bool {
	switch kernel.ThreadState(tid) {
	case 'S', 'D', 0:
		return true
	}
	return false // it runs, would run, or was stopped
}

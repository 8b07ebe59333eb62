package loop

import (
	"log/slog"
	"runtime"
	"time"

	"ringo/internal/kernel"
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
	set   *Set
	limit time.Duration // negative: stalls are not looked for
	hold  time.Duration // 0: holds are not
	seen  []sighting    // by loop

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

// sighting is what the watcher knows of a loop.
type sighting struct {
	turn   int64 // stallWatch.since; 0: none
	looks  int   // after the first at that turn
	looked int64 // when the last of these was
	first  int64 // when that was
	cpu    int64 // the thread's processor clock then
	next   int64 // how long the turn must take to be judged
	done   bool  // the turn was reported, or is not to be

	longs  int64 // stallWatch.longs, of which is known
	holder holder

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
	// roughMax is how long the watcher sleeps if nothing has taken long lately.
	roughMax = 50 * time.Millisecond
	// restAfter is for how long all loops must have slept when the watcher rests. The turn that ends its rest pays some
	// microseconds for that, so it is one in so long at most.
	restAfter = 500 * time.Millisecond
)

// startWatch starts the watcher, if anybody wants to know.
func (s *Set) startWatch() (stop func()) {
	if !s.cfg.watches() {
		return func() {}
	}
	quit, gone := make(chan struct{}), make(chan struct{})
	s.rested = make(chan struct{}, 1)
	w := &watcher{set: s, limit: s.cfg.Stall, hold: max(0, s.cfg.Hold), seen: make([]sighting, len(s.loops))}
	if !s.cfg.watchesStalls() {
		w.limit = -1
	}
	w.locks.waits = make([]bool, len(s.loops))
	w.spent, w.reported = s.elapsed(), -int64(reportEvery)
	go func() { defer close(gone); w.run(quit) }()
	return func() { close(quit); <-gone }
}

func (c *Config) watches() bool { return c.watchesStalls() || c.Hold > 0 }

func (c *Config) watchesStalls() bool { return c.Stall >= 0 && (c.OnStall != nil || c.tells()) }

// run looks until quit is closed. The pause is begun anew after each look, so that
// a watcher that was late does not look twice at once.
func (w *watcher) run(quit <-chan struct{}) {
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
		case <-w.set.rested:
			w.slept = 0
		}
		next := rough
		for i, l := range w.set.loops {
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
			if w.set.elapsed() < w.alert {
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
	now := w.set.elapsed()
	if w.slept == 0 {
		w.slept = now
	}
	if now-w.slept < int64(restAfter) {
		return false
	}
	w.set.rests.Store(true)
	// A loop that has begun a turn since may have looked at rests before that.
	return w.nothingToSee() || !w.set.rests.CompareAndSwap(true, false)
}

// nothingToSee reports whether all loops sleep, and have left nothing of which the watcher does not know.
func (w *watcher) nothingToSee() bool {
	for i, l := range w.set.loops {
		if l.watch.since.Load() != 0 || w.hold > 0 && l.watch.longs.Load() != w.seen[i].longs {
			return false
		}
	}
	return w.limit < 0 || w.knowsLocks()
}

// endRest has the watcher look again, if it rests. The loop has said that it is in a turn.
func (s *Set) endRest() {
	if s.rests.CompareAndSwap(true, false) {
		select {
		case s.rested <- struct{}{}:
		default: // it was told, and has not looked yet
		}
	}
}

// look looks at one loop. It reports whether to look again soon.
func (w *watcher) look(l *Loop, s *sighting, fine time.Duration) (soon bool) {
	turn := l.watch.since.Load()
	if turn == 0 {
		s.turn = 0
		return false
	}
	now := w.set.elapsed()
	if turn != s.turn {
		s.turn, s.looks, s.done = turn, 0, false
		s.first, s.looked, s.next = now, now, int64(w.limit)
		s.cpu, _ = kernel.ThreadCPU(l.tid)
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
	var t stacks.Trace
	if w.set.cfg.OnStall != nil || runtime.NumGoroutine() <= stacksMax {
		t = stacks.Take()
	}
	g := t.Holder(l.goid)
	if l.watch.since.Load() != s.turn {
		return // the turn has ended meanwhile
	}
	if after, _ := kernel.ThreadCPU(l.tid); !computes && (after != cpu || g != nil && !g.Waits()) {
		s.next = 2 * (now - s.turn) // it has run meanwhile, or waits for the scheduler to let it
		return
	}
	s.done = true
	took := time.Duration(now - s.turn)
	about := []slog.Attr{slog.Int("loop", l.index), slog.Duration("so far", took), slog.String("name", nameIn(t, l, g)),
		slog.Bool("computes", computes), slog.Int("unsaid", s.unsaid)}
	if w.set.cfg.OnStall != nil {
		w.set.cfg.warn("stall", about...)
		w.set.cfg.OnStall(l, took, append(textOf(g), held(l)...))
		return
	}
	w.set.cfg.tell("stall", complaint(l, took, t, g, computes, s.unsaid), about...)
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

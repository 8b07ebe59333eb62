package loop

import (
	"time"

	"ringo/internal/driver"
	"ringo/internal/op"
)

// turns runs the loop until over says that it may end. An error means that the
// driver died, and that tasks are left.
func (l *Loop) turns(over func() bool) error {
	defer l.turn.rest() // for good
	for {
		l.begin()
		l.set.world.SchedYield(l) // while nothing is held that was accepted
		l.complete()
		l.inbox.read(l)
		l.fire()
		l.wakeYielded()
		l.runReady()
		l.end()
		if !l.inLull() {
			l.life.noteTasks()
		} else if over() && l.life.ends() {
			return nil
		}
		err := l.wait()
		l.life.goesOn()
		if err != nil && (l.life.killed || !l.life.unwinds(err)) {
			return err
		}
	}
}

// A turn is bounded in each of its parts, so that whatever one part has too much
// of, the others have their turn. In units of Config.Budget:
//
//	completions                 4
//	tasks started from outside  1, less what is ready already, a quarter at least
//	other mail                  4
//	timers that fire            1
//	ready items run             1
//	calls that don't park       16, in all of these together; 128 of one
//
// and by time, and in bytes, if something was accepted that is to be sent at its end: see outbox.
// What is left waits in order. A task is in the ready queue once at most, so one
// that becomes ready is resumed before any other is resumed twice.
const (
	mailBudget       = 4
	completionBudget = 4
	turnBudget       = 16
)

// callsMax bounds the calls of a turn that don't park.
func (l *Loop) callsMax() int { return turnBudget * l.cfg.Budget }

// hearing is up to when the loop knows what has come. A turn may be late: its thread has had no processor, or its
// process has stood still. What came in time is with the kernel then, and a timer that was due meanwhile would say
// that it has not. So a timer fires when the driver was asked at its time or later, and all was told that it said then.
// A driver that sleeps until a timer is due asks again by itself; what was due while it was not asked waits for the
// next turn, whose Wait does not sleep.
type hearing struct {
	until int64 // timers fire that are due by then
	next  int64 // likewise, when what follows is told
	left  int   // completions that are to be told before, in front of all others
}

// looked notes that the driver has told all that had come by a time. What is behind a look that is not told yet is
// another one's, so that timers have their turn however much there is.
func (h *hearing) looked(at int64, untold int) {
	if h.left <= 0 {
		h.next, h.left = at, untold
		h.told(0)
	}
}

// told notes that so many completions were.
func (h *hearing) told(n int) {
	if h.left -= n; h.left <= 0 {
		h.until = h.next
	}
}

// LookedNS is up to when, by NowNS, all that had come was told: of what had an earlier time, and has not come, it may
// be said that it is late.
func (l *Loop) LookedNS() int64 { return l.hearing.until }

// fire runs the timers that are due.
func (l *Loop) fire() {
	for n := 0; n < l.cfg.Budget; n++ {
		t := l.timers.Pop(l.hearing.until)
		if t == nil {
			return
		}
		t.Owner.(Alarm).Fire(t)
	}
}

// complete tells the sinks what the driver has for them.
func (l *Loop) complete() {
	n := 0
	for ; n < completionBudget*l.cfg.Budget; n++ {
		c, ok := l.done.Pop()
		if !ok {
			break
		}
		if c.Flags&op.More == 0 {
			l.ops.countEnd(c.Op)
		}
		c.Op.Sink.Complete(c.Op, c.Res, c.Flags)
	}
	l.hearing.told(n)
}

// runReady runs what is ready, up to the budget.
func (l *Loop) runReady() {
	l.charged.items, l.charged.turn, l.charged.limit = 0, 0, l.callsMax()
	if n := l.ready.len(); n > 0 {
		l.ready.most = max(l.ready.most, n)
		l.runsTask()
	}
	l.stint.begin(0)
	if l.shares != nil {
		l.shares.run()
	} else {
		for l.runs() {
			l.runUntilExit()
		}
	}
	l.mark.Clear()
	l.cur = nil
}

// runs reports whether the turn has something to run, and budget for it.
func (l *Loop) runs() bool {
	return l.ready.len() > 0 && l.charged.items < l.cfg.Budget && l.charged.turn < l.callsMax() && !l.out.due()
}

// runUntilExit runs ready items until there are none or the budget is spent, or
// until a worker is lost to runtime.Goexit.
func (l *Loop) runUntilExit() {
	defer exits()
	for l.runs() {
		if it := l.ready.peek(0); it.resumes() {
			t := it.task
			if sampled(l.ready.head) {
				l.ready.noteDelay()
			}
			l.ready.pop() // as dequeue, which is not inlined
			l.charged.items++
			l.cur, l.charged.task = t, 0
			l.switchTo(t.w)
			continue
		}
		w := l.workers.idle
		if w == nil {
			w = l.workers.take(l)
		} else {
			l.workers.idle, w.next = w.next, nil
		}
		l.switchTo(w)
	}
}

// exits is deferred by what runs tasks, of which one may end its worker.
func exits() {
	if v := recover(); v != nil && v != any(sentinel) {
		panic(v)
	}
}

// switchTo runs a coroutine until it gives the thread back. It must be inlined: a
// switch leaves the processor's guesses of return addresses wrong, and each return
// after it is one that was guessed (BenchmarkPark: 7 of 82 ns).
func (l *Loop) switchTo(w *worker) {
	l.mark.Set(w.g)
	w.resume()
}

// wait lets the driver work, and sleep if there is nothing else to do.
func (l *Loop) wait() error {
	l.noteSpare()
	sends := len(l.out.Sends) > 0 && l.tasks.live == 0 && l.handles.holds == 0 // behind which the loop may have ended
	if l.busy() || l.life.dead || sends {
		deadline := driver.Poll
		if at, ok := l.timers.Next(); ok && at <= l.clock.now {
			deadline = at
		}
		return l.enter(deadline)
	}
	l.turn.rest()
	if l.cfg.Spin > 0 {
		if err := l.spin.awhile(l); err != nil || l.busy() {
			return err
		}
	}
	deadline := driver.Forever
	if at, ok := l.timers.Next(); ok {
		deadline = at
	}
	return l.enter(deadline)
}

// enter is the driver's Wait, which sends what the turn has accepted.
func (l *Loop) enter(deadline int64) error {
	l.done.Looked = false
	err := l.drv.Wait(deadline, &l.done)
	switch {
	case l.done.Looked:
		l.hearing.looked(max(l.clock.now, deadline), l.done.Len())
	case err != nil: // nothing more comes
		l.hearing.looked(l.clock.now, l.done.Len())
	}
	if len(l.out.Sends) > 0 {
		l.out.sent()
	}
	if l.out.wanted {
		l.out.open(l)
	}
	return err
}

func (l *Loop) busy() bool {
	return l.ready.len() > 0 || !l.yielded.Empty() || l.done.Len() > 0 || l.inbox.waiting() ||
		l.shares.ready() > 0
}

// spinner remembers whether looking before sleeping paid lately.
type spinner struct {
	span  time.Duration
	found bool // the last one did, and goes on to the next turn
}

// awhile polls for a while before the loop sleeps. The while grows while
// polls find something, and shrinks to a look now and then when they don't.
func (s *spinner) awhile(l *Loop) error {
	if s.span == 0 {
		s.span = l.cfg.Spin
	}
	limit := l.clock.now + int64(s.span)
	if at, ok := l.timers.Next(); ok {
		limit = min(limit, at)
	}
	for {
		if err := l.enter(driver.Poll); err != nil {
			return err
		}
		if l.busy() {
			s.span = min(l.cfg.Spin, 2*s.span)
			s.found = true
			return nil
		}
		if l.tick(); l.clock.now >= limit {
			s.span = max(l.cfg.Spin/64, s.span/2)
			l.account(&l.counts.Spinning)
			return nil
		}
	}
}

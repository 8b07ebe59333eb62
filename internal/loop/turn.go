package loop

import (
	"time"

	"ringo/internal/driver"
	"ringo/internal/op"
)

// turns runs the loop until over reports that it may end. An error means that the driver died while tasks were left.
func (l *Loop) turns(over func() bool) error {
	defer l.turn.rest() // for good
	for {
		l.begin()
		l.set.world.SchedYield(l) // while nothing is held that was accepted
		l.complete()
		l.inbox.read(l)
		l.fire()
		l.yielded.ReadyAll()
		l.runReady()
		l.end()
		if !l.life.inLull() {
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

// A turn is bounded in each of its parts, so that an excess in one part does not keep the others from their turn. In
// units of Config.Budget:
//
//	completions                 4
//	tasks started from outside  1, less what is ready already, a quarter at least
//	other mail                  4
//	timers that fire            1
//	ready items run             1
//	calls that don't park       16, in all of these together; 128 of one
//
// A turn that has something in the outbox is also bounded by time and by bytes: see outbox. What is left waits in
// order. A task is in the ready queue at most once, so a task that becomes ready is resumed before any other is
// resumed twice.
const (
	mailBudget       = 4
	completionBudget = 4
	turnBudget       = 16
)

// callsMax bounds the calls in a turn that don't park.
func (l *Loop) callsMax() int { return turnBudget * l.cfg.Budget }

// hearing is the time up to which the loop knows what has come. A turn may be late: its thread had no processor, or
// its process was stopped. What came in time is in the kernel then, but a timer that was due meanwhile would report
// that it had not come. So a timer fires only when the driver was asked at the timer's time or later, and the loop has
// delivered all completions that the driver had then. A driver that sleeps until a timer is due asks again before it
// returns. A timer that became due while the driver was not asked waits for the next turn, whose Wait does not sleep.
type hearing struct {
	until int64 // timers that are due by then may fire
	next  int64 // becomes until when left completions are delivered
	left  int   // completions still to deliver, the first of the queue
}

// looked records that the driver has queued all that had come at the time at. While an earlier look still has
// completions to deliver it does nothing, so that timers fire however many completions keep coming.
func (h *hearing) looked(at int64, untold int) {
	if h.left <= 0 {
		h.next, h.left = at, untold
		h.told(0)
	}
}

// told records that n completions were delivered.
func (h *hearing) told(n int) {
	if h.left -= n; h.left <= 0 {
		h.until = h.next
	}
}

// LookedNS returns the time, by NowNS, up to which all that had come was delivered. A caller may say of a thing that
// had to come earlier, and has not, that it is late.
func (l *Loop) LookedNS() int64 { return l.hearing.until }

// fire fires the timers that are due.
func (l *Loop) fire() {
	for n := 0; n < l.cfg.Budget; n++ {
		t := l.timers.Pop(l.hearing.until)
		if t == nil {
			return
		}
		t.Owner.(Alarm).Fire(t)
	}
}

// complete delivers completions of the driver to their sinks, up to the budget.
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

// runReady runs ready tasks and jobs, up to the budget.
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

// runs reports whether the turn has something to run, and budget left.
func (l *Loop) runs() bool {
	return l.ready.len() > 0 && l.charged.items < l.cfg.Budget && l.charged.turn < l.callsMax() && !l.out.due()
}

// runUntilExit runs ready items until none is left or the budget is spent, or until runtime.Goexit has ended a worker.
func (l *Loop) runUntilExit() {
	defer exits()
	for l.runs() {
		if it := l.ready.peek(0); it.resumes() {
			t := it.task
			if sampled(l.ready.head) {
				l.ready.noteDelay()
			}
			l.ready.pop() // dequeue by hand, as the compiler does not inline that
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

// exits recovers the sentinel of a worker that Goexit has ended. Functions that run tasks defer it.
func exits() {
	if v := recover(); v != nil && v != any(sentinel) {
		panic(v)
	}
}

// switchTo runs a coroutine until it gives the thread back. It must be inlined: after a switch the processor's
// predictions of return addresses are wrong, so each return costs a misprediction (BenchmarkPark: 7 of 82 ns).
func (l *Loop) switchTo(w *worker) {
	l.mark.Set(w.g)
	w.resume()
}

// wait lets the driver work, and lets it sleep if there is nothing else to do.
func (l *Loop) wait() error {
	l.noteSpare()
	sends := len(l.out.Sends) > 0 && l.tasks.live == 0 && l.handles.holds == 0 // the loop may end once they are sent
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

// enter calls the driver's Wait, which also sends the outbox.
func (l *Loop) enter(deadline int64) error {
	l.done.Looked = false
	err := l.drv.Wait(deadline, &l.done)
	switch {
	case l.done.Looked:
		l.hearing.looked(max(l.clock.now, deadline), l.done.Len())
	case err != nil: // no more completions will come
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

// spinner remembers whether looking for work before a sleep has paid lately.
type spinner struct {
	span  time.Duration
	found bool // the last spin has found something; the next turn counts its time
}

// awhile polls for some time before the loop sleeps. The time grows while polls find something, and shrinks to a
// sixty-fourth of Config.Spin while they don't.
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
			l.clock.account(&l.counts.Spinning)
			return nil
		}
	}
}

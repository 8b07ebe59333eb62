package census

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ringo/internal/loop"
	"ringo/internal/timer"
)

// askPatience is how long others wait for a loop that is held, and askTimes how often for one that is in no turn, or in
// one that has only begun: a machine that is busy may not have let it run.
const (
	askPatience = 100 * time.Millisecond
	askTimes    = 10
)

// patience is that of who waits for loops to answer.
type patience struct{ times int }

// over is asked each time that askPatience has passed without an answer of the loop.
func (p *patience) over(l *loop.Loop) bool {
	p.times++
	return p.isOver(l)
}

func (p *patience) isOver(l *loop.Loop) bool { return p.times >= askTimes || HeldFor(l) > 0 }

// ask has step run on the loop's thread, between tasks, once a turn until it reports that it is done: a long answer is
// given in pieces, so that it holds nobody up. A task of the loop yields between them, of another loop it parks, and a
// goroutine blocks. It reports false if that was in vain, and step may not have been called, or be called yet: the
// loop has ended; it did not answer for as long as patience has it; or the asking task was cancelled meanwhile. G.
func ask(l *loop.Loop, step func() (done bool)) bool { return askAndDrop(l, step, func() {}) }

// askAndDrop is ask of steps that leave something on the loop's thread until the last. Where that does not come, drop
// is called there, unless the loop has ended.
func askAndDrop(l *loop.Loop, step func() (done bool), drop func()) bool {
	if l.IsCurrent() {
		for !step() {
			l.YieldTurn()
		}
		return true
	}
	if l.World().StandsStill() {
		for !step() {
		}
		return true
	}
	a := &asking{l: l, step: step, drop: drop}
	if me, t := loop.Current(); me != nil {
		return a.byTask(me, t)
	}
	return a.byGoroutine()
}

// asking is what somebody wants to know of a loop. All but pieces and given is the loop's business until tell is
// called.
type asking struct {
	l      *loop.Loop
	step   func() bool
	drop   func()
	tell   func()
	done   bool
	pieces atomic.Uint32 // of the answer, so far
	seen   uint32        // of them, by who asks
	waits  patience
	given  atomic.Bool // up by who asked
}

// send has the loop begin to answer; false if it has ended.
func (a *asking) send() bool {
	if r := of(a.l); r != nil {
		return r.asked.send(a, a.l, r.answer)
	}
	return a.l.Call(a.next)
}

// giveUp is for who does not wait any more.
func (a *asking) giveUp() {
	a.given.Store(true)
	if r := of(a.l); r != nil {
		r.asked.forget(a)
	}
}

// askings are those that wait for one loop to begin. They have one piece of mail in all, so that however often and for
// however long a loop is asked that is held, its mailbox does not grow.
type askings struct {
	mu     sync.Mutex
	wait   []*asking
	mailed bool
	gaveUp bool // somebody did, who waited
}

func (s *askings) send(a *asking, l *loop.Loop, answer func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.mailed && !l.Call(answer) {
		return false
	}
	s.mailed, s.wait = true, append(s.wait, a)
	return true
}

func (s *askings) forget(a *asking) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.wait, a); i >= 0 { // else the loop has begun
		s.wait, s.gaveUp = slices.Delete(s.wait, i, i+1), true
	}
}

// take gives those that wait, to be answered now.
func (s *askings) take() (wait []*asking, gaveUp bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait, gaveUp = s.wait, s.gaveUp
	s.wait, s.mailed, s.gaveUp = nil, false, false
	return wait, gaveUp
}

// answer begins to answer those that wait, on the loop's thread, and keeps what those would have liked to know who have
// given up.
func (r *Record) answer() {
	wait, gaveUp := r.asked.take()
	if gaveUp {
		r.keepStats()
	}
	for _, a := range wait {
		a.next()
	}
}

// AskEach asks n loops, at the same time if the caller is a goroutine, so that many that are held take no longer than
// one. G, may park.
func AskEach[T any](n int, ask func(i int) T) []T {
	answers := make([]T, n)
	me, _ := loop.Current()
	var asked sync.WaitGroup
	for i := range answers {
		if me != nil {
			answers[i] = ask(i)
			continue
		}
		asked.Go(func() { answers[i] = ask(i) })
	}
	asked.Wait()
	return answers
}

// next is a piece of the answer.
func (a *asking) next() {
	if a.given.Load() {
		a.drop()
		return
	}
	a.pieces.Add(1)
	if a.done = a.step(); a.done || !a.l.Call(a.next) {
		a.tell()
	}
}

func (a *asking) byGoroutine() bool {
	const answered, late = 0, 1
	var p loop.Parker
	p.Begin(nil, nil)
	a.tell = func() {
		if p.Claim(answered) {
			p.Wake()
		}
	}
	if !a.send() {
		return false
	}
	var timer *time.Timer
	timer = time.AfterFunc(math.MaxInt64, func() {
		if !a.inVain() {
			timer.Reset(askPatience)
		} else if p.Claim(late) {
			p.Wake()
		}
	})
	timer.Reset(askPatience)
	which, _ := p.Park()
	timer.Stop()
	if which == late {
		a.giveUp()
		return false
	}
	return a.done
}

// inVain is asked each time that askPatience has passed without the whole answer.
func (a *asking) inVain() bool {
	if n := a.pieces.Load(); n != a.seen {
		a.seen, a.waits = n, patience{}
		return false
	}
	return a.waits.over(a.l)
}

// byTask asks on behalf of a task of another loop, which parks meanwhile.
func (a *asking) byTask(asker *loop.Loop, t *loop.Task) bool {
	w := &askWait{a: a, asker: asker, task: t, waits: true}
	w.timer.Owner = w
	a.tell = func() { asker.Call(func() { w.end(true) }) }
	if !a.send() {
		return false
	}
	asker.Timers().Arm(&w.timer, asker.After(askPatience))
	asker.Park(w)
	return w.answered && a.done
}

// askWait is a task that asks another loop. All but a is its own loop's business.
type askWait struct {
	a        *asking
	asker    *loop.Loop
	task     *loop.Task
	timer    timer.Timer
	waits    bool
	answered bool
}

// end lets the task go, once: at the answer, at the end of its patience, or because
// it was cancelled.
func (w *askWait) end(answered bool) {
	if !w.waits {
		return
	}
	w.waits, w.answered = false, answered
	if !answered {
		w.a.giveUp()
	}
	w.asker.Timers().Remove(&w.timer)
	w.asker.Ready(w.task)
}

// Fire ends the patience, if nothing has come meanwhile.
func (w *askWait) Fire(*timer.Timer) {
	if !w.a.inVain() {
		w.asker.Timers().Arm(&w.timer, w.asker.After(askPatience))
		return
	}
	w.end(false)
}

// CancelWait lets a cancelled task go.
func (w *askWait) CancelWait(*loop.Task) { w.end(false) }

// DescribeWait tells which loop it asks.
func (w *askWait) DescribeWait(_ *loop.Task, d *loop.Wait) {
	d.Op, d.On = "an answer", loop.Ref{Loop: w.a.l.Index(), Known: true}
}

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

// askPatience is how long callers wait for the answer of a loop that is held. For a loop that is in no turn, or in one
// that has just begun, they wait askTimes as long: a busy machine may not have let it run.
const (
	askPatience = 100 * time.Millisecond
	askTimes    = 10
)

// patience counts how long a caller has waited for loops to answer.
type patience struct{ times int }

// over is called each time that askPatience has passed without an answer of the loop. It reports whether to give up.
func (p *patience) over(l *loop.Loop) bool {
	p.times++
	return p.isOver(l)
}

func (p *patience) isOver(l *loop.Loop) bool { return p.times >= askTimes || HeldFor(l) > 0 }

// ask calls step on the loop's thread, between tasks, once a turn until it returns true: a long answer comes in
// pieces, so that it does not hold up the loop. Meanwhile a task of the loop yields, a task of another loop parks, and
// a goroutine blocks. ask returns false if it has failed: the loop has ended, did not answer while the caller had
// patience, or the asking task was cancelled. step may then not have been called, or may still be called. G.
func ask(l *loop.Loop, step func() (done bool)) bool { return askAndDrop(l, step, func() {}) }

// askAndDrop is ask for steps that leave something on the loop's thread until the last one. If the last step is not
// made, drop is called there, unless the loop has ended.
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

// asking is one question to a loop. Only the loop uses it until tell is called, except for pieces, seen, waits and
// given.
type asking struct {
	l      *loop.Loop
	step   func() bool
	drop   func()
	tell   func()
	done   bool
	pieces atomic.Uint32 // pieces of the answer so far
	seen   uint32        // the pieces that the caller has seen
	waits  patience
	given  atomic.Bool // the caller has given up
}

// send lets the loop start its answer; it returns false if the loop has ended.
func (a *asking) send() bool {
	if r := of(a.l); r != nil {
		return r.asked.send(a, a.l, r.answer)
	}
	return a.l.Call(a.next)
}

// giveUp is called by a caller that no longer waits.
func (a *asking) giveUp() {
	a.given.Store(true)
	if r := of(a.l); r != nil {
		r.asked.forget(a)
	}
}

// askings are the questions that wait until one loop starts to answer. They share one piece of mail, so that the
// mailbox does not grow however often a loop is asked while it is held.
type askings struct {
	mu     sync.Mutex
	wait   []*asking
	mailed bool
	gaveUp bool // a caller that waited has given up
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
	if i := slices.Index(s.wait, a); i >= 0 { // otherwise the loop has started its answer
		s.wait, s.gaveUp = slices.Delete(s.wait, i, i+1), true
	}
}

// take removes and returns the questions that wait.
func (s *askings) take() (wait []*asking, gaveUp bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait, gaveUp = s.wait, s.gaveUp
	s.wait, s.mailed, s.gaveUp = nil, false, false
	return wait, gaveUp
}

// answer starts the answers to the questions that wait, on the loop's thread. If a caller has given up, it keeps a
// snapshot, which such callers get.
func (r *Record) answer() {
	wait, gaveUp := r.asked.take()
	if gaveUp {
		r.keepStats()
	}
	for _, a := range wait {
		a.next()
	}
}

// AskEach asks n loops, in parallel if the caller is a goroutine, so that many loops that are held take no longer than
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

// next gives one piece of the answer.
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

// inVain is called each time that askPatience has passed without the whole answer. It reports whether to give up.
func (a *asking) inVain() bool {
	if n := a.pieces.Load(); n != a.seen {
		a.seen, a.waits = n, patience{}
		return false
	}
	return a.waits.over(a.l)
}

// byTask asks for a task of another loop, which parks meanwhile.
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

// askWait is a task that asks another loop. Only the task's loop uses it, except for a.
type askWait struct {
	a        *asking
	asker    *loop.Loop
	task     *loop.Task
	timer    timer.Timer
	waits    bool
	answered bool
}

// end resumes the task, once: because of the answer, because its patience has ended, or because it was cancelled.
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

// Fire gives up, unless a part of the answer has come since the last time.
func (w *askWait) Fire(*timer.Timer) {
	if !w.a.inVain() {
		w.asker.Timers().Arm(&w.timer, w.asker.After(askPatience))
		return
	}
	w.end(false)
}

// CancelWait resumes a cancelled task.
func (w *askWait) CancelWait(*loop.Task) { w.end(false) }

// DescribeWait names the loop that the task asks.
func (w *askWait) DescribeWait(_ *loop.Task, d *loop.Wait) {
	d.Op, d.On = "an answer", loop.Ref{Loop: w.a.l.Index(), Known: true}
}

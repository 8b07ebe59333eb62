package loop

import (
	"context"
	"sync"

	"ringo/internal/op"
)

// Task is one task: a function in a coroutine of its loop.
//
//	queued ──▶ running ◀──▶ parked
//	              └──▶ finished
//
// All but the join is the loop thread's business.
type Task struct {
	l        *Loop
	w        *worker // its coroutine, from its start to its end
	fn       func()
	next     *Task   // in a TaskList
	op       *op.Op  // what it waits for in Do
	waits    Waiter  // who to tell of a cancel while it is parked
	sp       uintptr // where its stack ended when it parked, a hint
	res      int32
	shield   int32
	canceled bool
	finished bool

	ctx    context.Context
	cancel context.CancelFunc
	onEnd  func(error) // see GoThen

	join join
}

// join is how others wait for a task, from any thread.
type join struct {
	mu    sync.Mutex
	ended bool
	err   error
	tasks []*Task
	ch    chan struct{}
}

// Waiter is what a task waits for and can be cancelled out of.
type Waiter interface {
	// CancelWait makes t ready, now or when what it waits for has come to an end.
	// It runs on the loop's thread while t is parked.
	CancelWait(t *Task)
}

// Complete notes the result of the op that the task waits for.
func (t *Task) Complete(o *op.Op, res int32, flags uint32) {
	if flags&op.More != 0 {
		return
	}
	t.res = res
	t.l.Ready(t)
}

// CancelWait ends the op that the task waits for; its completion resumes the task.
func (t *Task) CancelWait(*Task) { t.l.Cancel(t.op) }

// finish ends the task: joiners go on.
func (t *Task) finish(err error) {
	l := t.l
	w := t.w
	t.w = nil
	l.live--
	if t.cancel != nil {
		t.cancel()
		t.ctx, t.cancel = nil, nil
	}
	if t == w.anon { // for the next job
		t.canceled, t.shield = false, 0
		return
	}
	t.finished = true
	t.fn = nil
	if t.onEnd != nil {
		t.onEnd(err)
	}
	t.conclude(err)
}

// burstMax bounds the calls in a row that find the kernel ready.
const burstMax = 128

// Burst is said before a call that may go on without a park for as long as a peer
// is fast. After too many of them the task lets the others have a turn. It reports
// false if the task was cancelled by then. T, may park.
func (l *Loop) Burst() bool {
	if l.burst++; l.burst < burstMax {
		return true
	}
	return l.rest()
}

// rest lets the others have a turn. It is apart because the stacks of parked tasks
// are to stay small.
//
//go:noinline
func (l *Loop) rest() bool { return l.Sleep(0) == 0 }

// conclude tells the joiners how the task ended.
func (t *Task) conclude(err error) {
	j := &t.join
	j.mu.Lock()
	j.ended, j.err = true, err
	tasks, ch := j.tasks, j.ch
	j.tasks = nil
	j.mu.Unlock()
	if ch != nil {
		close(ch)
	}
	for _, waiting := range tasks {
		waiting.l.ReadyFrom(waiting)
	}
}

// Wait joins the task. Any goroutine may call it; a task parks.
func (t *Task) Wait() error {
	l, me := Current()
	if me == t {
		panic("ringo: a task waits for itself")
	}
	j := &t.join
	j.mu.Lock()
	if j.ended {
		j.mu.Unlock()
		return j.err
	}
	if l == nil {
		if j.ch == nil {
			j.ch = make(chan struct{})
		}
		ch := j.ch
		j.mu.Unlock()
		<-ch
		return j.err
	}
	j.tasks = append(j.tasks, me)
	j.mu.Unlock()
	l.Park(nil)
	return j.err
}

// Cancel makes the task's present and later waits fail. Any goroutine may call it.
func (t *Task) Cancel() {
	if t.l.Here() {
		t.l.cancelTask(t)
		return
	}
	t.l.send(message{kind: msgCancel, task: t})
}

func (l *Loop) cancelTask(t *Task) {
	if t.finished || t.canceled {
		return
	}
	t.canceled = true
	if t.cancel != nil {
		t.cancel()
	}
	if t.waits != nil && t.shield == 0 {
		w := t.waits
		t.waits = nil
		w.CancelWait(t)
	}
}

// context gives the task's context, made when first asked for.
func (t *Task) context() context.Context {
	if t.ctx == nil {
		t.ctx, t.cancel = context.WithCancel(t.l.set.values)
		if t.canceled {
			t.cancel()
		}
	}
	return t.ctx
}

// Loop is the task's loop. G.
func (t *Task) Loop() *Loop { return t.l }

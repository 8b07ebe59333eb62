package loop

import (
	"context"
	"sync"
	"sync/atomic"

	"ringo/internal/op"
	"ringo/internal/rt/labels"
)

// Task is one task: a function in a coroutine of its loop.
//
//	queued ──▶ running ◀──▶ parked
//	              └──▶ finished
//
// All but the join is the loop thread's business.
type Task struct {
	l     *Loop
	w     *worker // its coroutine, from its start to its end
	fn    func()
	next  *Task  // in a TaskList
	op    *op.Op // what it waits for in Do
	waits Waiter // who to tell of a cancel while it is parked
	ext   atomic.Pointer[taskExt]

	res      int32
	shield   int32
	canceled bool
	expired  bool // a limit of its own has passed
	finished bool

	// How others wait for it, from any thread.
	ended   bool
	mu      sync.Mutex // of ended, waiting, and the joined of ext
	waiting TaskList   // tasks of any loop
}

// taskExt is what few tasks have: a parked connection pays for every word of a Task.
type taskExt struct {
	onEnd    func(error)     // see GoThen
	onLost   func()          // see OnLost
	name     string          // see GoNamed
	rear     bool            // see GoBackground
	labels   labels.Set      // of who started it, until it begins
	class    *Class          // likewise, for as long as it runs
	block    *classBlock     // the innermost WithClass that it is in
	share    *share          // its class's, once its loop has it
	admitted bool            // to files, see BeginIO
	values   context.Context // of who started it, see Inherited
	ctx      context.Context // the loop thread's, as cancel
	cancel   context.CancelFunc
	limit    *limit          // the innermost WithTimeout or WithContext that it is in
	passes   int             // how many of them have ended its waits
	err      error           // how the task ended, once it has
	observed context.Context // its values, as Observe has it; the loop thread's
	joined   bool            // by a goroutine, which waits for runs, as in Parker
	runs     sync.Mutex      // then: locked until the end
	beside   chan struct{}   // closed at the end; nil: no goroutine beside a simulated world waits
}

// extension returns the task's ext, made by whoever is the first to ask.
func (t *Task) extension() *taskExt {
	if x := t.ext.Load(); x != nil {
		return x
	}
	t.ext.CompareAndSwap(nil, new(taskExt))
	return t.ext.Load()
}

// inherit gives a task that has not begun what it has of who starts it.
func (t *Task) inherit(i Inherited) {
	if !i.None() {
		x := t.extension()
		x.labels, x.values, x.class = i.labels, i.values, i.class
	}
}

// Waiter is what a task waits for and can be taken out of by a cancel or a timeout.
type Waiter interface {
	// CancelWait makes t ready, now or when what it waits for has come to an end.
	// It runs on the loop's thread while t is parked.
	CancelWait(t *Task)
}

// WaitOn is for a Waiter that no cancel ends: the task goes on waiting for it.
func (t *Task) WaitOn(w Waiter) { t.waits = w }

// OnLost has fn called if the loop ends before the task does, whose coroutine is lost then. T.
func (t *Task) OnLost(fn func()) { t.extension().onLost = fn }

// Complete notes the result of the op that the task waits for.
func (t *Task) Complete(o *op.Op, res int32, flags uint32) {
	if flags&op.More != 0 {
		return
	}
	t.res = res
	t.l.Ready(t)
}

// CancelWait ends the op that the task waits for; its completion resumes the task.
func (t *Task) CancelWait(*Task) { t.l.ops.Cancel(t.op) }

// Tell leaves a word for a task that is parked, which reads it by Told when it goes on.
func (t *Task) Tell(word int32) { t.res = word }

// Told is the last word that was left.
func (t *Task) Told() int32 { return t.res }

// finish ends the task: joiners go on.
func (t *Task) finish(err error) {
	l := t.l
	w := t.w
	l.tasks.live--
	if l.life.stopping {
		l.life.lastEnd.Store(l.clock.now)
	}
	if w.labels.Any() {
		labels.Clear() // for the next task
	}
	if x := t.ext.Load(); l.observer != nil && (l.seen || x != nil && (x.name != "" || x.observed != nil)) {
		l.observer.TaskEnds(t, err)
	}
	if !l.life.killed { // then whoever finds it in a queue may make it ready, in vain
		t.w = nil
	}
	if x := t.ext.Load(); x != nil {
		if x.rear {
			l.tasks.rear--
		}
		if x.cancel != nil {
			x.cancel()
			x.ctx, x.cancel = nil, nil
		}
		if x.limit != nil {
			x.dropLimits()
		}
		x.class, x.block = nil, nil
		x.settle(l)
		x.values, x.observed, x.onLost = nil, nil, nil
	}
	if t == w.anon { // for the next job
		t.canceled, t.expired, t.shield = false, false, 0
		return
	}
	t.finished = true
	if x := t.ext.Load(); x != nil && x.onEnd != nil {
		x.onEnd(err)
	}
	t.wakeJoiners(err)
}

// tasks are those of a loop.
type tasks struct {
	live  int    // that have not finished
	rear  int    // of them, those of GoBackground
	begun uint32 // the last has this as its number
	main  *Task
	next  Job   // that begins, see worker.beginNext
	first *Task // that begins in front of all that is ready
}

// admit takes a task in, which is to begin.
func (ts *tasks) admit(l *Loop, t *Task) {
	ts.live++
	if t.Background() {
		ts.rear++
	}
	if x := t.ext.Load(); x != nil && x.class != nil {
		x.settle(l)
		l.shares.push(x.share, t)
		return
	}
	l.ready.enqueue(item{task: t})
}

// Background reports whether the task is one of GoBackground.
func (t *Task) Background() bool {
	x := t.ext.Load()
	return x != nil && x.rear
}

// charges are what was counted against the budgets of a turn and of the task that runs, see ChargeAndYield.
type charges struct {
	items int // run in this turn
	turn  int // calls in this turn that did not park
	limit int // how many of them there are before somebody asks whether the turn is to end
	task  int // those of the running task
	cheap int // calls that count for less, see ChargeCheap
}

// taskBudget bounds a task's calls in a row that find the kernel ready.
const taskBudget = 128

// ChargeAndYield is for a call that may park and need not: that finds what it wants,
// because a peer is fast, or that fails at once, because the task was cancelled. It counts
// the call against the budgets of task and turn, and yields when one is used up. It reports
// false if it did and the task has been cancelled. T, may park.
func (l *Loop) ChargeAndYield() bool {
	l.Charge()
	return l.Yield()
}

// Charge counts a call that need not park and may not, or not yet. It never yields. T.
func (l *Loop) Charge() {
	l.charged.task++
	l.charged.turn++
}

// ChargeCheap is Charge for a call that memory answers, and not the kernel: cheapPerCall of them cost what one
// costs that the kernel answers. T.
func (l *Loop) ChargeCheap() {
	if l.charged.cheap++; l.charged.cheap == cheapPerCall {
		l.charged.cheap = 0
		l.Charge()
	}
}

const cheapPerCall = 8

// Yield is ChargeAndYield for a call that was counted already: it returns at once as long as there is budget.
// T, may park.
func (l *Loop) Yield() bool {
	if l.charged.task < taskBudget && l.charged.turn < l.charged.limit {
		return true
	}
	return l.yieldIfDue()
}

// yieldIfDue is apart so that Yield is inlined.
//
//go:noinline
func (l *Loop) yieldIfDue() bool { return l.mayGoOn() || l.YieldTurn() }

// mayGoOn reports whether a task that is to yield need not: nothing but a look at the clock was due, because
// something was accepted in this turn.
func (l *Loop) mayGoOn() bool {
	if l.charged.task >= taskBudget || l.charged.turn >= l.callsMax() {
		return false
	}
	if len(l.out.Sends) == 0 {
		l.charged.limit = l.callsMax()
		return true
	}
	if l.charged.limit == 0 { // that was now
		l.lookWithin(1)
		return !l.out.full
	}
	return !l.out.full && !l.out.look()
}

// YieldTurn lets all others that are ready, and the kernel, have a turn. It reports false if the task has been
// cancelled. A cancel does not shorten it: a task that goes round and round because it was cancelled must not hold up
// those that end. It is apart because the stacks of parked tasks are to stay small: BenchmarkIdleMemory of sock. T,
// parks.
//
//go:noinline
func (l *Loop) YieldTurn() bool {
	l.counts.Yields++
	l.yielded.Push(l.cur)
	l.Park((*yielding)(l))
	return !l.Canceled()
}

// yielding is the loop as what a task waits for that has yielded: nothing else ends it.
type yielding Loop

// CancelWait has the task wait on.
func (y *yielding) CancelWait(t *Task) { t.WaitOn(y) }

// CountRun counts one of many things that a task runs one after the other, as if each were a task of its own, and
// reports whether the turn has room for another. If not the task is to let the others have a turn. T.
func (l *Loop) CountRun() bool {
	l.charged.items++
	return l.charged.items < l.cfg.Budget && l.charged.turn < l.callsMax() && !l.out.due()
}

// wakeYielded makes those ready that yielded in the turn before.
func (l *Loop) wakeYielded() {
	for t := l.yielded.Pop(); t != nil; t = l.yielded.Pop() {
		l.Ready(t)
	}
}

// wakeJoiners tells those who wait how the task ended.
func (t *Task) wakeJoiners(err error) {
	t.mu.Lock()
	t.ended = true
	if err != nil {
		t.extension().err = err
	}
	if x := t.ext.Load(); x != nil {
		if x.joined {
			x.runs.Unlock()
		}
		if x.beside != nil {
			close(x.beside)
		}
	}
	waiting := t.waiting
	t.waiting = TaskList{}
	t.mu.Unlock()
	for w := waiting.Pop(); w != nil; w = waiting.Pop() {
		w.l.ReadyFrom(w)
	}
}

// err is how the task ended. Only for those who know that it has.
func (t *Task) err() error {
	if x := t.ext.Load(); x != nil {
		return x.err
	}
	return nil
}

// Wait joins the task. Any goroutine may call it; a task parks. One that no loop has made
// never runs, as on a loop that has ended.
func (t *Task) Wait() error { return t.join((*joined)(t)) }

// WaitAsClient is Wait for whoever the task works for: when the caller is cancelled, or its
// WithTimeout is over, so is the task, whose end it awaits all the same. G, parks.
func (t *Task) WaitAsClient() error {
	if l, _ := Current(); l != nil && l.Canceled() {
		t.Cancel()
	}
	return t.join((*served)(t))
}

// served is a task as what its client waits for.
type served Task

// CancelWait passes the cancel on; the task's end resumes the client.
func (s *served) CancelWait(t *Task) { t.WaitOn(s); (*Task)(s).Cancel() }

// joined is a task as what others wait for that no cancel of theirs ends.
type joined Task

// CancelWait has them wait on.
func (j *joined) CancelWait(t *Task) { t.WaitOn(j) }

// join waits for the task's end; w is told if the caller is cancelled meanwhile.
func (t *Task) join(w Waiter) error {
	l, me := Current()
	if t == nil || t.l == nil {
		if l != nil {
			l.ChargeAndYield()
		}
		return ErrEnded
	}
	if me == t {
		panic("ringo: a task waits for itself")
	}
	t.mu.Lock()
	if t.ended {
		t.mu.Unlock()
		if l != nil {
			l.ChargeAndYield()
		}
		return t.err()
	}
	if l == nil {
		x := t.extension()
		if Around() {
			if x.beside == nil {
				x.beside = make(chan struct{})
			}
			ended := x.beside
			t.mu.Unlock()
			<-ended
			return t.err()
		}
		if !x.joined {
			x.joined = true
			x.runs.Lock()
		}
		t.mu.Unlock()
		x.runs.Lock()
		x.runs.Unlock() //lint:ignore SA2001 to have had it is to have waited
		return t.err()
	}
	t.waiting.Push(me)
	t.mu.Unlock()
	l.Park(w)
	return t.err()
}

// Cancel makes the task's present and later waits fail. Any goroutine may call it.
func (t *Task) Cancel() {
	if t == nil {
		return
	}
	if t.l.IsCurrent() {
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
	t.cancelContext()
	t.interrupt()
}

// interrupt ends what the task waits for, if it does and may be told.
func (t *Task) interrupt() {
	if w := t.waits; w != nil && t.shield == 0 {
		t.waits = nil
		w.CancelWait(t)
	}
}

// cause is why its waits fail. A cancel is for good, so it is said first.
func (t *Task) cause() error {
	if t.expired && !t.canceled {
		return t.ext.Load().cause()
	}
	return context.Canceled
}

// context gives the task's context, made when first asked for.
func (t *Task) context() context.Context {
	x := t.extension()
	own := t.own(x)
	if x.limit != nil {
		return x.limit.context(own)
	}
	return own
}

// own is the task's context without the blocks that it is in.
func (t *Task) own(x *taskExt) context.Context {
	if x.ctx == nil {
		x.ctx, x.cancel = t.l.set.world.WithCancel(t.values())
		if t.canceled {
			x.cancel()
		}
	}
	return x.ctx
}

// cancelContext ends the task's context, if it has one.
func (t *Task) cancelContext() {
	if x := t.ext.Load(); x != nil && x.cancel != nil {
		x.cancel()
	}
}

// Loop is the task's loop. G.
func (t *Task) Loop() *Loop { return t.l }

// lookWithin has the clock looked at when as many calls were made as so many runs are expected to make: a task may
// make many without a pause.
func (l *Loop) lookWithin(runs int) {
	l.charged.limit = min(l.charged.turn+runs*callsPerRun, l.callsMax())
}

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
// Only the loop's thread may use a Task, except to join it.
type Task struct {
	l     *Loop
	w     *worker // the coroutine it runs in, from its start to its end
	fn    func()
	next  *Task     // the next one in a TaskList
	op    *op.Op    // the op that Do waits for
	waits Describer // what it is parked on; a cancel calls it if it is a Waiter
	ext   atomic.Pointer[taskExt]

	res      int32
	shield   int32
	canceled bool
	expired  bool // one of its limits has passed
	finished bool

	// For callers that join it, on any thread.
	ended   bool
	mu      sync.Mutex // guards ended, waiting, and the joiners of ext
	waiting TaskList   // tasks of any loop that join it
}

// taskExt holds what few tasks have: every word of a Task counts for each parked connection.
type taskExt struct {
	onEnd    func(error)     // see Then
	onLost   func()          // see OnLost
	name     string          // see GoNamed
	rear     bool            // see GoBackground
	labels   labels.Set      // of the task's starter, until it begins
	class    *Class          // of the task's starter, for as long as the task runs
	block    *classBlock     // the innermost WithClass that it is in
	share    *share          // its class's share, once its loop has the task
	admitted bool            // to files, see BeginIO
	values   *values         // of the task's starter, see Inherited
	ctx      context.Context // only for the loop's thread, as is cancel
	cancel   context.CancelFunc
	limit    *limit          // the innermost WithTimeout or WithContext that it is in
	passes   int             // how many limits have passed
	err      error           // how the task ended, once it has
	observed context.Context // its values as Observe returned them; only for the loop's thread
	joiners  []*Parker       // goroutines that join it
}

// extension returns the task's ext. The first caller makes it; callers may be on any thread.
func (t *Task) extension() *taskExt {
	if x := t.ext.Load(); x != nil {
		return x
	}
	t.ext.CompareAndSwap(nil, new(taskExt))
	return t.ext.Load()
}

// inherit gives a task that has not begun what it inherits from its starter.
func (t *Task) inherit(i Inherited) {
	if !i.None() {
		x := t.extension()
		x.labels, x.class = i.labels, i.class
		t.keep(i.values)
	}
}

// keep gives the task values that it inherits; nil: none.
func (t *Task) keep(v *values) {
	if v == nil {
		return
	}
	if run := t.l.set.values; v.run != run {
		v = v.on(run)
	}
	t.extension().values = v
}

// Waiter is what a parked task waits for, if a cancel or a timeout can end the wait. A Describer without CancelWait is
// waited for in any case.
type Waiter interface {
	// CancelWait makes t ready, now or once what it waits for has ended. It runs on the loop's thread while t is
	// parked.
	CancelWait(t *Task)
}

// WaitOn makes the task go on waiting for w. CancelWait calls it if this cancel does not end that wait.
func (t *Task) WaitOn(w Describer) { t.waits = w }

// Then makes the loop call fn with the task's error before callers that join the task go on. fn must not park. T,
// before the task begins.
func (t *Task) Then(fn func(error)) *Task {
	t.extension().onEnd = fn
	return t
}

// OnLost makes the loop call fn if it ends before the task does. The task's coroutine is lost then. T.
func (t *Task) OnLost(fn func()) { t.extension().onLost = fn }

// Complete stores the result of the op that the task waits for, and resumes the task.
func (t *Task) Complete(o *op.Op, res int32, flags uint32) {
	if flags&op.More != 0 {
		return
	}
	t.res = res
	t.l.Ready(t)
}

// CancelWait ends the op that the task waits for; its completion resumes the task.
func (t *Task) CancelWait(*Task) { t.l.ops.Cancel(t.op) }

// Tell leaves a word for a parked task, which reads it with Told when it goes on.
func (t *Task) Tell(word int32) { t.res = word }

// Told returns the word that Tell has left last.
func (t *Task) Told() int32 { return t.res }

// finish ends the task and resumes the callers that join it.
func (t *Task) finish(err error) {
	l := t.l
	w := t.w
	l.tasks.live--
	if l.life.stopping {
		l.life.lastEnd.Store(l.Elapsed()) // a turn may be long, and its clock is from its beginning
	}
	if w.labels.Any() {
		labels.Clear() // for the next task
	}
	if x := t.ext.Load(); l.observer != nil && (l.seen || x != nil && (x.name != "" || x.observed != nil)) {
		l.observer.TaskEnds(t, err)
	}
	if !l.life.killed { // after a kill, code that finds it in a queue may make it ready, without effect
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
	if t == w.anon { // which stands for the worker's next job, too
		t.canceled, t.expired, t.shield = false, false, 0
		return
	}
	t.finished = true
	if x := t.ext.Load(); x != nil && x.onEnd != nil {
		x.onEnd(err)
	}
	t.wakeJoiners(err)
}

// tasks are the tasks of a loop.
type tasks struct {
	live  int    // how many have not finished
	rear  int    // how many of those are from GoBackground
	begun uint32 // the number of the task that began last
	main  *Task
	next  Job   // the job that begins, see worker.beginNext
	first *Task // a task that begins before all that is ready
}

// admit makes a new task ready to begin.
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

// Background reports whether the task was started by GoBackground.
func (t *Task) Background() bool {
	x := t.ext.Load()
	return x != nil && x.rear
}

// charges count what the turn and the running task have used of their budgets, see ChargeAndYield.
type charges struct {
	items int // items run in this turn
	turn  int // calls in this turn that did not park
	limit int // at this many calls the task stops to ask whether the turn is over
	task  int // calls of the running task that did not park
	cheap int // calls of ChargeCheap since the last that counted
}

// taskBudget is how many calls in a row a task may make that did not have to wait.
const taskBudget = 128

// ChargeAndYield is for a call that may park but need not: it finds what it wants because the peer is fast, or fails
// at once because the task was cancelled. ChargeAndYield counts the call against the budgets of the task and of the
// turn, and yields when one of them is used up. It reports false if it has yielded and the task is cancelled. T, may
// park.
func (l *Loop) ChargeAndYield() bool {
	l.Charge()
	return l.Yield()
}

// Charge counts a call that did not park, without a yield: the caller must not yield, or does so later. T.
func (l *Loop) Charge() {
	l.charged.task++
	l.charged.turn++
}

// ChargeCheap is Charge for a call that the kernel takes no part in: cheapPerCall of them count as one. T.
func (l *Loop) ChargeCheap() {
	if l.charged.cheap++; l.charged.cheap == cheapPerCall {
		l.charged.cheap = 0
		l.Charge()
	}
}

const cheapPerCall = 8

// Yield yields if a budget is used up, and returns at once if not. It is ChargeAndYield for a call that was counted
// already. T, may park.
func (l *Loop) Yield() bool {
	if l.charged.task < taskBudget && l.charged.turn < l.charged.limit {
		return true
	}
	return l.yieldIfDue()
}

// yieldIfDue is a function of its own so that Yield is inlined.
//
//go:noinline
func (l *Loop) yieldIfDue() bool { return l.mayGoOn() || l.YieldTurn() }

// mayGoOn reports whether the task may go on although it has come to the limit: the limit may have meant only that the
// clock had to be looked at, because the outbox has accepted something in this turn.
func (l *Loop) mayGoOn() bool {
	if l.charged.task >= taskBudget || l.charged.turn >= l.callsMax() {
		return false
	}
	if len(l.out.Sends) == 0 {
		l.charged.limit = l.callsMax()
		return true
	}
	if l.charged.limit == 0 { // the first send of the turn has just set it
		l.lookWithin(1)
		return !l.out.full
	}
	return !l.out.full && !l.out.look()
}

// YieldTurn lets all other ready tasks, and the kernel, have a turn. It reports false if the task is cancelled. A
// cancel does not shorten the yield: a cancelled task that loops without waiting must not hold up the tasks that end.
// It is a function of its own, not inlined, so that the stacks of parked tasks stay small: see BenchmarkIdleMemory of
// sock. T, parks.
//
//go:noinline
func (l *Loop) YieldTurn() bool {
	l.counts.Yields++
	l.yielded.Push(l.cur)
	l.Park((*yielding)(l))
	return !l.Canceled()
}

// yielding is the loop as what a task that has yielded waits for.
type yielding Loop

// DescribeWait names the call.
func (*yielding) DescribeWait(_ *Task, d *Wait) { d.Op = "Yield" }

// CountRun counts one of many items that a task runs in a row, as if each were a task of its own, and reports whether
// the turn has room for another. If not, the task must let the others have a turn. T.
func (l *Loop) CountRun() bool {
	l.charged.items++
	return l.charged.items < l.cfg.Budget && l.charged.turn < l.callsMax() && !l.out.due()
}

// wakeJoiners marks the task as ended with err, and resumes all callers that join it.
func (t *Task) wakeJoiners(err error) {
	t.mu.Lock()
	t.ended = true
	if err != nil {
		t.extension().err = err
	}
	waiting := t.waiting
	t.waiting = TaskList{}
	var beside []*Parker
	if x := t.ext.Load(); x != nil {
		beside, x.joiners = x.joiners, nil
	}
	t.mu.Unlock()
	for _, p := range beside {
		p.Wake()
	}
	for w := waiting.Pop(); w != nil; w = waiting.Pop() {
		w.ready()
	}
}

// err returns the task's error. The task must have ended.
func (t *Task) err() error {
	if x := t.ext.Load(); x != nil {
		return x.err
	}
	return nil
}

// Wait joins the task. Any goroutine may call it; a task parks. It returns ErrEnded for a task that no loop has made,
// which never runs.
func (t *Task) Wait() error { return t.join((*joined)(t)) }

// WaitAsClient is Wait for the caller that the task works for: if the caller is cancelled, or its WithTimeout is over,
// it cancels the task, and still waits for the task's end. G, parks.
func (t *Task) WaitAsClient() error {
	if l, _ := Current(); l != nil && l.Canceled() {
		t.Cancel()
	}
	return t.join((*served)(t))
}

// served is a task as the Waiter of its client.
type served Task

// CancelWait passes the cancel on; the task's end resumes the client.
func (s *served) CancelWait(t *Task) { t.WaitOn(s); (*Task)(s).Cancel() }

// joined is a task as what callers wait for whose own cancel does not end the join.
type joined Task

// join waits for the task's end. A cancel of the caller meanwhile goes to w.
func (t *Task) join(w Describer) error {
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
		p, x := new(Parker), t.extension()
		p.Begin(nil, nil)
		x.joiners = append(x.joiners, p)
		t.mu.Unlock()
		p.ParkOn()
		return t.err()
	}
	t.waiting.Push(me)
	t.mu.Unlock()
	l.Park(w)
	return t.err()
}

// Cancel makes the task's present wait and all later ones fail. Any goroutine may call it.
func (t *Task) Cancel() {
	if t == nil {
		return
	}
	if t.l.IsCurrent() {
		t.cancel()
		return
	}
	t.l.send(message{kind: msgCancel, task: t})
}

// cancel is Cancel on the loop's thread.
func (t *Task) cancel() {
	if t.finished || t.canceled {
		return
	}
	t.canceled = true
	t.cancelContext()
	t.interrupt()
}

// interrupt ends the task's wait, if it is in one that may be ended and is not shielded.
func (t *Task) interrupt() {
	if w, ok := t.waits.(Waiter); ok && t.shield == 0 {
		t.waits = nil
		w.CancelWait(t)
	}
}

// cause returns why the task's waits fail. A cancel comes before a limit, because a cancel is for good.
func (t *Task) cause() error {
	if t.expired && !t.canceled {
		return t.ext.Load().cause()
	}
	return context.Canceled
}

// context returns the task's context, which the first call makes.
func (t *Task) context() context.Context {
	x := t.extension()
	own := t.own(x)
	if x.limit != nil {
		return x.limit.context(own)
	}
	return own
}

// own returns the task's context without the WithTimeouts and WithContexts that the task is in.
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

// Loop returns the task's loop. G.
func (t *Task) Loop() *Loop { return t.l }

// lookWithin makes a task look at the clock after as many calls as so many runs of tasks usually make, because one
// task may make many calls without a pause.
func (l *Loop) lookWithin(runs int) {
	l.charged.limit = min(l.charged.turn+runs*callsPerRun, l.callsMax())
}

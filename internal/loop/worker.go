package loop

import (
	"iter"
	"runtime"

	"ringo/internal/rt/code"
	"ringo/internal/rt/gmark"
	"ringo/internal/rt/labels"
)

// worker is a coroutine that runs tasks. A parked task keeps its worker, as the worker is the task's stack. Between
// tasks a worker lies on a stack of idle workers, the one used last on top, until the loop uses or trims it.
type worker struct {
	l      *Loop
	g      gmark.G
	sp     uintptr // where its stack ended when its task parked: a hint for Prefetch
	resume func() (struct{}, bool)
	yield  func(struct{}) bool
	labels labels.Place
	task   *Task // the task that it runs
	anon   *Task // the Task of jobs, which have none of their own; nil before the first, and after CurrentForGood
	next   *worker
	code   code.Func // the function that the task runs
	at     int32     // its index in workerPool.all, or retired
	id     uint32    // the task's number, see tasks.begun
	began  Coarse    // when the task began
	since  Coarse    // when the task parked, or was resumed
}

// workerPool holds a loop's workers.
type workerPool struct {
	all    []*worker
	idle   *worker
	unused *worker // idle since before the last trim
	doomed *worker // to be ended
}

// take returns the idle worker that was used last, or a new one if none is idle.
func (p *workerPool) take(l *Loop) *worker {
	for _, list := range [...]**worker{&p.idle, &p.unused, &p.doomed} {
		if w := pop(list); w != nil {
			return w
		}
	}
	return newWorker(l)
}

// trim dooms the workers that were unused since the last trim, except workersKept, and marks the idle ones as unused.
func (p *workerPool) trim(l *Loop) (more bool) {
	if p.doomed == nil {
		p.doomed, p.unused = p.unused, nil
		for range workersKept {
			if w := pop(&p.doomed); w != nil {
				push(&p.idle, w)
			}
		}
		p.unused, p.idle = p.idle, nil
	}
	p.stopDoomed(l)
	return len(p.all)-l.tasks.live > workersKept
}

// stopDoomed ends at most stopMax doomed workers, and the rest in later turns.
func (p *workerPool) stopDoomed(l *Loop) {
	for range stopMax {
		w := pop(&p.doomed)
		if w == nil {
			p.all = shrunk(p.all)
			return
		}
		w.retire()
	}
	l.Call(func() { p.stopDoomed(l) })
}

// retired is the place of a worker that ends because the loop has no use for it.
const retired = -1

// sentinel ends a worker whose task called runtime.Goexit. The worker panics with it, and the loop recovers that when
// it comes out of resume. The Goexit itself would come out of resume as a Goexit of the loop, which nothing can stop.
var sentinel = new(struct{ _ byte })

func newWorker(l *Loop) *worker {
	w := &worker{l: l, at: int32(len(l.workers.all))}
	// The coroutine runs tasks and jobs until none is left to start, then waits to be resumed. It is a literal and not
	// a method because the frame of one more call would be on the stack of each task.
	w.resume, _ = iter.Pull(func(yield func(struct{}) bool) {
		w.yield = yield
		w.enter()
		defer w.exit()
		for {
			w.serve()
			if w.task != nil {
				w.failNil()
				continue
			}
			w.next, w.l.workers.idle = w.l.workers.idle, w
			if w.yield(struct{}{}); w.at == retired {
				return
			}
		}
	})
	l.workers.all = append(l.workers.all, w)
	return w
}

// enter stores which coroutine the worker runs in. It is a function of its own, not inlined, so that its variables are
// not on each task's stack (BenchmarkIdleMemory of sock, TestParkedStacks).
//
//go:noinline
func (w *worker) enter() {
	w.g, w.labels = gmark.Current(), labels.CurrentPlace()
	w.l.mark.Set(w.g)
	labels.Clear() // it has got those of the loop's goroutine
}

// retire ends the idle workers: the runtime keeps a coroutine that is only dropped in memory for ever.
func (p *workerPool) retire() {
	for _, list := range [...]**worker{&p.idle, &p.unused, &p.doomed} {
		for w := pop(list); w != nil; w = pop(list) {
			w.retire()
		}
	}
}

// retire ends an idle worker by letting it return. The stop function of iter.Pull would cost each worker a field.
func (w *worker) retire() {
	w.drop()
	w.at = retired
	w.resume()
}

// serve runs tasks and jobs one after the other. A panic ends the task and this call, not the worker.
func (w *worker) serve() {
	defer w.recover()
	for w.beginNext() {
		if job := w.l.tasks.next; job != nil {
			w.l.tasks.next = nil
			job.Run()
		} else {
			fn := w.task.fn
			w.task.fn = nil // so that the collector may free what fn has captured while fn runs
			fn()
		}
		w.end(nil)
	}
}

// beginNext begins the next task or job to start, and reports false if there is none. It leaves a job in l.tasks.next,
// from where serve takes it: a result would stay on the stack of each task, see BenchmarkIdleMemory of sock.
//
//go:noinline
func (w *worker) beginNext() bool {
	l := w.l
	it := item{task: l.tasks.first}
	switch {
	case it.task != nil:
		l.tasks.first = nil
	case !l.runs() || l.ready.peek(0).resumes():
		return false
	default:
		it = l.ready.dequeue()
		l.charged.items++
	}
	l.mark.Again()
	w.begin(it.task)
	l.tasks.next = it.job
	named, labelled := false, l.cfg.LabelTasks
	var of labels.Set
	if it.task == nil {
		w.code = it.job.Code()
		if l.seen {
			if h, ok := it.job.(*heir); ok {
				l.Inherit(h.of)
			}
		}
	} else {
		w.code = code.Of(it.task.fn)
		if x := it.task.ext.Load(); x != nil {
			named, labelled, of, x.labels = x.name != "", true, x.labels, labels.Set{}
		}
	}
	if labelled {
		l.ApplyLabels(of)
	}
	if l.observer != nil && (l.seen || named) {
		l.observer.TaskBegins(l.cur)
	}
	return true
}

// begin makes t the current task, or for a job, where t is nil, the worker's anon.
func (w *worker) begin(t *Task) {
	if t == nil {
		if w.anon == nil {
			w.anon = &Task{l: w.l}
		}
		t = w.anon
	}
	t.w = w
	l := w.l
	w.task, w.sp = t, 0
	l.cur, l.charged.task = t, 0
	if l.tasks.begun++; l.tasks.begun == 0 {
		l.tasks.begun = 1
	}
	w.id, w.began, w.since = l.tasks.begun, l.clock.coarsely(), l.clock.coarsely()
	if l.life.stopping {
		t.canceled = true
	}
}

// end finishes the current task.
func (w *worker) end(err error) {
	t := w.task
	w.task = nil
	w.l.cur = nil
	t.finish(err)
}

// recover ends a task that has panicked.
func (w *worker) recover() {
	if w.task == nil {
		return
	}
	v := recover()
	if v == nil {
		return // Goexit, a panic that passes through, or panic(nil) with GODEBUG=panicnil=1, which ends here
	}
	passOn(v)
	w.fail(v)
}

// failNil ends a task whose panic(nil) recover could not tell from a Goexit. It is not inlined, for the same reason as
// enter.
//
//go:noinline
func (w *worker) failNil() { w.fail(new(runtime.PanicNilError)) }

// fail ends the task with a panic that was recovered.
func (w *worker) fail(v any) {
	p := w.l.cfg.panicOf(v)
	w.panicked(p)
	w.end(w.l.cfg.showPanic(p))
}

// panicked hands a panic to Config.OnPanic, and crashes the program if there is none.
func (w *worker) panicked(err *PanicError) {
	if w.l.cfg.OnPanic == nil {
		die(w.l, err)
	}
	r := &report{w.l, err}
	if w.l.life.killed { // the loop has no more turns
		r.Run()
		return
	}
	w.l.Start(r)
}

// report is the job that calls OnPanic. If OnPanic panics itself the program crashes.
type report struct {
	l   *Loop
	err *PanicError
}

func (r *report) Run() {
	defer func() {
		if v := recover(); v != nil {
			die(r.l, r.l.cfg.panicOf(v))
		}
	}()
	r.l.cfg.OnPanic(r.l, r.err.Value, r.err.Stack)
}

// Code returns OnPanic.
func (r *report) Code() code.Func { return code.Of(r.l.cfg.OnPanic) }

// die crashes the program as the panic of a goroutine would. It uses a new goroutine: a panic in the coroutine would
// surface in the loop, without the task's stack. In a world, where nothing runs beside the loops, the panic does
// surface there, and its error has the stack.
func die(l *Loop, err *PanicError) {
	if !l.set.world.Beside() {
		panic(&broken{err})
	}
	go crash(l, err)
	select {}
}

// broken is a panic that must reach the Giver that gives the loops their turns; nothing before may recover it.
type broken struct{ *PanicError }

// passOn raises v again if it is a broken. Code that recovers panics calls it first.
func passOn(v any) {
	if b, ok := v.(*broken); ok {
		panic(b)
	}
}

func crash(l *Loop, err *PanicError) {
	text := ""
	if o := l.set.observer; o != nil {
		text = o.Crash(l)
	}
	panic(&crashError{err, text})
}

// crashError is a panic that crashes the program. Its text ends with what the tasks of the loop did.
type crashError struct {
	*PanicError
	tasks string
}

// Error returns the panic's text, then the tasks.
func (e *crashError) Error() string { return e.PanicError.Error() + e.tasks }

// exit runs when the coroutine ends, by Goexit or because the worker retires. The runtime may give the g to an
// ordinary goroutine afterwards, so exit clears the loop's mark.
func (w *worker) exit() {
	l := w.l
	defer l.mark.Clear()
	if w.at == retired {
		return
	}
	if v := recover(); v != nil { // not a task's panic; the sentinel would hide it
		passOn(v)
		die(l, l.cfg.panicOf(v))
	}
	w.drop()
	if w.task != nil {
		if !l.life.killed {
			l.set.world.Exits(l)
		}
		w.end(ErrGoexit)
	}
	panic(sentinel)
}

// drop takes a worker that ends out of the list.
func (w *worker) drop() {
	if o := w.l.observer; o != nil {
		o.WorkerEnds(w)
	}
	p := &w.l.workers
	last := p.all[len(p.all)-1]
	p.all[w.at], last.at = last, w.at
	p.all[len(p.all)-1] = nil
	p.all = p.all[:len(p.all)-1]
}

// jobFunc is a function as a Job.
type jobFunc func()

func (f jobFunc) Run() { f() }

func (f jobFunc) Code() code.Func { return code.Of(f) }

package loop

import (
	"iter"

	"ringo/internal/rt/code"
	"ringo/internal/rt/gmark"
	"ringo/internal/rt/labels"
)

// worker is a coroutine that runs tasks. While a task is parked the worker is
// its stack; between tasks it waits in a stack of the loop's, the one used last on top, until it is
// used again or trimmed.
type worker struct {
	l      *Loop
	g      gmark.G
	sp     uintptr // where its stack ended when its task parked, a hint
	resume func() (struct{}, bool)
	yield  func(struct{}) bool
	labels labels.Place
	task   *Task // what it runs
	anon   *Task // stands for jobs, which have no task of their own; nil: none yet, or the last was given away
	next   *worker
	code   code.Func // of what the task runs
	at     int32     // its place in the loop's workers; retired
	id     uint32    // of the task, see Loop.begun
	began  Coarse    // when the task did
	since  Coarse    // when it parked, or was resumed
}

// workerPool is a loop's workers.
type workerPool struct {
	all    []*worker
	idle   *worker
	unused *worker // idle since before the last trim
	doomed *worker // about to be ended
}

// take gives the worker that was used last; a new one if there is none.
func (p *workerPool) take(l *Loop) *worker {
	for _, list := range [...]**worker{&p.idle, &p.unused, &p.doomed} {
		if w := pop(list); w != nil {
			return w
		}
	}
	return newWorker(l)
}

// trim dooms the unused workers but for a few, and takes the idle ones for unused.
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

// stopDoomed ends doomed workers, as many as a turn has room for.
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

// retired is said of a worker that ends because nobody needs it.
const retired = -1

// sentinel ends a worker whose task called runtime.Goexit: raised in the
// coroutine, it comes out of resume as a panic, which the loop can recover; the
// Goexit itself would come out as a Goexit of the loop, which nothing can stop.
var sentinel = new(struct{ _ byte })

func newWorker(l *Loop) *worker {
	w := &worker{l: l, at: int32(len(l.workers.all))}
	// The coroutine: it runs what is to be started, then waits for more. It is written
	// here, and not as a method, because the call between would be on each stack.
	w.resume, _ = iter.Pull(func(yield func(struct{}) bool) {
		w.yield = yield
		w.enter()
		defer w.exit()
		for {
			w.serve()
			w.next, w.l.workers.idle = w.l.workers.idle, w
			if w.yield(struct{}{}); w.at == retired {
				return
			}
		}
	})
	l.workers.all = append(l.workers.all, w)
	return w
}

// enter notes which coroutine the worker is. It is apart so that nothing of it is on each stack
// (BenchmarkIdleMemory of sock, TestParkedStacks).
//
//go:noinline
func (w *worker) enter() {
	w.g, w.labels = gmark.Current(), labels.CurrentPlace()
	w.l.mark.Set(w.g)
	labels.Clear() // those of the loop's goroutine
}

// retire ends the idle workers: a coroutine that is merely forgotten stays in
// memory for ever.
func (p *workerPool) retire() {
	for _, list := range [...]**worker{&p.idle, &p.unused, &p.doomed} {
		for w := pop(list); w != nil; w = pop(list) {
			w.retire()
		}
	}
}

// retire ends an idle worker: by its own return, because what Pull gives to stop it would be kept by each.
func (w *worker) retire() {
	w.drop()
	w.at = retired
	w.resume()
}

// serve starts tasks and jobs one after the other. A panic ends the task and
// this call, not the worker.
func (w *worker) serve() {
	defer w.recover()
	for w.beginNext() {
		if job := w.l.tasks.next; job != nil {
			w.l.tasks.next = nil
			job.Run()
		} else {
			fn := w.task.fn
			w.task.fn = nil // what it has captured may go before it ends
			fn()
		}
		w.end(nil)
	}
}

// beginNext begins what is to be started next; false if there is nothing. What is a job is left
// in the loop for a moment: what serve kept would be on the stack of each task, which
// BenchmarkIdleMemory of sock shows.
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

// begin makes t, or the worker's own stand-in, the current task.
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
	w.id, w.began, w.since = l.tasks.begun, l.coarsely(), l.coarsely()
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

// recover ends a task that panicked.
func (w *worker) recover() {
	if w.task == nil {
		return
	}
	v := recover()
	if v == nil {
		return // Goexit, or a panic that is on its way already
	}
	passOn(v)
	p := w.l.cfg.panicOf(v)
	w.panicked(p)
	w.end(w.l.cfg.showPanic(p))
}

// panicked hands a panic to OnPanic, or to nobody.
func (w *worker) panicked(err *PanicError) {
	if w.l.cfg.OnPanic == nil {
		die(w.l, err)
	}
	r := &report{w.l, err}
	if w.l.life.killed { // no turn will come
		r.Run()
		return
	}
	w.l.Start(r)
}

// report is a call of OnPanic, with nobody to turn to if it panics itself.
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

// Code is OnPanic's.
func (r *report) Code() code.Func { return code.Of(r.l.cfg.OnPanic) }

// die crashes the program as a goroutine's panic would. The crash has a goroutine
// of its own, because one raised in a coroutine would surface in the loop, without
// the task's stack. Where nothing is beside the loops it surfaces there, with the stack.
func die(l *Loop, err *PanicError) {
	if !l.set.world.Beside() {
		panic(&broken{err})
	}
	go crash(l, err)
	select {}
}

// broken is a panic that nobody stops before whoever gives loops their turns.
type broken struct{ *PanicError }

// passOn goes on with such a panic where others are recovered.
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

// crashError is a panic that crashes the program, with what the tasks of its loop did.
type crashError struct {
	*PanicError
	tasks string
}

// Error shows the panic, then the tasks.
func (e *crashError) Error() string { return e.PanicError.Error() + e.tasks }

// exit runs when the coroutine ends, by Goexit or with its loop. After it the
// runtime may give the g to an ordinary goroutine, so the mark goes before.
func (w *worker) exit() {
	l := w.l
	defer l.mark.Clear()
	if w.at == retired {
		return
	}
	if v := recover(); v != nil { // not of a task: it would be lost behind the sentinel
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

// drop takes a worker that ended off the list.
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

// jobFunc makes a Job of a function.
type jobFunc func()

func (f jobFunc) Run() { f() }

func (f jobFunc) Code() code.Func { return code.Of(f) }

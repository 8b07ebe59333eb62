package offload

import (
	"fmt"
	"maps"
	"sync"
	"time"

	"ringo/internal/rt/labels"
	"ringo/stats"
)

// Job is one call. It belongs to the pool from Submit until its Run is called, or until TryCancel has taken it back;
// then it may be submitted again, even from within Run.
type Job struct {
	// Run makes the call and tells the caller that waits. It is bound once and kept, so that submitting makes no
	// closure. A panic in it ends the program, as in any goroutine; runtime.Goexit ends only the job.
	Run func()
	// What identifies what it runs, for [Pool.Runs]: usually the address of a function.
	What uintptr

	pool       *Pool // the pool in whose queue it waits, or nil
	prev, next *Job
	since      time.Time // when it was submitted, if no worker was free; otherwise zero
}

// Pool runs jobs, at most a fixed number at once, and starts them in the order of Submit. Any goroutine may call its
// methods, and only Close waits.
type Pool struct {
	max    int
	budget *Budget
	work   func() // p.run, bound once

	mu      sync.Mutex
	idle    sync.Cond // signaled when the last worker that Close waits for has ended
	head    *Job
	tail    *Job
	queued  int
	running int
	coming  int // of running: workers that were started and have not looked for a job yet, see mayStart
	closed  bool
	runs    map[uintptr]int // by What: how many of them run
	waited  uint64
	longest time.Duration
	waits   stats.Histogram

	// Full, if not nil, is called by each Submit whose job has to wait for a worker, without a lock.
	Full func()

	wants     bool // the pool is in the budget's list; the budget's mutex guards these two
	wantsNext *Pool
}

// New makes a pool that runs at most max jobs at once. It starts nothing and
// needs no Close as long as it has no jobs.
func New(max int) *Pool { return NewShared(max, nil) }

// NewShared makes a pool that borrows all workers but its first from a budget.
func NewShared(max int, budget *Budget) *Pool {
	if max < 1 {
		panic(fmt.Sprintf("offload: pool of %d workers", max))
	}
	p := &Pool{max: max, budget: budget, runs: map[uintptr]int{}}
	p.work = p.run
	p.idle.L = &p.mu
	return p
}

// Submit queues the job, and starts a worker for it if it may. It returns false, and has not touched the job, if the
// pool is closed.
func (p *Pool) Submit(j *Job) bool {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return false
	}
	if j.pool != nil {
		p.mu.Unlock()
		panic("offload: job submitted while it waits in the queue")
	}
	p.link(j)
	full := p.running-p.coming+p.queued > p.max
	start := p.mayStart()
	if full {
		j.since = time.Now()
	}
	p.mu.Unlock()
	if start {
		go p.work()
	}
	if full && p.Full != nil {
		p.Full()
	}
	return true
}

// TryCancel takes the job back if no worker has taken it. If it returns true, Run is not called. If it returns false,
// a worker has taken the job, or it was not submitted.
func (p *Pool) TryCancel(j *Job) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch j.pool {
	case nil:
		return false
	case p:
		p.unlink(j)
		return true
	}
	panic("offload: job cancelled in a pool where it was not submitted")
}

// TryGiveUp is TryCancel for a job that found no free worker. It leaves a job that a worker was started for.
func (p *Pool) TryGiveUp(j *Job) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if j.pool != p || j.since.IsZero() {
		return false
	}
	p.unlink(j)
	return true
}

// Waits reports whether the job is in the queue because no worker was free.
func (p *Pool) Waits(j *Job) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return j.pool == p && !j.since.IsZero()
}

// Load is what a pool has to do.
type Load struct {
	Max     int           // how many may run
	Running int           // jobs that run
	Waiting int           // jobs that wait
	Oldest  time.Duration // how long the first of these has waited because no worker was free
	Waited  uint64        // jobs that had to wait for a worker, and have run since
	Longest time.Duration // the longest of these waits
}

// Load returns the pool's load.
func (p *Pool) Load() Load {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := Load{Max: p.max, Running: p.running, Waiting: p.queued, Waited: p.waited, Longest: p.longest}
	if j := p.head; j != nil && !j.since.IsZero() {
		l.Oldest = time.Since(j.since)
	}
	return l
}

// WaitTimes returns how long the jobs that have begun had waited for a worker. A job that found a free worker, or for
// which one was started, counts as 0.
func (p *Pool) WaitTimes() stats.Histogram {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waits
}

// Runs returns how many jobs run, by What.
func (p *Pool) Runs() map[uintptr]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.runs)
}

// Close refuses later jobs and waits until all accepted ones have run, at most for the time within. It returns how
// many workers it left behind, usually 0; they end with their jobs. Callers that don't want queued jobs to run cancel
// them first. Closing again waits again.
func (p *Pool) Close(within time.Duration) (left int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	late := false
	timer := time.AfterFunc(within, func() {
		p.mu.Lock()
		late = true
		p.mu.Unlock()
		p.idle.Broadcast()
	})
	defer timer.Stop()
	for p.running > 0 && !late {
		p.idle.Wait()
	}
	return p.running
}

// run is a worker: it runs jobs until none is left. If a job ends its goroutine by runtime.Goexit, another worker is
// started in its place.
func (p *Pool) run() {
	labels.Clear() // drop the labels of the first job's submitter: the worker runs jobs of others too
	regular := false
	var what uintptr
	defer func() {
		if !regular {
			p.mu.Lock()
			p.ran(what)
			p.coming++
			p.mu.Unlock()
			go p.work()
		}
	}()
	for first := true; ; first = false {
		var j *Job
		if j, what = p.next(first, what); j == nil {
			regular = true
			return
		}
		j.Run()
	}
}

// next records that the job before has run, and returns the worker's next job and its What; nil ends the worker. A
// worker on loan ends after a job if another pool waits for a loan.
func (p *Pool) next(first bool, before uintptr) (*Job, uintptr) {
	p.mu.Lock()
	if first {
		p.coming--
	} else {
		p.ran(before)
	}
	j := p.head
	if j != nil && (first || p.running == 1 || !p.budget.wanted(p)) {
		p.unlink(j)
		start := p.mayStart()
		wait := time.Duration(0)
		if !j.since.IsZero() {
			p.waited++
			wait = time.Since(j.since)
			p.longest = max(p.longest, wait)
		}
		p.waits.Add(wait)
		what := j.What // read now: from here on, the job belongs to its Run
		if what != 0 {
			p.runs[what]++
		}
		p.mu.Unlock()
		if start {
			go p.work()
		}
		return j, what
	}
	p.running--
	lent := p.budget != nil && p.running > 0
	if p.running == 0 {
		p.idle.Broadcast()
	}
	p.mu.Unlock()
	if lent {
		p.budget.giveBack()
		p.ask()
	}
	return nil, 0
}

// ran records that a job has run. The caller holds p.mu.
func (p *Pool) ran(what uintptr) {
	if what == 0 {
		return
	}
	if p.runs[what]--; p.runs[what] == 0 {
		delete(p.runs, what)
	}
}

// mayStart reports whether to start a worker, which it counts as running already. A worker starts the next one when it
// takes a job and others wait. So no job waits for the end of another while the pool has room, and many short ones need
// no goroutine each: the first worker has run them by the time the second one comes. The caller holds p.mu.
func (p *Pool) mayStart() bool {
	if p.queued == 0 || p.running >= p.max || p.coming > 0 {
		return false
	}
	if p.running > 0 && p.budget != nil && !p.budget.borrow(p) {
		return false
	}
	p.running++
	p.coming++
	return true
}

// ask starts a worker if there are jobs for one.
func (p *Pool) ask() {
	p.mu.Lock()
	start := p.mayStart()
	p.mu.Unlock()
	if start {
		go p.work()
	}
}

// lend offers p the loan that it has waited for, and reports whether p took it.
func (p *Pool) lend() bool {
	p.mu.Lock()
	start := p.queued > 0 && p.running < p.max
	taken := start && p.running > 0 // the first worker needs no loan
	if start {
		p.running++
		p.coming++
	}
	p.mu.Unlock()
	if start {
		go p.work()
	}
	return taken
}

// link appends j to the queue, unlink takes it out, wherever it is. The caller holds p.mu.
func (p *Pool) link(j *Job) {
	j.pool, j.prev, j.since = p, p.tail, time.Time{}
	if p.tail == nil {
		p.head = j
	} else {
		p.tail.next = j
	}
	p.tail = j
	p.queued++
}

func (p *Pool) unlink(j *Job) {
	if j.prev == nil {
		p.head = j.next
	} else {
		j.prev.next = j.next
	}
	if j.next == nil {
		p.tail = j.prev
	} else {
		j.next.prev = j.prev
	}
	j.pool, j.prev, j.next = nil, nil, nil
	p.queued--
}

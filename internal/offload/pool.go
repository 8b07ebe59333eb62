package offload

import (
	"fmt"
	"maps"
	"sync"
	"time"

	"ringo/internal/rt/labels"
	"ringo/stats"
)

// Job is one call. It belongs to the pool from Submit until its Run has been
// called, or until TryCancel has taken it back; then it may be submitted again,
// also from within Run.
type Job struct {
	// Run does the call and tells whoever waits. It is bound once and kept, so
	// that submitting makes no closure. A panic in it is the program's end, as
	// in any goroutine; runtime.Goexit ends the job alone.
	Run func()
	// What says what it runs, for [Pool.Runs]: the address of a function, as a rule.
	What uintptr

	pool       *Pool // in whose queue it waits, or nil
	prev, next *Job
	since      time.Time // that no worker was free; zero: one was
}

// Pool runs jobs, at most a fixed number at once, begun in the order of their
// Submit. All methods may be called by any goroutine, and none but Close waits.
type Pool struct {
	max    int
	budget *Budget
	work   func() // p.run, bound once

	mu      sync.Mutex
	idle    sync.Cond // no worker is left that Close waits for
	head    *Job
	tail    *Job
	queued  int
	running int
	closed  bool
	runs    map[uintptr]int // What, and how often
	waited  uint64
	longest time.Duration
	waits   stats.Histogram

	// Full, if not nil, is called by each Submit whose job has to wait for a worker. It holds no
	// lock then.
	Full func()

	wants     bool // in the budget's list; its mutex guards these two
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

// Submit hands the job over. It reports false, and has not touched the job, if
// the pool is closed.
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
	start := p.mayStart()
	full := p.running == p.max && !start
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

// TryCancel takes the job back if it has not begun. If it reports true, Run is
// not called; if false, Run has been called or never will be for want of a Submit.
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

// TryGiveUp is TryCancel of a job for which no worker was free. One that a worker is on its way to is left.
func (p *Pool) TryGiveUp(j *Job) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if j.pool != p || j.since.IsZero() {
		return false
	}
	p.unlink(j)
	return true
}

// Waits reports whether the job waits in the queue, because no worker was free.
func (p *Pool) Waits(j *Job) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return j.pool == p && !j.since.IsZero()
}

// Load is how much a pool has to do.
type Load struct {
	Max     int           // how many may run
	Running int           // jobs that run
	Waiting int           // jobs that wait
	Oldest  time.Duration // how long the first of them has, for want of a worker
	Waited  uint64        // jobs that had to wait for a worker, and have run since
	Longest time.Duration // the longest of these waits
}

// Load tells it.
func (p *Pool) Load() Load {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := Load{Max: p.max, Running: p.running, Waiting: p.queued, Waited: p.waited, Longest: p.longest}
	if j := p.head; j != nil && !j.since.IsZero() {
		l.Oldest = time.Since(j.since)
	}
	return l
}

// WaitTimes is how long the jobs have waited for a worker that have begun. One that found a worker, or that was the
// reason to start one, has not waited.
func (p *Pool) WaitTimes() stats.Histogram {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waits
}

// Runs is what the jobs are that run, and how many are alike.
func (p *Pool) Runs() map[uintptr]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.runs)
}

// Close refuses later jobs and waits until all that were accepted have run, at
// most for the time given. It reports how many workers it left behind, 0 as a
// rule; they end with their jobs. Whoever doesn't want the queued ones to run cancels
// them before. Closing again waits again.
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

// run is a worker: jobs until there are none. A job that ends its goroutine by
// runtime.Goexit ends the worker, and another takes over.
func (p *Pool) run() {
	labels.Clear() // those of who made the first job, where its job is one of many
	regular := false
	var what uintptr
	defer func() {
		if !regular {
			p.mu.Lock()
			p.ran(what)
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

// next gives a worker its next job, and what that is, when it has run the one before; nil ends
// the worker. One that is on loan ends after a job while another pool waits for the loan.
func (p *Pool) next(first bool, before uintptr) (*Job, uintptr) {
	p.mu.Lock()
	if !first {
		p.ran(before)
	}
	j := p.head
	if j != nil && (first || p.running == 1 || !p.budget.wanted(p)) {
		p.unlink(j)
		wait := time.Duration(0)
		if !j.since.IsZero() {
			p.waited++
			wait = time.Since(j.since)
			p.longest = max(p.longest, wait)
		}
		p.waits.Add(wait)
		what := j.What // by now it is Run's
		if what != 0 {
			p.runs[what]++
		}
		p.mu.Unlock()
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

// ran notes that a job has run. The caller holds p.mu.
func (p *Pool) ran(what uintptr) {
	if what == 0 {
		return
	}
	if p.runs[what]--; p.runs[what] == 0 {
		delete(p.runs, what)
	}
}

// mayStart reports whether a worker is to be started, which then counts as running.
// The caller holds p.mu.
func (p *Pool) mayStart() bool {
	if p.queued == 0 || p.running >= p.max {
		return false
	}
	if p.running > 0 && p.budget != nil && !p.budget.borrow(p) {
		return false
	}
	p.running++
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

// lend offers p the loan that it waited for, and reports whether p took it.
func (p *Pool) lend() bool {
	p.mu.Lock()
	start := p.queued > 0 && p.running < p.max
	taken := start && p.running > 0 // the first worker needs no loan
	if start {
		p.running++
	}
	p.mu.Unlock()
	if start {
		go p.work()
	}
	return taken
}

// link puts j at the queue's end, unlink takes it out from anywhere. The caller
// holds p.mu.
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

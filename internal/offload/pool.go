package offload

import (
	"fmt"
	"sync"
	"time"

	"ringo/internal/labels"
)

// Job is one call. It belongs to the pool from Submit until its Run has been
// called, or until TryCancel has taken it back; then it may be submitted again,
// also from within Run.
type Job struct {
	// Run does the call and tells whoever waits. It is bound once and kept, so
	// that submitting makes no closure. A panic in it is the program's end, as
	// in any goroutine; runtime.Goexit ends the job alone.
	Run func()

	pool       *Pool // in whose queue it waits, or nil
	prev, next *Job
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
	p := &Pool{max: max, budget: budget}
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
	p.mu.Unlock()
	if start {
		go p.work()
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

// Load is how many jobs run and how many wait.
func (p *Pool) Load() (running, queued int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running, p.queued
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
	defer func() {
		if !regular {
			go p.work()
		}
	}()
	for j := p.next(true); j != nil; j = p.next(false) {
		j.Run()
	}
	regular = true
}

// next gives a worker its next job; nil ends the worker. One that is on loan ends
// after a job while another pool waits for the loan.
func (p *Pool) next(first bool) *Job {
	p.mu.Lock()
	j := p.head
	if j != nil && (first || p.running == 1 || !p.budget.wanted(p)) {
		p.unlink(j)
		p.mu.Unlock()
		return j
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
	return nil
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
	j.pool, j.prev = p, p.tail
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

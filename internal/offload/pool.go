package offload

import (
	"fmt"
	"sync"
	"time"
)

// Job is one call. It belongs to the pool from Submit until its Run has been
// called, or until TryCancel has taken it back; then it may be submitted again,
// also from within Run.
type Job struct {
	// Run does the call and tells whoever waits. It is bound once and kept, so
	// that submitting makes no closure. A panic in it is the program's end, as
	// in any goroutine.
	Run func()

	next   *Job
	queued bool
}

// Pool runs jobs, at most a fixed number at once, in the order of their Submit.
// All methods may be called by any goroutine, and none but Close waits.
type Pool struct {
	max  int
	work func() // p.run, bound once

	mu      sync.Mutex
	idle    sync.Cond // running is 0
	head    *Job
	tail    *Job
	queued  int
	running int
	closed  bool
}

// New makes a pool that runs at most max jobs at once. It starts nothing and
// needs no Close as long as it has no jobs.
func New(max int) *Pool {
	if max < 1 {
		panic(fmt.Sprintf("offload: pool of %d workers", max))
	}
	p := &Pool{max: max}
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
	if j.queued {
		p.mu.Unlock()
		panic("offload: job submitted while it waits in the queue")
	}
	j.queued = true
	if p.tail == nil {
		p.head = j
	} else {
		p.tail.next = j
	}
	p.tail = j
	p.queued++
	start := p.running < p.max
	if start {
		p.running++
	}
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
	if !j.queued {
		return false
	}
	var before *Job
	for at := p.head; at != j; at = at.next {
		if at == nil {
			panic("offload: job cancelled in a pool where it was not submitted")
		}
		before = at
	}
	if before == nil {
		p.head = j.next
	} else {
		before.next = j.next
	}
	if p.tail == j {
		p.tail = before
	}
	p.queued--
	j.next, j.queued = nil, false
	return true
}

// Load is how many jobs run and how many wait.
func (p *Pool) Load() (running, queued int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running, p.queued
}

// run is a worker: jobs until there are none. A job that ends its goroutine by
// runtime.Goexit ends the worker, and another takes over.
func (p *Pool) run() {
	regular := false
	defer func() {
		if !regular {
			go p.work()
		}
	}()
	for j := p.take(); j != nil; j = p.take() {
		j.Run()
	}
	regular = true
}

// take gives a worker its next job; nil ends the worker.
func (p *Pool) take() *Job {
	p.mu.Lock()
	defer p.mu.Unlock()
	j := p.head
	if j == nil {
		if p.running--; p.running == 0 {
			p.idle.Broadcast()
		}
		return nil
	}
	if p.head = j.next; p.head == nil {
		p.tail = nil
	}
	p.queued--
	j.next, j.queued = nil, false
	return j
}

// Close refuses later jobs and waits until all that were accepted have run, at
// most for the time given. It reports how many workers it left behind, 0 as a
// rule; they end with their jobs. Whoever doesn't want the queued ones to run
// cancels them before. Closing again waits again.
func (p *Pool) Close(within time.Duration) (left int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.running == 0 {
		return 0
	}
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

package event

import (
	"ringo/internal/rt/code"
)

// callback is something that has callbacks to be run.
type callback interface{ run() }

// queue is callbacks in order. It grows by doubling, and holds each handle once.
type queue struct {
	items      []callback // a power of two
	head, tail uint32
}

func (q *queue) len() int { return int(q.tail - q.head) }

func (q *queue) push(x callback) {
	if q.len() == len(q.items) {
		bigger := make([]callback, max(64, 2*len(q.items)))
		for i := q.head; i != q.tail; i++ {
			bigger[i&uint32(len(bigger)-1)] = q.items[i&uint32(len(q.items)-1)]
		}
		q.items = bigger
	}
	q.items[q.tail&uint32(len(q.items)-1)] = x
	q.tail++
}

func (q *queue) pop() callback {
	p := &q.items[q.head&uint32(len(q.items)-1)]
	x := *p
	*p = nil
	q.head++
	return x
}

// push has the callbacks of x run, in this turn or the next: never at once, so that nobody is called from within a call
// of his own.
func (e *Loop) push(x callback) {
	e.queue.push(x)
	e.start()
}

// start has the runner run.
func (e *Loop) start() {
	if !e.runs && !e.l.Ending() && !e.l.Killed() {
		e.runs = true
		e.l.Start((*runner)(e))
	}
}

// runner is the task that all callbacks of a loop run in: so they are to the rest of Ringo what any task is, and cost
// one switch of coroutines a turn.
type runner Loop

var runnerCode = code.Of((*runner).Run)

func init() { code.Call(runnerCode, "event callbacks") }

// Code is that of all callbacks.
func (r *runner) Code() code.Func { return runnerCode }

// Run runs what is queued. Those who queue anew meanwhile have their turn in the next one, behind the kernel's.
func (r *runner) Run() {
	e := (*Loop)(r)
	defer e.rest()
	e.task = e.l.Task()
	for {
		e.frozen.begin(e)
		e.runHooks(checks)
		for n := e.queue.len(); n > 0; n-- {
			e.running = e.queue.pop()
			e.running.run()
			if !e.l.CountRun() {
				break
			}
		}
		e.running = nil
		e.runHooks(idles)
		e.runHooks(prepares)
		if e.isIdling() {
			e.stopped = true
			e.stopAll()
		} else if e.hasRest() {
			e.closeRest()
		}
		if e.queue.len() == 0 && e.hooks[idles] == nil {
			return
		}
		e.l.YieldTurn()
	}
}

// rest ends a run: because nothing is queued, or because a callback did not return, whose connection ends with it.
func (e *Loop) rest() {
	x := e.running
	e.running, e.runs, e.task = nil, false, nil
	e.l.Timers().Disarm(&e.frozen.t)
	if x != nil {
		e.dropShown()
		switch c := x.(type) {
		case *Conn:
			c.broke()
		case *notice:
			if c.c != nil {
				c.c.broke()
			}
		case *PacketConn: // which has other peers as well
			c.wake()
		}
	}
	if e.queue.len() > 0 || e.hooks[idles] != nil || x != nil && e.isIdling() {
		e.start()
	}
	if e.active == 0 {
		e.settle()
	}
}

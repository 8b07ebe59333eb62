package event

import (
	"ringo/internal/rt/code"
)

// callback is an object whose callbacks are to be run.
type callback interface{ run() }

// queue is a queue of callbacks. It grows by doubling. Each object is in it only once.
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

// push queues the callbacks of x, for this turn or the next. They are never called at once, so callbacks are not
// re-entrant.
func (e *Loop) push(x callback) {
	e.queue.push(x)
	e.start()
}

// start starts the runner, unless it runs.
func (e *Loop) start() {
	if !e.runs && !e.l.Ending() && !e.l.Killed() {
		e.runs = true
		e.l.Start((*runner)(e))
	}
}

// runner is the task in which all callbacks of a loop run. So they are an ordinary task for the rest of Ringo, and cost
// one coroutine switch a turn.
type runner Loop

var runnerCode = code.Of((*runner).Run)

func init() { code.Call(runnerCode, "event callbacks") }

// Code shows the callbacks of all loops under one name.
func (r *runner) Code() code.Func { return runnerCode }

// Run runs what is queued. Callbacks that are queued meanwhile run in the next turn, after the kernel's events.
func (r *runner) Run() {
	e := (*Loop)(r)
	defer e.rest()
	e.task = e.l.Task()
	for {
		e.frozen.begin(e)
		e.runHooks(checks)
		if e.broke != e.l.Turn()+1 {
			e.left = e.queue.len()
		}
		for e.left > 0 {
			e.left--
			e.running = e.queue.pop()
			e.running.run()
			if !e.l.CountRun() {
				break
			}
		}
		e.running, e.left = nil, 0
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

// rest ends a run, because nothing is queued, or because a callback did not return: then it ends the callback's
// connection.
func (e *Loop) rest() {
	x := e.running
	e.running, e.runs, e.task = nil, false, nil
	e.l.Timers().Disarm(&e.frozen.t)
	if x != nil {
		e.broke = e.l.Turn() + 1
		e.dropShown()
		switch c := x.(type) {
		case *Conn:
			c.broke()
		case *notice:
			if c.c != nil {
				c.c.broke()
			}
		case *PacketConn: // it has other peers as well
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

package sock

import (
	"errors"
	"net"
	"sync"

	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// backlog is the connections whose peers had connected when the drain began, and that no Accept has returned. They
// outlive the listener's descriptor: Accept returns them until Grace ends.
//
//	drain ──▶ the armed accept ends ──▶ callers in Accept leave ──▶ the kernel's backlog is taken in
//	                                                                   ├─▶ the descriptor is closed, at once
//	                                                                   └─▶ Accept returns one after the other
//
// Closing the descriptor at once would reset them: a program that is restarted would lose requests that it was sent.
type backlog struct {
	expected bool // the drain has begun; for the loop's thread
	l        *loop.Loop
	member   *member // of the listener
	open     loop.Handle

	mu    sync.Mutex
	kept  bool // connections are kept for callers of Accept
	queue fdQueue
}

// backlogKept bounds the connections that are taken in when the drain begins. It is the most that the kernel queues
// unless net.core.somaxconn was raised; peers beyond it are reset.
const backlogKept = 4096

// drain closes the listener, but keeps the connections of peers that have connected by now.
func (ln *Listener) drain() {
	if ln.core.Closing() || ln.backlog.expected {
		return
	}
	ln.backlog.expected = true
	ln.member.stop()
	ln.closeForLate()
}

// closeForLate begins the close, once the connections that other loops have accepted for this one have come, and the
// loop has no accept armed. (The accept of a task in AcceptConn may go on: the task gets its result.) Until then each
// accept that ends, and each connection that arrives, calls it again.
func (ln *Listener) closeForLate() {
	if ln.share == nil && ln.core.Own(handle.In).Op != nil {
		ln.cancelAccept()
		return
	}
	if ln.member.expects() {
		return
	}
	ln.backlog.keep(ln.l)
	ln.core.BeginClose()
}

// takeLast takes in the connections that wait in the kernel, just before the descriptor is closed.
func (ln *Listener) takeLast() {
	q := &ln.backlog
	kept := q.mayHave()
	if !kept {
		ln.handOnAll()
	}
	if q.take(ln.l, &ln.queue); !kept {
		return
	}
	o := op.Op{Code: op.Accept, FD: ln.core.FD()}
	for range backlogKept {
		s, ok := ln.l.Ops().Try(&o)
		if !ok || s < 0 && !ofPeer(s) {
			return
		}
		if s >= 0 {
			ln.member.add(1)
			q.push(s)
		}
	}
}

// acceptLate is AcceptConn for a listener that is closed, or a caller that must not wait.
func (ln *Listener) acceptLate(err error) (*Conn, error) {
	got, err := ln.lateFD(err)
	if err != nil {
		return nil, ln.fail("accept", err)
	}
	own := ln.l.IsCurrent()
	if own {
		ln.l.ChargeAndYield()
	}
	return ln.accepted(got, own, new(sys.Sockaddr)), nil
}

// lateFD returns the descriptor for acceptLate.
func (ln *Listener) lateFD(err error) (got arrival, _ error) {
	if ln.l == nil || !errors.Is(err, net.ErrClosed) || !ln.backlog.mayHave() {
		return got, err
	}
	ln.core.AwaitEnd() // callers in Accept may leave some behind
	for s, ok := ln.backlog.pop(); ok; s, ok = ln.backlog.pop() {
		if got, v, err := ln.admitLate(s, err); err != nil || v == admitted {
			return got, err
		}
	}
	return got, err
}

// keep begins to keep connections. For the loop's thread.
func (q *backlog) keep(l *loop.Loop) {
	q.l = l
	l.Handles().Register(&q.open, (*openBacklog)(q))
	q.mu.Lock()
	defer q.mu.Unlock()
	q.kept = true
}

// take moves the connections of a queue into the backlog, or closes them if none are kept.
func (q *backlog) take(l *loop.Loop, from *fdQueue) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for s, ok := from.pop(); ok; s, ok = from.pop() {
		if q.kept {
			q.queue.push(s)
		} else {
			q.member.turnAway(l, s)
		}
	}
}

func (q *backlog) push(s int32) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queue.push(s)
}

// back puts a connection that was popped back at the front. It returns false if none are kept any more.
func (q *backlog) back(s int32) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.kept {
		q.queue.back(s)
	}
	return q.kept
}

func (q *backlog) pop() (int32, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.queue.pop()
}

func (q *backlog) mayHave() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.kept
}

// end closes the connections that are left, and keeps no more.
func (q *backlog) end(l *loop.Loop) {
	q.mu.Lock()
	q.kept = false
	q.mu.Unlock()
	q.take(l, &q.queue)
}

// openBacklog is the backlog as something that is open on the loop.
type openBacklog backlog

// Drain is called when Grace has ended, and then closes what is left.
func (o *openBacklog) Drain() {
	if o.l.Stopping() {
		(*backlog)(o).end(o.l)
	}
}

// Abandon is called when the loop ends.
func (o *openBacklog) Abandon() { (*backlog)(o).end(o.l) }

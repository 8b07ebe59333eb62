package sock

import (
	"ringo/internal/handle"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// sharedSocket is what the listeners of one listening socket have in common, where SO_REUSEPORT can't give each loop a
// socket of its own: for Unix sockets, sockets that were made elsewhere, and ListenConfig.OneSocket. Each listener has
// its own descriptor of the socket.
//
// Each listener asks the kernel for one connection at a time, and only while a task is in Accept: so connections go to
// the loops that have time for them, and no loop holds one that another could serve. A multishot accept would keep its
// place at the head of the kernel's queue of waiters, and take them all. Foreign callers accept as on other listeners,
// but with limits by a task: only a task hears of connections that other loops hand on.
type sharedSocket struct{ listenerList }

// join adds a new listener to those that share the socket.
func (s *sharedSocket) join(ln *Listener) {
	if ln.core.Closing() {
		return
	}
	ln.share = s
	s.add(ln)
}

// acceptShared is acceptHere for a shared socket. If the task is cancelled or the listener closes, the result of an
// accept still counts, so that no connection is lost.
func (ln *Listener) acceptShared() (got arrival, err error) {
	late := ln.core.Late(handle.In)
	if ln.l.ChargeAndYield(); late != nil {
		return got, late
	}
	if err := ln.over(); err != nil {
		return got, err
	}
	ln.share.asks(ln)
	for tried := false; ; tried = true {
		if s, ok := ln.pop(); ok { // another loop has accepted it, or it waits for its place
			switch got, v := ln.admit(s); v {
			case admitted:
				ln.share.asksNoMore(ln)
				if tried {
					ln.share.lookAgain(ln)
				}
				return got, nil
			case waits:
				ln.core.Wait()
			}
		} else if got, ok := ln.acceptOne(); ok {
			ln.share.asksNoMore(ln)
			return got, nil
		}
		if err := ln.over(); err != nil {
			ln.share.asksNoMore(ln)
			if ln.leaves(); ln.core.Closing() { // one may have come after what closes the queue
				ln.backlog.take(ln.l, &ln.queue)
			}
			ln.share.lookAgain(ln)
			return got, err
		}
	}
}

// acceptOne asks the kernel for one connection. If it returns false, the caller has to look again.
func (ln *Listener) acceptOne() (got arrival, ok bool) {
	if ln.timer.Armed() || !ln.mayAccept() {
		ln.core.Wait()
		return got, false
	}
	o := ln.l.Ops().New(op.Accept)
	if o == nil {
		ln.ended(-sys.ENOBUFS)
		return got, false
	}
	o.Flags = op.Keep
	s := ln.core.Await(handle.In, o)
	if s < 0 {
		ln.ended(s)
		return got, false
	}
	ln.came()
	if !ln.place(s) {
		return got, false
	}
	got, v := ln.admit(s)
	return got, v == admitted
}

// lookAgain restarts the accepts of the other listeners. A listener whose accept has ended without a connection calls
// it: it may have been the one that the kernel woke for a connection, and the kernel wakes only one.
func (s *sharedSocket) lookAgain(but *Listener) {
	for _, ln := range s.list() {
		if ln != but {
			ln.l.Call(ln.cancelAccept)
		}
	}
}

// asks notes that a task waits in a listener. Connections that wait for their place in others, where no task does any
// more, come to it.
func (s *sharedSocket) asks(ln *Listener) {
	if ln.counts.limits == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ln.asked = true
	for _, o := range s.all {
		if !o.asked && o.counts.ahead.Load() > 0 {
			o.l.Call(o.unasked)
		}
	}
}

// asksNoMore notes that no task waits in a listener.
func (s *sharedSocket) asksNoMore(ln *Listener) {
	if ln.counts.limits == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ln.asked = false
}

// unasked hands on what waits for its place, if no task waits here.
func (ln *Listener) unasked() {
	ln.share.mu.Lock()
	asked := ln.asked
	ln.share.mu.Unlock()
	if !asked {
		ln.handOnAll()
	}
}

// handOn gives the first connection that waits for its place in a listener to another, in which a task waits. Only if
// the listener closes, so that it can't keep the connection, any other does. It returns false if there is none. The
// caller has access to from.
func (s *sharedSocket) handOn(from *Listener) bool {
	var asked, idle []*Listener
	s.mu.Lock()
	for _, o := range s.all {
		switch {
		case o == from:
		case o.asked:
			asked = append(asked, o)
		case from.core.Closing():
			idle = append(idle, o)
		}
	}
	s.mu.Unlock() // who asks from here on looks for what stays in the queue
	for _, to := range append(asked, idle...) {
		fd, _ := from.pop()
		if to.l.Call(func() { to.handed(fd) }) {
			from.member.add(-1)
			to.member.add(1)
			return true
		}
		from.unpop(fd)
	}
	return false
}

// handed takes in a connection that another loop has handed on. A listener in which no task waits any more hands it on
// in turn; else one that closes keeps or closes it as its backlog does.
func (ln *Listener) handed(s int32) {
	if ln.core.Closing() {
		ln.queue.push(s)
		ln.handOnAll()
		ln.backlog.take(ln.l, &ln.queue)
		return
	}
	ln.takeIn(s)
	ln.unasked()
}

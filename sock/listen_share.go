package sock

import (
	"slices"
	"sync"

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
// place at the head of the kernel's queue of waiters, and take them all. Foreign callers accept as on other listeners.
type sharedSocket struct {
	mu        sync.Mutex
	listeners []*Listener
}

// join adds a new listener to those that share the socket.
func (s *sharedSocket) join(ln *Listener) {
	if ln.core.Closing() {
		return
	}
	ln.share = s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = append(s.listeners, ln)
}

// leave removes a listener that closes.
func (s *sharedSocket) leave(ln *Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = slices.DeleteFunc(s.listeners, func(o *Listener) bool { return o == ln })
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
	for tried := false; ; tried = true {
		if s, ok := ln.pop(); ok { // another loop has accepted it, or it waits for its place
			switch got, v := ln.admit(s); v {
			case admitted:
				if tried {
					ln.share.lookAgain(ln)
				}
				return got, nil
			case waits:
				ln.core.Wait()
			}
		} else if got, ok := ln.acceptOne(); ok {
			return got, nil
		}
		if err := ln.over(); err != nil {
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
	s.mu.Lock()
	others := slices.Clone(s.listeners)
	s.mu.Unlock()
	for _, ln := range others {
		if ln != but {
			ln.l.Call(ln.cancelAccept)
		}
	}
}

// handOn gives a connection that waits for its place to another listener. It returns false if there is none. G.
func (s *sharedSocket) handOn(from *Listener, fd int32) bool {
	s.mu.Lock()
	others := slices.Clone(s.listeners)
	s.mu.Unlock()
	for _, to := range others {
		if to != from && to.l.Call(func() { to.handed(fd) }) {
			from.member.add(-1)
			to.member.add(1)
			return true
		}
	}
	return false
}

// handed takes in a connection that another loop has handed on. A listener that closes hands it on in turn, or else
// keeps or closes it as its backlog does.
func (ln *Listener) handed(s int32) {
	switch {
	case !ln.core.Closing():
		ln.takeIn(s)
	case !ln.share.handOn(ln, s):
		ln.queue.push(s)
		ln.backlog.take(ln.l, &ln.queue)
	}
}

// takeShared gives a loop its own descriptor of the set's socket. The caller holds mu.
func (s *ListenerSet) takeShared() (int32, *socketFile, error) {
	n := s.k.Dup(s.first)
	if n < 0 {
		return -1, nil, listenError(s.network, s.Addr(), callError("fcntl", n))
	}
	return n, s.file.share(), nil
}

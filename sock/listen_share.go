package sock

import (
	"slices"
	"sync"

	"ringo/internal/handle"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// sharedSocket is what the listeners of one listening socket have in common, which is
// where SO_REUSEPORT can't give each loop a socket of its own: Unix sockets, and those
// that came from elsewhere. Each listener has a descriptor of its own of the socket.
//
// Each asks the kernel for one connection at a time, and only while somebody is in
// Accept: so the connections go to the loops that have time for them, and none holds
// what another could serve. A multishot accept would keep its place at the head of
// those that the kernel wakes, and take them all. Foreign callers accept as ever.
type sharedSocket struct {
	mu        sync.Mutex
	listeners []*Listener
}

// join makes a new listener one of those that share.
func (s *sharedSocket) join(ln *Listener) {
	if ln.core.Closing() {
		return
	}
	ln.share = s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = append(s.listeners, ln)
}

// leave is for a listener that closes.
func (s *sharedSocket) leave(ln *Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = slices.DeleteFunc(s.listeners, func(o *Listener) bool { return o == ln })
}

// acceptShared is AcceptConn for a task of the loop that has access. Of a task that is cancelled, and of a listener
// that closes, the accept's result counts all the same, so that no connection is left with nobody.
func (ln *Listener) acceptShared() (got arrival, err error) {
	late := ln.core.Late(handle.In)
	if ln.l.ChargeAndYield(); late != nil {
		return got, late
	}
	if err := ln.over(); err != nil {
		return got, err
	}
	for tried := false; ; tried = true {
		if s, ok := ln.pop(); ok { // that another loop has accepted, or that waits for its place
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
			if ln.leaves(); ln.core.Closing() { // one may have come behind what closes the queue
				ln.backlog.take(ln.l, &ln.queue)
			}
			ln.share.lookAgain(ln)
			return got, err
		}
	}
}

// acceptOne asks the kernel for a connection. If there is none, another try may have one.
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

// lookAgain is said by a listener whose accept has ended in vain. It may have been the one that the kernel woke for a
// connection, and it wakes only one: so the others' accepts begin anew, with a try.
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

// handOn gives a connection that waits for its place to another listener. G.
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

// handed takes in what another loop has handed on. If the listener closes, whoever has it then does.
func (ln *Listener) handed(s int32) {
	switch {
	case !ln.core.Closing():
		ln.takeIn(s)
	case !ln.share.handOn(ln, s):
		ln.queue.push(s)
		ln.backlog.take(ln.l, &ln.queue)
	}
}

// takeShared gives a loop a descriptor of its own of the set's socket. The caller
// holds mu.
func (s *ListenerSet) takeShared() (int32, *socketFile, error) {
	n := s.k.Dup(s.first)
	if n < 0 {
		return -1, nil, listenError(s.network, s.Addr(), callError("fcntl", n))
	}
	return n, s.file.share(), nil
}

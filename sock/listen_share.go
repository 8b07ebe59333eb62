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
func (ln *Listener) acceptShared() (s int32, err error) {
	late := ln.core.Late(handle.In)
	if ln.l.ChargeAndYield(); late != nil {
		return 0, late
	}
	if err := ln.over(); err != nil {
		return 0, err
	}
	for tried := false; ; tried = true {
		s, ok := ln.pop() // that another loop has accepted
		if ok && ln.admit(s) {
			if tried {
				ln.share.lookAgain(ln)
			}
			return s, nil
		}
		if ok || ln.timer.Armed() {
			ln.core.Wait()
		} else if o := ln.l.Ops().New(op.Accept); o == nil {
			ln.ended(-sys.ENOBUFS)
		} else {
			o.Flags = op.Keep
			if s = ln.core.Await(handle.In, o); s >= 0 {
				ln.came()
				if ln.place(s) && ln.admit(s) {
					return s, nil
				}
			} else {
				ln.ended(s)
			}
		}
		if err := ln.over(); err != nil {
			ln.share.lookAgain(ln)
			return 0, err
		}
	}
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

// takeShared gives a loop a descriptor of its own of the set's socket. The caller
// holds mu.
func (s *ListenerSet) takeShared() (int32, *socketFile, error) {
	n := s.k.Dup(s.first)
	if n < 0 {
		return -1, nil, listenError(s.network, s.Addr(), callError("fcntl", n))
	}
	return n, s.file.share(), nil
}

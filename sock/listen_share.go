package sock

import (
	"slices"
	"sync"

	"ringo/internal/handle"
	"ringo/internal/sys"
)

// sharedSocket is what the listeners of one listening socket have in common, which is
// where SO_REUSEPORT can't give each loop a socket of its own: Unix sockets, and those
// that came from elsewhere. Each listener has a descriptor of its own of the socket.
//
// Each asks the kernel for one connection at a time, and only while somebody is in
// Accept: so the connections go to the loops that have time for them, and none holds
// what another could serve. A multishot accept would keep its place at the head of
// those that the kernel wakes, and take them all.
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
	ln.core.Revoke(handle.In)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = append(s.listeners, ln)
}

// leave is for a listener that closes. What was handedOn to it goes on to the others.
func (s *sharedSocket) leave(ln *Listener) {
	s.mu.Lock()
	s.listeners = slices.DeleteFunc(s.listeners, func(o *Listener) bool { return o == ln })
	handedOn := ln.handedOn
	ln.handedOn = nil
	s.mu.Unlock()
	for _, fd := range handedOn {
		ln.drop(fd)
	}
}

// handOn has another listener accept a connection that its own has no use for; false if there
// is none.
func (s *sharedSocket) handOn(fd int32) bool {
	s.mu.Lock()
	if len(s.listeners) == 0 {
		s.mu.Unlock()
		return false
	}
	to := s.listeners[0]
	s.listeners = append(append(s.listeners[:0], s.listeners[1:]...), to) // the next one's turn comes first
	to.handedOn = append(to.handedOn, fd)
	s.mu.Unlock()
	to.l.Call(to.acceptHandedOn) // a loop that ends before it does so closes its listener first, which leaves
	return true
}

// acceptHandedOn accepts what others have handed on.
func (ln *Listener) acceptHandedOn() {
	ln.share.mu.Lock()
	handedOn := ln.handedOn
	ln.handedOn = nil
	ln.share.mu.Unlock()
	for _, fd := range handedOn {
		ln.arrived(fd)
	}
}

// gaveUp is told of the last completion of an accept. One that was cancelled may have
// been the one that the kernel woke for a connection, and it wakes only one: so the
// others look again.
func (ln *Listener) gaveUp(res int32) {
	looks := ln.looks && !ln.core.Closing()
	ln.looks = false
	if res != -sys.ECANCELED || looks {
		return
	}
	s := ln.share
	s.mu.Lock()
	others := slices.Clone(s.listeners)
	s.mu.Unlock()
	for _, o := range others {
		if o != ln {
			o.l.Call(o.lookAgain)
		}
	}
}

// lookAgain has the accept begin anew, which begins with a try. One that was
// cancelled is armed again.
func (ln *Listener) lookAgain() {
	if o := ln.core.Own(handle.In).Op; o != nil && !o.Canceled && !ln.core.Closing() {
		ln.looks = true
		ln.l.Cancel(o)
	}
}

// unasked is told when somebody has left Accept without a connection.
func (ln *Listener) unasked() {
	if ln.share != nil && !ln.asked() {
		ln.cancelAccept()
	}
}

// aheadMax bounds what a listener that shares its socket accepts ahead of foreign callers.
const aheadMax = 16

// asked reports whether an accept should be under way.
func (ln *Listener) asked() bool {
	if !ln.waiting.Empty() || ln.ready.asked() {
		return true
	}
	return ln.share != nil && ln.share.single() && ln.ready.open && ln.ready.len() < aheadMax
}

// single reports whether there is one listener, which can't keep anything from others.
func (s *sharedSocket) single() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.listeners) == 1
}

// drop sees to a connection that this listener will not give to anybody.
func (ln *Listener) drop(fd int32) {
	if ln.share == nil || !ln.share.handOn(fd) {
		discard(ln.l, fd)
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

package sock

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/sys"
)

// listenUnix is Listen for a Unix network.
func (lc *ListenConfig) listenUnix(l *loop.Loop, network, name string) (*Listener, error) {
	s, file, err := lc.openUnix(l.Kernel(), network, name)
	if err != nil {
		return nil, listenError(network, &net.UnixAddr{Name: name, Net: network}, err)
	}
	return lc.Limits.of(newListener(l, network, s.n, file, func() {}))
}

// reserveUnix is Reserve for a Unix network.
func (lc *ListenConfig) reserveUnix(network, name string) (*ListenerSet, error) {
	s, file, err := lc.openUnix(loop.Kernel(), network, name)
	var sa *sys.Sockaddr
	if err == nil {
		if sa, err = s.name(); err != nil {
			file.release()
			s.close()
		}
	}
	if err != nil {
		return nil, listenError(network, &net.UnixAddr{Name: name, Net: network}, err)
	}
	addr := unixAddr(sa, network)
	return &ListenerSet{reserved: reserve(network), lc: *lc, first: s.n, unix: &addr, file: file,
		share: new(sharedSocket), balance: balance{evens: lc.Balance}, limits: newLimiter(lc.Limits)}, nil
}

// reopen makes the set's socket anew if all listeners of the previous one have closed, as a TCP set can open sockets at
// any time. The caller holds mu.
func (s *ListenerSet) reopen(l *loop.Loop) error {
	if s.first >= 0 {
		return nil
	}
	if s.adopted || l.Set().Ends() { // it is gone, and its address not ours to take, or a successor's by now
		return net.ErrClosed
	}
	var o socket
	var err error
	file := newSocketFile(s.k, "")
	switch {
	case s.unix != nil:
		o, file, err = s.lc.openUnix(s.k, s.network, s.unix.Name)
	case s.vsock != nil:
		o, _, err = s.lc.openVsock(s.k, *s.vsock)
	default:
		o, err = s.lc.open(s.k, s.network, s.addr, !s.lc.AllowShared)
	}
	if err == nil {
		s.first, s.file = o.n, file
	}
	return err
}

// openUnix makes a listening socket, and returns its file. bind creates the file, and fails if there is one of that
// name, even one that a program has left behind.
func (lc *ListenConfig) openUnix(k kernel.Kernel, network, name string) (s socket, file *socketFile, err error) {
	if err = lc.check(network); err == nil {
		s, err = newSocket(k, sys.AFUnix, unixType(network))
	}
	if err != nil {
		return s, nil, err
	}
	if file, err = lc.bindUnix(s, network, name); err == nil {
		err = s.listen(lc.Backlog)
	}
	if err != nil {
		file.release()
		s.close()
	}
	return s, file, err
}

// check returns what is wrong with the options for a network.
func (lc *ListenConfig) check(network string) error {
	switch {
	case lc.Backlog < 0:
		return fmt.Errorf("ListenConfig.Backlog %d: want 0 or more", lc.Backlog)
	case lc.SteerCPU && (lc.Balance || lc.OneSocket || lc.AllowShared):
		return errors.New("ListenConfig.SteerCPU with Balance, OneSocket or AllowShared: want one of them")
	case strings.HasPrefix(network, "tcp"):
		return lc.Limits.check()
	case lc.DeferAccept > 0:
		return fmt.Errorf("ListenConfig.DeferAccept of a %s socket: %w", shownNetwork(network), errors.ErrUnsupported)
	case lc.FastOpen > 0:
		return fmt.Errorf("ListenConfig.FastOpen of a %s socket: %w", shownNetwork(network), errors.ErrUnsupported)
	case lc.SteerCPU:
		return fmt.Errorf("ListenConfig.SteerCPU of a %s socket: %w", shownNetwork(network), errors.ErrUnsupported)
	}
	return lc.Limits.check()
}

// bindUnix calls Control, binds a socket to its name, and returns the file.
func (lc *ListenConfig) bindUnix(s socket, network, name string) (*socketFile, error) {
	if err := lc.controls().as(network, name, s); err != nil {
		return nil, err
	}
	return bindFile(s, name)
}

// bindFile binds a socket to its name, and returns the file, which is ours.
func bindFile(s socket, name string) (*socketFile, error) {
	if err := s.bindUnix(name); err != nil {
		return nil, err
	}
	file := newSocketFile(s.k, name)
	file.own(true)
	return file, nil
}

// noUnixName is the kernel's error for a name that no socket can have: it is too long, or a path with a NUL in it.
func noUnixName(call string) error { return callError(call, -sys.EINVAL) }

// SetUnlinkOnClose sets whether closing a Unix listener removes its file, as with package net. By default it does,
// unless the socket was adopted; then the file to remove is the one that exists when this is called. A file that has
// taken its place is not removed. If listeners share a socket, the setting is shared and the last to close removes the
// file. Without a file it does nothing. Any goroutine may call it.
func (ln *Listener) SetUnlinkOnClose(unlink bool) {
	if ln.file != nil {
		ln.file.own(unlink)
	}
}

// SetUnlinkOnClose is Listener.SetUnlinkOnClose for all listeners of the set. Any goroutine may call it.
func (s *ListenerSet) SetUnlinkOnClose(unlink bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		s.file.own(unlink)
	}
}

// becomeUnix makes a new ln a listener of a Unix network.
func (ln *Listener) becomeUnix(addr net.UnixAddr) {
	ln.unix = &addr
	if ln.file == nil {
		ln.file = newSocketFile(ln.l.Kernel(), addr.Name)
	}
}

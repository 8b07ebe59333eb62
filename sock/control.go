package sock

import (
	"errors"
	"net/netip"
	"syscall"
)

// control shows a new socket to a user's function, with the words of package net: the
// network of the family that was chosen, and the address as numbers.
func control(fn func(network, address string, c syscall.RawConn) error, ap netip.AddrPort, s socket) error {
	if fn == nil {
		return nil
	}
	network := "tcp4"
	if ap.Addr().Is6() {
		network = "tcp6"
	}
	return controlAs(fn, network, ap.String(), s)
}

func controlAs(fn func(network, address string, c syscall.RawConn) error, network, address string, s socket) error {
	if fn == nil {
		return nil
	}
	raw, done := rawSocket(s.n), false
	defer func() {
		if !done { // it panicked, or ended its goroutine: nobody else will close it
			s.close()
		}
	}()
	err := fn(network, address, &raw)
	done = true
	return err
}

// rawSocket is a socket that is still being made.
type rawSocket int32

// Control calls f with the descriptor.
func (r *rawSocket) Control(f func(fd uintptr)) error {
	f(uintptr(*r))
	return nil
}

var errUnfinished = errors.New("sock: the socket is still being made: only Control works")

// Read fails: there is nothing to read yet.
func (r *rawSocket) Read(func(fd uintptr) bool) error { return errUnfinished }

// Write fails: there is nobody to write to yet.
func (r *rawSocket) Write(func(fd uintptr) bool) error { return errUnfinished }

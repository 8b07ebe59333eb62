package sock

import (
	"errors"
	"net/netip"
	"syscall"
)

// controls are the options and the Control function for a new socket.
type controls struct {
	options Options
	fn      func(network, address string, c syscall.RawConn) error
}

// tcp sets the options of a new socket and calls the Control function as package net does: with the network of the
// family that was chosen, and a numeric address.
func (u controls) tcp(ap netip.AddrPort, s socket) error { return u.ip("tcp4", "tcp6", ap, s) }

// udp is tcp for a datagram socket.
func (u controls) udp(ap netip.AddrPort, s socket) error { return u.ip("udp4", "udp6", ap, s) }

func (u controls) ip(v4, v6 string, ap netip.AddrPort, s socket) error {
	switch {
	case u.fn == nil && u.options == Options{}: // no text of the address is needed
		return nil
	case ap.Addr().Is6():
		return u.as(v6, ap.String(), s)
	}
	return u.as(v4, ap.String(), s)
}

func (u controls) as(network, address string, s socket) error {
	if u.options != (Options{}) {
		if err := u.options.set(s); err != nil {
			return err
		}
	}
	if u.fn == nil {
		return nil
	}
	raw, done := rawSocket(s.n), false
	defer func() {
		if !done { // it has panicked or ended its goroutine: no other code will close the socket
			s.close()
		}
	}()
	err := u.fn(network, address, &raw)
	done = true
	return err
}

// rawSocket is the descriptor of a socket that is being made.
type rawSocket int32

// Control calls f with the descriptor.
func (r *rawSocket) Control(f func(fd uintptr)) error {
	f(uintptr(*r))
	return nil
}

var errUnfinished = errors.New("sock: the socket is still being made: only Control works")

// Read fails, because the socket is still being made.
func (r *rawSocket) Read(func(fd uintptr) bool) error { return errUnfinished }

// Write fails, because the socket is still being made.
func (r *rawSocket) Write(func(fd uintptr) bool) error { return errUnfinished }

func (d *Dialer) controls() controls { return controls{d.Options, d.Control} }

func (lc *ListenConfig) controls() controls { return controls{lc.Options, lc.Control} }

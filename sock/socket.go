package sock

import (
	"net/netip"
	"os"

	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/sys"
)

// socket is a socket that is being made: no loop and no handle knows it yet.
type socket struct {
	k kernel.Kernel
	n int32
}

// newSocket makes a socket.
func newSocket(k kernel.Kernel, family, kind int) (socket, error) {
	return newSocketOf(k, family, kind, 0)
}

// newSocketOf makes a socket of a protocol; 0 is the default of the family and kind.
func newSocketOf(k kernel.Kernel, family, kind, protocol int) (socket, error) {
	n := k.Socket(family, kind, protocol)
	if n < 0 {
		return socket{}, noSocket(n)
	}
	return socket{k, n}, nil
}

// watchable returns a new socket if the loop can wait for it, and otherwise closes it.
func watchable(l *loop.Loop, s socket, err error) (socket, error) {
	if err != nil {
		return s, err
	}
	if err := l.Unwatchable(s.n); err != nil {
		s.close()
		return socket{}, os.NewSyscallError("socket", err)
	}
	return s, nil
}

// familyOf returns the family of sockets for an address.
func familyOf(ap netip.AddrPort) int {
	if ap.Addr().Is6() {
		return sys.AFInet6
	}
	return sys.AFInet
}

func (s socket) set(level, name, value int) error {
	return called("setsockopt", s.k.Setsockopt(s.n, level, name, value))
}

// reusePort lets other sockets have the address, too, if on.
func (s socket) reusePort(on bool) error {
	if !on {
		return nil
	}
	return s.set(solSocket, soReuseport, 1)
}

func (s socket) bind(ap netip.AddrPort) error {
	at := new(sys.Sockaddr)
	at.Set(ap)
	return called("bind", s.k.Bind(s.n, at))
}

// bindTo is bind to a local address, if there is one.
func (s socket) bindTo(local netip.AddrPort) error {
	if !local.IsValid() {
		return nil
	}
	return s.bind(local)
}

// bindUnix gives a Unix socket its name.
func (s socket) bindUnix(name string) error {
	at := new(sys.Sockaddr)
	if !at.SetUnix(name) {
		return noUnixName("bind")
	}
	return called("bind", s.k.Bind(s.n, at))
}

// listen makes the socket listen; a backlog of 0 means as many as the kernel allows.
func (s socket) listen(backlog int) error {
	if backlog == 0 || backlog > backlogMax {
		backlog = backlogMax
	}
	return called("listen", s.k.Listen(s.n, backlog))
}

// connect sets the peer of a socket of datagrams, which takes no time.
func (s socket) connect(ap netip.AddrPort) error {
	to := new(sys.Sockaddr)
	to.Set(ap)
	return called("connect", s.k.Connect(s.n, to))
}

// connectUnix is connect to a name.
func (s socket) connectUnix(name string) error {
	to := new(sys.Sockaddr)
	if !to.SetUnix(name) {
		return noUnixName("connect")
	}
	return called("connect", s.k.Connect(s.n, to))
}

// name returns the address that the socket is bound to.
func (s socket) name() (*sys.Sockaddr, error) {
	sa := new(sys.Sockaddr)
	return sa, called("getsockname", s.k.Getsockname(s.n, sa))
}

// addrPort is name for a socket that has a port.
func (s socket) addrPort() (netip.AddrPort, error) {
	sa, err := s.name()
	if err != nil {
		return netip.AddrPort{}, err
	}
	return sa.AddrPort(), nil
}

func (s socket) close() { s.k.Close(s.n) }

// orClose closes a socket that could not be made what it was to be, and passes on why.
func (s socket) orClose(err error) (socket, error) {
	if err != nil {
		s.close()
	}
	return s, err
}

// first takes one step after the other, up to the first that fails, and returns its error.
func first(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// called returns the error of a system call, nil if it succeeded.
func called(call string, res int32) error {
	if res < 0 {
		return callError(call, res)
	}
	return nil
}

//go:build linux

package socktest

import (
	"net/netip"
	"os"
	"syscall"
	"testing"
)

// Refusing returns a loopback address that refuses connections until the test ends. Its port is bound, but no
// socket listens on it. A free port would not do: the kernel may give it to the next socket, even to the test's own
// server.
func Refusing(t testing.TB) string {
	t.Helper()
	ap, err := Refuse(t, netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	return ap.String()
}

// Refuse makes an address refuse connections until the test ends; port 0 becomes a free one. The error is EADDRINUSE if
// another socket has the port.
func Refuse(t testing.TB, ap netip.AddrPort) (netip.AddrPort, error) {
	family := syscall.AF_INET
	if ap.Addr().Is6() {
		family = syscall.AF_INET6
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return ap, err
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, Sockaddr(ap)); err != nil {
		return ap, err
	}
	name, err := syscall.Getsockname(fd)
	return withPort(ap, name), err
}

// withPort returns ap with the port of a socket's name.
func withPort(ap netip.AddrPort, name syscall.Sockaddr) netip.AddrPort {
	switch name := name.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(ap.Addr(), uint16(name.Port))
	case *syscall.SockaddrInet6:
		return netip.AddrPortFrom(ap.Addr(), uint16(name.Port))
	}
	return ap
}

// Swallow makes a listener whose backlog is full, so that a dial gets no answer.
func Swallow(ap netip.AddrPort) (addr netip.AddrPort, undo func(), err error) {
	var fds []int
	undo = func() {
		for _, fd := range fds {
			syscall.Close(fd)
		}
	}
	defer func() {
		if err != nil {
			undo()
		}
	}()
	family := syscall.AF_INET
	if ap.Addr().Is6() {
		family = syscall.AF_INET6
	}
	socket := func() (int, error) {
		fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
		if err == nil {
			fds = append(fds, fd)
		}
		return fd, err
	}
	ln, err := socket()
	if err != nil {
		return ap, undo, err
	}
	// Closed connections of other programs may still occupy the port.
	if err := syscall.SetsockoptInt(ln, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return ap, undo, err
	}
	if err := syscall.Bind(ln, Sockaddr(ap)); err != nil {
		return ap, undo, err
	}
	if err := syscall.Listen(ln, 0); err != nil {
		return ap, undo, err
	}
	name, err := syscall.Getsockname(ln)
	if err != nil {
		return ap, undo, err
	}
	ap = withPort(ap, name)
	for waiting := 0; waiting < 2; { // until two connections get no answer
		fd, err := socket()
		if err != nil {
			return ap, undo, err
		}
		if err := syscall.Connect(fd, name); err == syscall.EINPROGRESS {
			waiting++
		} else if err != nil {
			return ap, undo, err
		}
	}
	return ap, undo, nil
}

// Sockaddr converts an address to the form that system calls take.
func Sockaddr(ap netip.AddrPort) syscall.Sockaddr {
	if ap.Addr().Is6() {
		return &syscall.SockaddrInet6{Port: int(ap.Port()), Addr: ap.Addr().As16()}
	}
	return &syscall.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}
}

// Silent returns a loopback address at which a dial gets no answer until the test ends.
func Silent(t testing.TB) string {
	t.Helper()
	addr, undo, err := Swallow(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(undo)
	return addr.String()
}

// Lockable returns an error if the process may not lock as much memory as mem, as a send without a copy does until its
// end.
func Lockable(mem []byte) error {
	if err := syscall.Mlock(mem); err != nil {
		return os.NewSyscallError("mlock", err)
	}
	return syscall.Munlock(mem)
}

//go:build linux

package main

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// portsPerSource is how many connections one source address is used for. The default ephemeral range has 28,232 ports,
// but connect(2) tries one half of them first; once these are taken, each call tries all of them before it finds
// another.
const portsPerSource = 10_000

// dialer opens non-blocking sockets to one server, from a number of loopback source addresses.
type dialer struct {
	family  int
	kind    int // SOCK_STREAM or SOCK_DGRAM
	to      unix.Sockaddr
	sources int
	next    int
	buffers int // size of both socket buffers in bytes; 0: the system's
	receive int // size of the receive buffer alone; likewise
}

func newDialer(addr string, kind, sources int) (*dialer, error) {
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, err
	}
	d := &dialer{kind: kind, sources: sources}
	if ip := a.IP.To4(); ip != nil {
		d.family = unix.AF_INET
		d.to = &unix.SockaddrInet4{Port: a.Port, Addr: [4]byte(ip)}
	} else {
		d.family = unix.AF_INET6
		d.to = &unix.SockaddrInet6{Port: a.Port, Addr: [16]byte(a.IP.To16())}
	}
	if sources > 1 && (d.family != unix.AF_INET || !a.IP.IsLoopback()) {
		return nil, fmt.Errorf("several source addresses need a server on 127.0.0.0/8, not %v", a)
	}
	return d, nil
}

// dial starts a connection and does not wait: until the connection is made, send fails with EAGAIN.
func (d *dialer) dial() (int, error) {
	fd, err := unix.Socket(d.family, d.kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := d.connect(fd); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func (d *dialer) connect(fd int) error {
	if d.kind == unix.SOCK_STREAM {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			return os.NewSyscallError("setsockopt TCP_NODELAY", err)
		}
	}
	if d.buffers > 0 {
		for _, opt := range []int{unix.SO_RCVBUF, unix.SO_SNDBUF} {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, opt, d.buffers); err != nil {
				return os.NewSyscallError("setsockopt of a buffer size", err)
			}
		}
	}
	if d.receive > 0 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, d.receive); err != nil {
			return os.NewSyscallError("setsockopt SO_RCVBUF", err)
		}
	}
	if d.sources > 1 {
		// The port is chosen at connect, so that one port serves several destinations, and ports in TIME_WAIT can be
		// reused.
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
			return os.NewSyscallError("setsockopt IP_BIND_ADDRESS_NO_PORT", err)
		}
		from := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + d.next%d.sources)}}
		d.next++
		if err := unix.Bind(fd, from); err != nil {
			return os.NewSyscallError("bind to a source address", err)
		}
	}
	if err := unix.Connect(fd, d.to); err != nil && err != unix.EINPROGRESS {
		return os.NewSyscallError("connect", err)
	}
	return nil
}

// raiseNoFile raises RLIMIT_NOFILE so that n sockets can be open.
func raiseNoFile(n int) error {
	need := uint64(n + 64)
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return os.NewSyscallError("getrlimit", err)
	}
	if lim.Cur >= need {
		return nil
	}
	lim.Cur, lim.Max = need, max(need, lim.Max)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return fmt.Errorf("%d connections need RLIMIT_NOFILE %d: %w", n, need, err)
	}
	return nil
}

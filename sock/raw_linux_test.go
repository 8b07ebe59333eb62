//go:build linux

package sock_test

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

// raw is a client's socket in plain, blocking system calls. Its calls allocate
// nothing and know of no poller.
type raw struct {
	fd int
}

// rawDial connects; opts are done to the socket before.
func rawDial(addr string, opts ...func(fd int) error) (raw, error) {
	to, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return raw{}, err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return raw{}, err
	}
	c := raw{fd}
	for _, opt := range opts {
		if err := opt(fd); err != nil {
			c.close()
			return raw{}, err
		}
	}
	sa := &syscall.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}
	for {
		if err = syscall.Connect(fd, sa); err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		c.close()
		return raw{}, err
	}
	tv := syscall.NsecToTimeval(patience.Nanoseconds())
	syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &tv)
	syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &tv)
	syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	return c, nil
}

// from binds a socket to an address of this host.
func from(ip [4]byte) func(fd int) error {
	return func(fd int) error { return syscall.Bind(fd, &syscall.SockaddrInet4{Addr: ip}) }
}

// narrow gives a socket the smallest buffers.
func narrow(fd int) error {
	return errors.Join(
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1),
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, 1))
}

// mustRaw is rawDial for a test, which closes it.
func mustRaw(t *testing.T, addr string, opts ...func(fd int) error) raw {
	t.Helper()
	c, err := rawDial(addr, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.close() })
	return c
}

func (c *raw) close() {
	if c.fd >= 0 {
		syscall.Close(c.fd)
		c.fd = -1
	}
}

// reset closes with a RST, which leaves nothing waiting in the kernel.
func (c *raw) reset() {
	syscall.SetsockoptLinger(c.fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
	c.close()
}

// write writes all of p.
func (c *raw) write(p []byte) error {
	for len(p) > 0 {
		n, err := syscall.Write(c.fd, p)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// read fills p.
func (c *raw) read(p []byte) error {
	for len(p) > 0 {
		n, err := syscall.Read(c.fd, p)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return syscall.EPIPE
		}
		p = p[n:]
	}
	return nil
}

// atEnd waits for the stream's end.
func (c *raw) atEnd() error {
	var p [1]byte
	for {
		n, err := syscall.Read(c.fd, p[:])
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return err
		case n == 0:
			return nil
		}
	}
}
